"""Keys of backups, and how chunks and manifests are sealed: AES-256-GCM under keys derived from one secret.

A chunk's name is a keyed hash of its content, so equal chunks are stored once and a name tells nothing to those who
have no key. Each chunk is sealed with its name, each manifest with its id, so neither can stand in for another.

Source: NIST SP 800-38D (GCM; 8.3: 2^32 random nonces a key, here 16 PiB of full chunks), RFC 5869 (HKDF).
"""

import hmac
import os
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lakeward.governance.backups.errors import BackupDamaged, WrongKey
from lakeward.workspace.errors import MissingSecret
from lakeward.workspace.secrets import secret_key

SECRET, BEFORE = "backup_key", "backup_key_before"
CHUNK = 4 << 20
"""Bytes of a chunk; the last one of a file may have fewer."""

_RAW, _ZSTD = b"\x00", b"\x01"
_NONCE = 12
_SAMPLE = 64 << 10
_WORTH_IT = 0.9
_MAGIC = b"lakeward backup 1 "
_ID = 8


@dataclass(frozen=True)
class Keys:
    """The keys that one secret gives; `id` names them, and tells nothing about them."""

    id: str
    _names: bytes
    _chunks: AESGCM
    _manifests: AESGCM

    @classmethod
    def of(cls, secret: bytes) -> "Keys":
        """Derive the keys from a secret of 32 bytes or more."""
        name, names, chunks, manifests = (_derived(secret, use) for use in ("id", "names", "chunks", "manifests"))
        return cls(name[:_ID].hex(), names, AESGCM(chunks), AESGCM(manifests))

    def name(self, digest: bytes) -> str:
        """Return the name of the chunk whose SHA-256 is given."""
        return hmac.digest(self._names, digest, "sha256").hex()

    def seal(self, name: str, chunk: bytes) -> bytes:
        """Seal a chunk, made smaller if a sample of it says that this pays."""
        kind, packed = (_ZSTD, _codec().compress(chunk, asbytes=True)) if _shrinks(chunk) else (_RAW, chunk)
        nonce = os.urandom(_NONCE)
        return b"".join((kind, nonce, self._chunks.encrypt(nonce, packed, kind + name.encode())))

    def open(self, name: str, sealed: bytes, digest: bytes, size: int) -> bytes:
        """Open a sealed chunk, which must have that SHA-256 and size.

        Raises
        ------
        BackupDamaged
            If it is not as it was sealed.
        """
        kind, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE], memoryview(sealed)[1 + _NONCE :]
        try:
            packed = self._chunks.decrypt(nonce, rest, kind + name.encode())
        except (InvalidTag, ValueError):  # too short to be sealed
            raise BackupDamaged(f"The chunk {name} is not as it was written.") from None
        chunk = _codec().decompress(packed, size, asbytes=True) if kind == _ZSTD else packed
        if len(chunk) != size or sha256(chunk).digest() != digest:
            raise BackupDamaged(f"The chunk {name} is not what the manifest says.")
        return chunk

    def seal_manifest(self, id_: str, text: bytes) -> bytes:
        """Seal a manifest; its first line names the key."""
        header, nonce = _MAGIC + self.id.encode() + b"\n", os.urandom(_NONCE)
        packed = len(text).to_bytes(8, "big") + _codec().compress(text, asbytes=True)
        return b"".join((header, nonce, self._manifests.encrypt(nonce, packed, header + id_.encode())))

    def open_manifest(self, id_: str, sealed: bytes) -> bytes:
        """Open a sealed manifest.

        Raises
        ------
        BackupDamaged
            If it is not as it was sealed.
        """
        header, rest = sealed[: len(_MAGIC) + 2 * _ID + 1], sealed[len(_MAGIC) + 2 * _ID + 1 :]
        try:
            packed = self._manifests.decrypt(rest[:_NONCE], rest[_NONCE:], header + id_.encode())
        except (InvalidTag, ValueError):
            raise BackupDamaged(f"The manifest of the backup {id_} is not as it was written.") from None
        text: bytes = _codec().decompress(packed[8:], int.from_bytes(packed[:8], "big"), asbytes=True)
        return text


class Keyring:
    """The keys that are there; the first is the one that backups are made with now."""

    def __init__(self, *keys: Keys) -> None:
        self.now, self.all = keys[0], keys

    def named(self, id_: str) -> Keys:
        """Return the keys of an id.

        Raises
        ------
        WrongKey
            If they are not there.
        """
        for keys in self.all:
            if keys.id == id_:
                return keys
        raise WrongKey(
            f"This was made with the key {id_}; the secret {SECRET} is the key {self.now.id}. Give the one that it was "
            f"made with, as {SECRET}, or, if that was replaced on purpose, as {BEFORE}; if it is lost, set "
            "LAKEWARD_BACKUP_TO to a new place."
        )


def backup_keys() -> Keyring:
    """Return the keys from the secret ``backup_key``, and from ``backup_key_before`` where that was replaced."""
    try:
        return Keyring(Keys.of(secret_key(SECRET)), Keys.of(secret_key(BEFORE)))
    except MissingSecret:
        return Keyring(Keys.of(secret_key(SECRET)))


def key_of(id_: str, sealed: bytes) -> str:
    """Return the id of the key that a manifest was sealed with, which stands in it for all to read.

    Raises
    ------
    BackupDamaged
        If it is no manifest.
    """
    line, _, _ = sealed[: len(_MAGIC) + 2 * _ID + 1].partition(b"\n")
    name = line.removeprefix(_MAGIC)
    if not line.startswith(_MAGIC) or len(name) != 2 * _ID or name.strip(b"0123456789abcdef"):
        raise BackupDamaged(f"The manifest of the backup {id_} is not as it was written.")
    return name.decode()


def _derived(secret: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"lakeward backup {use}".encode()).derive(secret)


def _shrinks(chunk: bytes) -> bool:
    sample = chunk[:_SAMPLE]
    return len(_codec().compress(sample, asbytes=True)) < _WORTH_IT * len(sample)


def _codec() -> "pa.Codec":
    return pa.Codec("zstd", compression_level=1)
