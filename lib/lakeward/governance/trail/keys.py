"""The log's private keys: from the secret ``audit_key``, else a file beside the trail that only its owner can read."""

import os
from collections.abc import Iterator
from pathlib import Path

from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Signer, Verifier
from lakeward.workspace.errors import MissingSecret
from lakeward.workspace.secrets import secret_key

NEXT = "audit_key_next"
_SECRETS = ("audit_key", NEXT)


def first_signer(name: str, folder: Path) -> Signer:
    """Return the signer for a new log, with a new key if there is no secret."""
    return next(_from_secrets(name, _SECRETS), None) or _made(name, folder)


def next_signer(name: str, folder: Path) -> Signer:
    """Return the signer that follows: the secret ``audit_key_next``, else a new key."""
    return next(_from_secrets(name, (NEXT,)), None) or _made(name, folder)


def signer_of(verifier: Verifier, folder: Path) -> Signer:
    """Return the signer whose public key is given.

    Raises
    ------
    NotProven
        If its private key is in none of its places.
    """
    file = _file(verifier, folder)
    if file.exists():
        return Signer(verifier.name, file.read_bytes())
    for signer in _from_secrets(verifier.name, _SECRETS):
        if signer.verifier == verifier:
            return signer
    raise NotProven(
        f"The private key of {verifier} is neither the secret audit_key nor {file}, so no head can be signed. "
        "Put it back; if it is lost, the trail must be continued in a new lakehouse."
    )


def forget(verifier: Verifier, folder: Path) -> None:
    """Remove the file of a private key that was replaced."""
    _file(verifier, folder).unlink(missing_ok=True)


def _from_secrets(name: str, secrets: tuple[str, ...]) -> Iterator[Signer]:
    for secret in secrets:
        try:
            yield Signer(name, secret_key(secret)[:32])
        except MissingSecret:
            continue


def _made(name: str, folder: Path) -> Signer:
    seed = os.urandom(32)
    signer = Signer(name, seed)
    file = _file(signer.verifier, folder)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(seed)
        out.flush()
        os.fsync(out.fileno())
    return signer


def _file(verifier: Verifier, folder: Path) -> Path:
    return folder / f"audit-{verifier.id.hex()}.key"
