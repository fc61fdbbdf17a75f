"""One file from bytes to all that is stored of it: the same steps for the Spark pipeline and for files to files."""

import hashlib
import os
import stat
import traceback
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydicom.dataset import FileDataset

from lakeward.imaging.deidentification import gates
from lakeward.imaging.deidentification.bytewise import Unsure
from lakeward.imaging.deidentification.deidentifier import Deidentified, Deidentifier, changes_json
from lakeward.imaging.objects import header
from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import contained, read_object, silenced, time_limit
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.pipeline.owners import crosswalk_rows, refuse_withdrawn
from lakeward.imaging.pipeline.recipe import Clean, Recipe
from lakeward.imaging.pixels import cleaning
from lakeward.imaging.pixels.decoding import frames, has_pixels
from lakeward.imaging.pixels.enhance import display, enhance, is_enhanceable
from lakeward.imaging.pixels.thumbnails import thumbnail_png
from lakeward.imaging.pixels.tiff import encode_frame
from lakeward.imaging.reasons import Quarantined, Reason

_HERE = str(Path(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class _Whole:
    """An object that was cleaned as a whole data set."""

    dicom: bytes
    _done: Deidentified

    @property
    def patient(self) -> str:
        return self._done.patient

    @property
    def uids(self) -> tuple[str, str, str]:
        study, series, instance = (str(self.image.get(f"{of}InstanceUID") or "") for of in ("Study", "Series", "SOP"))
        return study, series, instance

    @property
    def image(self) -> FileDataset:
        return cast(FileDataset, self._done.dataset)

    @property
    def changes(self) -> str:
        return changes_json(self._done.changes)

    @property
    def header(self) -> str:
        return header.as_json(self.image)

    @property
    def columns(self) -> dict[str, Any]:
        return header.columns(self.image)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What is stored of a file that could be cleaned.

    Attributes
    ----------
    dicom : bytes
        The de-identified DICOM file.
    enhanced : list of bytes
        One lossless TIFF image for each frame; empty for objects that are no pictures.
    columns : dict
        The typed columns of ``imaging.images`` that come from the object.
    crosswalk : list of dict
        Its rows of ``intake.crosswalk``, sealed.
    """

    dicom: bytes
    enhanced: list[bytes]
    columns: dict[str, Any]
    crosswalk: list[dict[str, Any]]


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


def hint_at(path: Path) -> None:
    """Have the system read a file into memory by and by, where it can."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe would wait for ever
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(file)


def deidentify(content: bytes, recipe: Recipe, accept: Set[Reason] = frozenset()) -> Clean:
    """De-identify one file.

    Parameters
    ----------
    content : bytes
        The original file.
    recipe : Recipe
        What to do to it.
    accept : set of Reason
        Reasons that a person has overruled for this file.

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
        clean = _deidentify(content, recipe, accept)
        image = clean.image
        enhanced, thumbnail = _pictures(image, recipe)
        with contained(Reason.UNREADABLE):
            columns = clean.columns
        columns |= {
            "patient_id": clean.patient,
            "transfer_syntax_uid": str(image.file_meta.TransferSyntaxUID),
            "size_bytes": len(clean.dicom),
            "content_sha256": hashlib.sha256(clean.dicom).hexdigest(),
            "changes": clean.changes,
            "header": clean.header,
            "thumbnail": thumbnail,
        }
        _check_texts(columns)
        return Cleaned(clean.dicom, enhanced, columns, crosswalk_rows(content, recipe, clean))


def _check_texts(columns: dict[str, Any]) -> None:
    """Refuse half characters (surrogates), which neither Parquet nor anybody else can store."""
    try:
        for value in columns.values():
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        raise Quarantined(Reason.UNREADABLE, "a text is not in its character set") from None


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


def _deidentify(content: bytes, recipe: Recipe, accept: Set[Reason]) -> Clean:
    try:
        clean = _either_way(content, recipe, accept)
    except Quarantined:
        refuse_withdrawn(content, recipe)
        raise
    refuse_withdrawn(content, recipe, clean)
    return clean


def _either_way(content: bytes, recipe: Recipe, accept: Set[Reason]) -> Clean:
    if not accept:
        with suppress(Unsure, Quarantined):
            return recipe.everyday(content)
    return deidentify_whole(content, recipe, accept)


def deidentify_whole(content: bytes, recipe: Recipe, accept: Set[Reason] = frozenset()) -> Clean:
    """De-identify a file as a whole data set; for `deidentify`, where the fast way isn't sure."""
    ds = read_object(content, recipe.limits)
    accepting = recipe.profile.accepting(*accept)
    gates.check(ds, accepting)
    masked = cleaning.clean(ds, accepting, recipe.limits)
    deidentifier = Deidentifier(accepting, recipe.pseudonyms) if accept else recipe.deidentifier
    cleaned = deidentifier(ds, masked)
    return _Whole(encode(ds), cleaned)


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
                thumbnail = thumbnail_png(shown)
    return enhanced, thumbnail
