"""One file from bytes to all that is stored of it: the same steps for the Spark pipeline and for files to files."""

import hashlib
import json
import stat
import traceback
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from pydicom.dataset import FileDataset

from lakeward import __version__
from lakeward.imaging.deidentification import gates
from lakeward.imaging.deidentification.deidentifier import Deidentified, Deidentifier
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.objects import header
from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import Limits, contained, read_object, silenced, time_limit
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.pixels import cleaning
from lakeward.imaging.pixels.decoding import frames, has_pixels
from lakeward.imaging.pixels.enhance import EnhanceParameters, Picture, display, encode_frame, enhance, is_enhanceable
from lakeward.imaging.pixels.thumbnails import thumbnail_png
from lakeward.imaging.reasons import Quarantined, Reason

CODE_VERSION = __version__
_HERE = str(Path(__file__).parents[2])


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
        Wall time that one object may take.
    """

    profile: Profile
    key: bytes = field(repr=False)
    enhancement: EnhanceParameters = field(default_factory=EnhanceParameters)
    limits: Limits = field(default_factory=Limits)
    seconds: float = 120.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process as what it was made of: the engine stays here."""
        return Recipe, tuple(getattr(self, part.name) for part in fields(self))

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


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is stored of a file that could be cleaned.

    Attributes
    ----------
    dicom : bytes
        The de-identified DICOM file.
    enhanced : list of bytes
        One lossless JPEG XL image for each frame; empty for objects that are no pictures.
    columns : dict
        The typed columns of ``imaging.images`` that come from the object.
    """

    dicom: bytes
    enhanced: list[bytes]
    columns: dict[str, Any]


def load(path: Path, recipe: Recipe) -> bytes:
    """Read a file, if it is one and within the limits.

    Raises
    ------
    Quarantined
        TOO_LARGE, or NOT_ACCESSIBLE with the name of the system's error.
    """
    limit = recipe.limits.max_bytes
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise Quarantined(Reason.NOT_ACCESSIBLE, "no regular file")
        if status.st_size > limit:
            raise Quarantined(Reason.TOO_LARGE, f"more than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise Quarantined(Reason.NOT_ACCESSIBLE, type(error).__name__) from None


def deidentify(content: bytes, recipe: Recipe, accept: Set[Reason] = frozenset()) -> tuple[bytes, Deidentified]:
    """De-identify one file.

    Parameters
    ----------
    content : bytes
        The original file.
    recipe : Recipe
        What to do to it.
    accept : set of Reason
        Reasons that a person has overruled for this file.

    Returns
    -------
    tuple of bytes and Deidentified
        The new file, and the data set with what was changed.

    Raises
    ------
    Quarantined
        If the file can't be read in bounds, or can't be cleaned with certainty.
    """
    with time_limit(recipe.seconds), _unforeseen():
        return _deidentify(content, recipe, accept)


def process(content: bytes, recipe: Recipe, accept: Set[Reason] = frozenset()) -> Cleaned:
    """De-identify and enhance one file, and describe it for the tables.

    Parameters and errors are those of `deidentify`; an image whose pixels can't be decoded is refused too.
    """
    with time_limit(recipe.seconds), _unforeseen():
        dicom, cleaned = _deidentify(content, recipe, accept)
        return Cleaned(dicom, *_describe(dicom, cleaned, recipe))


def _describe(dicom: bytes, cleaned: Deidentified, recipe: Recipe) -> tuple[list[bytes], dict[str, Any]]:
    """The enhanced frames and the columns of a cleaned object."""
    ds = cast(FileDataset, cleaned.dataset)
    enhanced, thumbnail = _pictures(ds, recipe)
    with contained(Reason.UNREADABLE):
        columns = header.columns(ds)
    return enhanced, columns | {
        "patient_id": cleaned.patient,
        "transfer_syntax_uid": str(ds.file_meta.TransferSyntaxUID),
        "size_bytes": len(dicom),
        "content_sha256": hashlib.sha256(dicom).hexdigest(),
        "changes": json.dumps(cleaned.changes, separators=(",", ":")),
        "header": header.as_json(ds),
        "thumbnail": thumbnail,
    }


@contextmanager
def _unforeseen() -> Iterator[None]:
    """Set aside, with the place in our code, what nobody foresaw; the error's own text may quote a patient's data."""
    try:
        with silenced():
            yield
    except Quarantined:
        raise
    except Exception as error:
        frames_of_ours = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(_HERE)]
        place = f"{Path(frames_of_ours[-1].filename).name}:{frames_of_ours[-1].lineno}"
        raise Quarantined(Reason.UNFORESEEN, f"{type(error).__name__} at {place}") from None


def _deidentify(content: bytes, recipe: Recipe, accept: Set[Reason]) -> tuple[bytes, Deidentified]:
    ds = read_object(content, recipe.limits)
    accepting = recipe.profile.accepting(*accept)
    gates.check(ds, accepting)
    masked = cleaning.clean(ds, accepting, recipe.limits)
    cleaned = recipe.deidentifier(ds, masked)
    return encode(ds), cleaned


def _pictures(ds: FileDataset, recipe: Recipe) -> tuple[list[bytes], bytes | None]:
    """Every frame enhanced, where that makes sense, and a thumbnail of the middle one."""
    enhanced: list[bytes] = []
    thumbnail: bytes | None = None
    if has_pixels(ds):
        enhanceable = is_enhanceable(ds, recipe.enhancement)
        middle = number_of_frames(ds) // 2
        for index, frame in enumerate(frames(ds, recipe.limits)):
            shown = enhance(frame, ds, recipe.enhancement, index) if enhanceable else display(frame, ds, index)
            if enhanceable:
                enhanced.append(encode_frame(shown))
            if index == middle:
                thumbnail = thumbnail_png(cast(Picture, shown))
    return enhanced, thumbnail
