"""An event as the bytes that are hashed: canonical JSON (RFC 8785), free text and details by salted digests (RFC 9901).

An entry is ``{"event":{"_sd":[...],...},"previous":...,"recorded":...,"sequence":...}``. What `previous` names is the
hash of the entry before as a leaf of the tree, so one hash serves chain and tree. Each reason and detail lies beside
the entry as a disclosure, a salt with name and value, of which the entry holds the digest: erasing the disclosure
leaves the entry, and so the tree, as it was.
"""

import base64
import json
from binascii import b2a_base64
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from ssl import RAND_bytes
from typing import Any

import rfc8785

from lakeward.governance.trail.catalogue import kind_of
from lakeward.governance.trail.store import Row
from lakeward.workspace.events import Event

SEPARATOR = b"~"
ERASED = b"#"
"""Stands before the digest of a disclosure that was erased."""

_PLAIN = ("kind", "type", "object", "outcome", "actor", "host", "process", "at", "id")
FIELDS = ("sequence", "recorded", *_PLAIN, "reason", "details", "erased")
"""What `read` returns of each entry."""

_SALT_BYTES = 16
_URL = bytes.maketrans(b"+/", b"-_")
_text = json.encoder.encode_basestring
"""Writes a text as JSON, with the escapes that RFC 8785 (3.2.2.2) has, in a call of C."""


def sealed(event: Event) -> tuple[bytes, bytes]:
    """Return an event's canonical bytes, and its disclosures."""
    fields = [(f"details.{name}", value) for name, value in event.details.items()]
    if event.reason:
        fields.append(("reason", event.reason))
    disclosures = [disclosure(name, value) for name, value in fields]
    digests = ",".join([f'"{digest(it).decode()}"' for it in disclosures])
    plain = (
        f'{{"_sd":[{digests}],"actor":{_text(event.actor)},"at":"{stamp(event.at)}","host":{_text(event.host)},'
        f'"id":{_text(event.id)},"kind":"{kind_of(event.type).value}","object":{_text(event.object)},'
        f'"outcome":"{event.outcome}","process":{event.process},"type":"{event.type}"}}'
    )
    return plain.encode(), SEPARATOR.join(disclosures)


def entry(event: bytes, previous: bytes, recorded: str, sequence: int) -> bytes:
    """Return the bytes of an entry, canonical since its names are in order already."""
    return b'{"event":%b,"previous":"%b","recorded":"%b","sequence":%d}' % (
        event,
        previous.hex().encode(),
        recorded.encode(),
        sequence,
    )


def disclosure(name: str, value: Any) -> bytes:
    """Return salt, name and value, encoded (RFC 9901, 4.2.1)."""
    salt = _base64(RAND_bytes(_SALT_BYTES)).decode()
    return _base64(f'["{salt}",{_text(name)},{_canonical(value)}]'.encode())


def digest(disclosure: bytes) -> bytes:
    """Digest that commits to a disclosure (RFC 9901, 4.2.3)."""
    return _base64(sha256(disclosure).digest())


def stated(digests: Iterable[bytes]) -> bytes:
    """Return how an entry with these digests begins."""
    joined = b'","'.join(digests)
    return b'{"event":{"_sd":["%b"],' % joined if joined else b'{"event":{"_sd":[],'


def parts(payload: bytes) -> list[bytes]:
    """Return the disclosures of an entry, also those of which only the digest is left."""
    return payload.split(SEPARATOR) if payload else []


def digest_of(part: bytes) -> bytes:
    """Return the digest of a disclosure, erased or not."""
    return part[1:] if part.startswith(ERASED) else digest(part)


def told(part: bytes) -> tuple[str, Any] | None:
    """Name and value that a disclosure tells, None if it was erased."""
    if part.startswith(ERASED):
        return None
    _, name, value = json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    return name, value


def read(data: bytes, payload: bytes) -> dict[str, Any]:
    """Return an entry as a person wants it: one level of fields, the details, and how many fields were erased."""
    whole = json.loads(data)
    event = whole["event"]
    shown = [it for part in parts(payload) if (it := told(part))]
    details = {name.removeprefix("details."): value for name, value in shown if name.startswith("details.")}
    return {
        "sequence": whole["sequence"],
        "recorded": whole["recorded"],
        **{name: event[name] for name in _PLAIN},
        "reason": dict(shown).get("reason", ""),
        "details": details,
        "erased": len(event["_sd"]) - len(shown),
    }


def told_by(row: Row) -> dict[str, Any] | None:
    """Return what `read` does, None if the entry is gone or was made unreadable, which verification finds."""
    try:
        return read(row.data, row.payload or b"") if row.data else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def stamp(at: datetime) -> str:
    """Write a time so that times sort as their texts do."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


def _canonical(value: Any) -> str:
    """Write texts and integers ten times as fast as what writes all else."""
    if isinstance(value, str):
        return _text(value)
    return str(value) if type(value) is int and abs(value) < 1 << 53 else rfc8785.dumps(_exact(value)).decode()


def _exact(value: Any) -> Any:
    """Write numbers as texts that other programs would round (RFC 7493, 2.2), which canonical JSON refuses."""
    match value:
        case int() if abs(value) >= 1 << 53:
            return str(value)
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {name: _exact(item) for name, item in value.items()}
        case _:
            return value


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False).translate(_URL, b"=")
