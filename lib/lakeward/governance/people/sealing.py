"""Passwords: hashed so that they can be checked, and keys sealed so that only the password opens them.

Source: RFC 9106 (argon2id, second recommended choice of parameters), NIST SP 800-63B, 5.1.1 (length, not composition).
"""

import os

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakeward.governance.people.errors import NotLetIn, PersonRefused

SHORTEST, LONGEST = 12, 256
_TIME, _MEMORY_KIB, _LANES = 3, 65_536, 4
_SALT, _NONCE = 16, 12
_HASHER = PasswordHasher(_TIME, _MEMORY_KIB, _LANES)
NOBODY = _HASHER.hash(os.urandom(16))
"""What the password of somebody who does not exist is compared with, so that the time taken tells nothing."""


def hashed(password: str) -> str:
    """Return the argon2id hash of a new password.

    Raises
    ------
    PersonRefused
        If it is too short, too long, or one character over and over.
    """
    if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < SHORTEST // 2:
        raise PersonRefused(
            f"A password has {SHORTEST} to {LONGEST} characters, {SHORTEST // 2} or more of them unlike."
        )
    return _HASHER.hash(password)


def fits(password: str, digest: str) -> bool:
    """Whether a password is the one that was hashed."""
    try:
        return _HASHER.verify(digest, password)
    except (VerificationError, InvalidHashError):
        return False


def seal(content: bytes, password: str, owner: str) -> bytes:
    """Encrypt something for the owner of a password (AES-256-GCM; salt, nonce, ciphertext)."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    return salt + nonce + AESGCM(_key(password, salt)).encrypt(nonce, content, owner.encode())


def unseal(sealed: bytes, password: str, owner: str) -> bytes:
    """Decrypt what `seal` has encrypted.

    Raises
    ------
    NotLetIn
        If the password or the owner is another, or the bytes were changed.
    """
    salt, nonce, content = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE], sealed[_SALT + _NONCE :]
    try:
        return AESGCM(_key(password, salt)).decrypt(nonce, content, owner.encode())
    except InvalidTag:
        raise NotLetIn("The password does not open this key.") from None


def _key(password: str, salt: bytes) -> bytes:
    return hash_secret_raw(password.encode(), salt, _TIME, _MEMORY_KIB, _LANES, 32, Type.ID)
