"""Keyed, stateless pseudonyms: workers and later runs that share a key agree without sharing anything else.

Every replacement is an HMAC-SHA-256 (RFC 2104, FIPS 180-4) of the original under a key derived from one secret, with
another derived key for each purpose, so that values of two kinds can't be compared.
"""

import base64
import hmac
import re
from dataclasses import dataclass, field
from functools import cached_property

from pydicom._uid_dict import UID_dictionary

from lakeward.workspace.errors import ConfigurationError

KEY_BYTES = 32
MAX_SHIFT_DAYS = 3650
_CONTEXT_GROUP = re.compile(r"1\.2\.840\.10008\.6\.1\.\d{1,4}", re.ASCII)  # PS3.16, not in pydicom's list
_UUID_MASK = ~((0xF << 76) | (0x3 << 62))
_UUID_V8 = (0x8 << 76) | (0x2 << 62)


def derived(key: bytes, purpose: str) -> bytes:
    """Return the key for one purpose that follows from a secret key (32 bytes)."""
    return hmac.digest(key, f"lakeward/{purpose}/1".encode(), "sha256")


@dataclass(frozen=True)
class Pseudonyms:
    """What replaces identifiers, from one secret key.

    Parameters
    ----------
    key : bytes
        The secret, at least 32 random bytes.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ConfigurationError(f"The de-identification key has {len(self.key)} bytes; {KEY_BYTES} are needed.")

    def _derived(self, purpose: str) -> bytes:
        return derived(self.key, purpose)

    @cached_property
    def _uid_key(self) -> bytes:
        return self._derived("uid")

    @cached_property
    def _text_key(self) -> bytes:
        return self._derived("text")

    @cached_property
    def _patient_key(self) -> bytes:
        return self._derived("patient")

    @cached_property
    def _days_key(self) -> bytes:
        return self._derived("days")

    @cached_property
    def _source_key(self) -> bytes:
        return self._derived("source")

    @cached_property
    def key_id(self) -> str:
        """Name of the key (16 hexadecimal digits) that tells keys apart and gives nothing away."""
        return self._derived("key id").hex()[:16]

    def uid(self, original: str) -> str:
        """Replace a UID by one under 2.25 (PS3.5 B.2), made of a version 8 UUID (RFC 9562) of its HMAC.

        UIDs that the Standard registers (PS3.6 Annex A) mean the same everywhere and are returned as they are.
        """
        original = original.strip("\0 ")
        if not original or original in UID_dictionary or _CONTEXT_GROUP.fullmatch(original):
            return original
        number = int.from_bytes(hmac.digest(self._uid_key, original.encode(), "sha256")[:16], "big")
        return f"2.25.{number & _UUID_MASK | _UUID_V8}"

    def patient(self, identity: str) -> str:
        """Pseudonym of a patient (16 characters, fits every text VR)."""
        return _token(self._patient_key, identity)

    def withdrawn(self, patient: str) -> str:
        """Name under which a patient's withdrawal is remembered (32 hexadecimal digits), made of the pseudonym.

        The pseudonym itself would keep what the withdrawal removes.
        """
        return hmac.digest(self._derived("withdrawn"), patient.encode(), "sha256").hex()[:32]

    def text(self, original: str) -> str:
        """Stand-in for an identifying text (16 characters): the same text always has the same one."""
        return _token(self._text_key, original)

    def days(self, identity: str) -> int:
        """Days to add to every date of a patient: one number for each patient, from -3650 to -1."""
        number = int.from_bytes(hmac.digest(self._days_key, identity.encode(), "sha256")[:8], "big")
        return -(number % MAX_SHIFT_DAYS + 1)

    def source(self, content: bytes) -> str:
        """Name of a source file by its content (64 hexadecimal digits).

        A plain hash of the original would lead back to it; without the key this does not.
        """
        return hmac.digest(self._source_key, content, "sha256").hex()


def _token(key: bytes, original: str) -> str:
    digest = hmac.digest(key, original.encode("utf-8", "surrogatepass"), "sha256")
    return "LW" + base64.b32encode(digest)[:14].decode()
