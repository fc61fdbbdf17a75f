"""The crosswalk, where a run asks for one: what pseudonyms stood for, each sealed under a key of its own.

Rows are sealed with AES-256-GCM (NIST SP 800-38D) under a fresh random nonce of 96 bits, and bound to the pseudonym,
its kind and both keys, so that no row can stand for another. One key may seal 2**32 rows (section 8.3 there).
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydicom.dataset import Dataset

from lakeward.imaging.deidentification import identity
from lakeward.imaging.deidentification.pseudonyms import KEY_BYTES, Pseudonyms, derived
from lakeward.workspace.errors import ConfigurationError, LakewardError

_NONCE_BYTES = 12
_UIDS = {"study": "StudyInstanceUID", "series": "SeriesInstanceUID", "instance": "SOPInstanceUID"}


class WrongKey(LakewardError):
    """A crosswalk entry was sealed under another key."""


class TamperedEntry(LakewardError):
    """A crosswalk entry is not what was sealed."""


@dataclass(frozen=True)
class Crosswalk:
    """Seals originals, and opens them.

    Parameters
    ----------
    key : bytes
        The secret, at least 32 random bytes; not the one behind the pseudonyms.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ConfigurationError(f"The crosswalk's key has {len(self.key)} bytes; {KEY_BYTES} are needed.")

    def __reduce__(self) -> tuple[type["Crosswalk"], tuple[bytes]]:
        """Go to another process as the key: the cipher stays here."""
        return Crosswalk, (self.key,)

    def _derived(self, purpose: str) -> bytes:
        return derived(self.key, f"crosswalk {purpose}")

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._derived("rows"))

    @cached_property
    def key_id(self) -> str:
        """Name of the key (16 hexadecimal digits) that tells keys apart and gives nothing away."""
        return self._derived("key id").hex()[:16]

    def entries(self, ds: Dataset, pseudonyms: Pseudonyms) -> list[dict[str, Any]]:
        """Return rows of ``intake.crosswalk`` for an object as it came: its patient, study, series and instance.

        A patient's original is what the pseudonym was made of, as `identity.of` tells it: ``id:`` and the Patient ID.
        """
        return [
            self.row(kind, original, pseudonym, pseudonyms.key_id)
            for kind, original, pseudonym in _pairs(ds, pseudonyms)
            if pseudonym != original
        ]

    def row(self, kind: str, original: str, pseudonym: str, key_id: str) -> dict[str, Any]:
        """Return a row with its original sealed."""
        row = {"pseudonym": pseudonym, "kind": kind, "key_id": key_id, "crosswalk_key_id": self.key_id}
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return row | {
            "sealed": nonce + self._cipher.encrypt(nonce, original.encode("utf-8", "surrogatepass"), _bound(row))
        }

    def open(self, row: dict[str, Any]) -> str:
        """Return the original of a row.

        Raises
        ------
        WrongKey
            If it was sealed under another key.
        TamperedEntry
            If anything in it was changed since.
        """
        if row["crosswalk_key_id"] != self.key_id:
            raise WrongKey(
                f"The entry of {row['pseudonym']} was sealed under the crosswalk key {row['crosswalk_key_id']}, and "
                f"this is {self.key_id}. Put the other one into the secret crosswalk_key."
            )
        nonce, sealed = row["sealed"][:_NONCE_BYTES], row["sealed"][_NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, _bound(row)).decode("utf-8", "surrogatepass")
        except (InvalidTag, ValueError):
            raise TamperedEntry(
                f"The entry of {row['pseudonym']} in the crosswalk was changed after it was sealed: don't trust it. "
                "Restore intake.crosswalk, and find out who can write there."
            ) from None


def _pairs(ds: Dataset, pseudonyms: Pseudonyms) -> Iterator[tuple[str, str, str]]:
    """Kind, original and pseudonym of all that is kept."""
    yield "patient", identity.of(ds), pseudonyms.patient(identity.of(ds))
    for kind, keyword in _UIDS.items():
        original = str(ds.get(keyword) or "").strip("\0 ")
        yield kind, original, pseudonyms.uid(original)


def _bound(row: dict[str, Any]) -> bytes:
    return "|".join(row[name] for name in ("kind", "pseudonym", "key_id", "crosswalk_key_id")).encode()
