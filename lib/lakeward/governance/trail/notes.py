"""Signed notes (c2sp.org/signed-note) and checkpoints (c2sp.org/tlog-checkpoint), signed with Ed25519."""

import base64
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lakeward.governance.trail.errors import NoKey, NotProven

_ED25519 = b"\x01"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE = re.compile(r"— (\S+) ([A-Za-z0-9+/]+=*)")


@dataclass(frozen=True)
class Verifier:
    """A public key with the name that it signs under.

    Parameters
    ----------
    name : str
        With no spaces and no plus sign.
    key : bytes
        32 bytes (RFC 8032, 5.1.5).
    """

    name: str
    key: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read a key as ``name+id+base64``, the form that Go's sumdb/note and other programs use.

        Raises
        ------
        NoKey
            If it is none.
        """
        name, _, rest = vkey.strip().partition("+")
        stated, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raw = b""
        found = cls(name, raw[1:])
        if not name or len(raw) != 33 or raw[:1] != _ED25519 or found.id.hex() != stated:
            raise NoKey("This is not a public key of the form name+id+key, with an Ed25519 key.")
        return found

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart (signed-note, Signatures)."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        """Return the key as ``name+id+base64``."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def verifiers_of(key: str) -> list[Verifier]:
    """Read the public key that somebody gives, or the file with keys, one in each line.

    Raises
    ------
    NoKey
        If one is none.
    """
    file = Path(key)
    lines = file.read_text(encoding="utf-8").splitlines() if len(key) < 200 and file.is_file() else [key]
    return [Verifier.parse(line) for line in lines or [""]]


class Signer:
    """A private key with the name that it signs under; `seed` is its 32 bytes (RFC 8032, 5.1.5)."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """Return the signed note of a text, which ends with a newline."""
        signature = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.verifier.name} {signature}\n"


def opened(note: str, *verifiers: Verifier) -> str:
    """Return a note's text, if one of the keys signed it and none of them signed something else.

    Raises
    ------
    NotProven
        If it is no signed note, a known key's signature is wrong, or no known key signed it.
    """
    text, blank, signatures = note.rpartition("\n\n")
    lines = signatures.removesuffix("\n").split("\n")
    found = [_SIGNATURE.fullmatch(line) for line in lines]
    if not blank or not note.endswith("\n") or _CONTROL.search(note):
        raise NotProven("This is not a signed note: text, an empty line, signatures.")
    text += "\n"
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    proven = False
    for match in found:
        raw = _decoded(match[2]) if match else None
        if match is None or raw is None:
            raise NotProven("A line of signature in the note is malformed.")
        if verifier := known.get((match[1], raw[:4])):
            if not verifier.accepts(text, raw[4:]):
                raise NotProven(f"The signature of {verifier.name} under the note is wrong: it was changed or forged.")
            proven = True
    if not proven:
        raise NotProven("No known key signed the note.")
    return text


def _decoded(text: str) -> bytes | None:
    """Decode what is base64 in its one right spelling: with another, a note could be changed and hold."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return raw if base64.b64encode(raw).decode() == text else None


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: which log, how many leaves, and the root's hash."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        """Return the note's text (tlog-checkpoint, Note text)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a note.

        Raises
        ------
        NotProven
            If it is not a checkpoint.
        """
        lines = text.split("\n")
        try:
            origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
            if not origin or not re.fullmatch(r"0|[1-9][0-9]*", size) or len(root) != 32:
                raise ValueError
        except (IndexError, ValueError):
            raise NotProven("The note is not a checkpoint: origin, size, root hash.") from None
        return cls(origin, int(size), root)


def head(note: str, *verifiers: Verifier) -> Checkpoint:
    """Return the tree head in a note that one of the keys signed.

    Raises
    ------
    NotProven
        As for `opened`, or if it is a head of another log than the keys'.
    """
    checkpoint = Checkpoint.parse(opened(note, *verifiers))
    if checkpoint.origin not in {verifier.name for verifier in verifiers}:
        raise NotProven(f"The head is of another log, {checkpoint.origin}.")
    return checkpoint
