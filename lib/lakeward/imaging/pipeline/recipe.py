"""What is to be done to files, and what de-identification gives of one."""

import hashlib
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any, Protocol

from pydicom.dataset import FileDataset

from lakeward import __version__
from lakeward.imaging.deidentification.crosswalk import Crosswalk
from lakeward.imaging.deidentification.deidentifier import Deidentifier
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.objects.reading import Limits
from lakeward.imaging.pipeline.everyday import Everyday
from lakeward.imaging.pixels.enhance import EnhanceParameters

CODE_VERSION = __version__


@dataclass(frozen=True)
class Recipe:
    """All that decides what comes of a file.

    Attributes
    ----------
    profile : Profile
        How headers are de-identified.
    key : bytes
        The secret behind all pseudonyms.
    enhancement : EnhanceParameters
        How images are enhanced.
    limits : Limits
        Bounds on one object's size.
    seconds : float
        Processor time that one object may take.
    crosswalk : Crosswalk, optional
        Seals what pseudonyms stand for, where the run asks for it.
    withdrawn : tuple of Pseudonyms and set of str
        For each key under which patients were withdrawn, the names of them (`Pseudonyms.withdrawn`).
    rejected : set of str
        Names of sources in whose output a reviewer found something.
    """

    profile: Profile
    key: bytes = field(repr=False)
    enhancement: EnhanceParameters = field(default_factory=EnhanceParameters)
    limits: Limits = field(default_factory=Limits)
    seconds: float = 120.0
    crosswalk: Crosswalk | None = None
    withdrawn: tuple[tuple[Pseudonyms, frozenset[str]], ...] = ()
    rejected: frozenset[str] = frozenset()

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process as what it was made of; there, equal ones are one and share what they remember."""
        return _recipe, tuple(getattr(self, part.name) for part in fields(self))

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """The keyed replacements."""
        return Pseudonyms(self.key)

    @cached_property
    def profile_hash(self) -> str:
        """Hash of what decides the output besides key and code: the profile and the enhancement."""
        text = self.profile.hash + self.enhancement.model_dump_json()
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def deidentifier(self) -> Deidentifier:
        """The engine under this recipe's profile."""
        return Deidentifier(self.profile, self.pseudonyms)

    @cached_property
    def everyday(self) -> Everyday:
        """The fast way through everyday images; it remembers much of those that it has seen."""
        return Everyday(self.deidentifier, self.limits)


@lru_cache(maxsize=2)
def _recipe(*parts: Any) -> Recipe:
    return Recipe(*parts)


class Clean(Protocol):
    """An object after de-identification; what is not asked for is not worked out.

    Attributes
    ----------
    dicom : bytes
        The new file.
    patient : str
        The patient's pseudonym.
    uids : tuple of str
        Those of its study, series and object; empty where there is none.
    image : pydicom.dataset.FileDataset
        At least what describes its pixels, and the pixels; good until the next object is asked for.
    changes, header : str
        JSON of what was changed, and of the new header (DICOM JSON, PS3.18 F).
    columns : dict
        The typed columns of ``imaging.images`` that come from the header.
    """

    @property
    def dicom(self) -> bytes: ...  # noqa: D102
    @property
    def patient(self) -> str: ...  # noqa: D102
    @property
    def uids(self) -> tuple[str, str, str]: ...  # noqa: D102
    @property
    def image(self) -> FileDataset: ...  # noqa: D102
    @property
    def changes(self) -> str: ...  # noqa: D102
    @property
    def header(self) -> str: ...  # noqa: D102
    @property
    def columns(self) -> dict[str, Any]: ...  # noqa: D102
