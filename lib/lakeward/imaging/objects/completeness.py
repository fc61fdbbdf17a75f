"""Whether a data set that parses holds all that it announces: its pixels to the last byte, or its other substance."""

from math import prod
from struct import iter_unpack

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import generate_fragments
from pydicom.uid import UID, RLELossless

from lakeward.imaging.objects.structure import Fragments
from lakeward.imaging.reasons import Quarantined, Reason

PIXEL_KEYWORDS = {"PixelData": None, "FloatPixelData": 32, "DoubleFloatPixelData": 64}
"""Where pixels can be, and how many bits are allocated to each where the attribute itself says it (PS3.3 C.7.6.24)."""

EXTENDED_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_SOP_INSTANCE_UID = 0x00080018
_VIDEO = ("MPEG", "HEVC", "Fragmentable MPEG")

_SUBSTANCE = {
    "Image Storage": tuple(PIXEL_KEYWORDS),
    "Segmentation Storage": (*PIXEL_KEYWORDS, "SurfaceSequence"),
    "RT Dose Storage": (*PIXEL_KEYWORDS, "DVHSequence"),
    "Parametric Map Storage": tuple(PIXEL_KEYWORDS),
    "Waveform Storage": ("WaveformSequence",),
    "SR Storage": ("ContentSequence",),
    "Key Object Selection Document Storage": ("ContentSequence",),
    "RT Structure Set Storage": ("RTROIObservationsSequence",),
    "RT Plan Storage": ("ReferencedStructureSetSequence", "ApprovalStatus"),
    "Encapsulated PDF Storage": ("EncapsulatedDocument",),
    "Encapsulated CDA Storage": ("EncapsulatedDocument",),
}
"""By the end of the SOP Class's name: the late attributes of which a whole object has one."""


def check_complete(ds: FileDataset, fragments: Fragments | None) -> None:
    """Refuse a data set whose pixels or other substance are missing, short, or longer than described.

    A file cut between two elements is well formed; what gives it away is that its substance is missing. An object
    without pixels that is cut after its substance can't be told from a whole one.
    Zeros after the last pixel are dropped from `ds`; anything else there would be a hiding place.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        Straight from the reader.
    fragments : Fragments or None
        Of encapsulated pixel data.

    Raises
    ------
    Quarantined
        TRUNCATED or UNREADABLE.
    """
    keywords = [keyword for keyword in PIXEL_KEYWORDS if keyword in ds]
    if len(keywords) > 1:
        raise Quarantined(Reason.UNREADABLE, "more than one kind of pixel data")
    if not keywords:
        _check_substance(ds)
    elif ds.file_meta.TransferSyntaxUID.is_encapsulated and keywords == ["PixelData"]:
        _check_fragments(ds, fragments)
    else:
        _check_native(ds, keywords[0])


def _check_substance(ds: Dataset) -> None:
    if max(ds.keys(), default=0) < _SOP_INSTANCE_UID:
        raise Quarantined(Reason.TRUNCATED, "ends before the SOP Instance UID")
    if "Rows" in ds and "Columns" in ds and "BitsAllocated" in ds:
        raise Quarantined(Reason.TRUNCATED, "an image without pixel data")
    name = UID(str(ds.get("SOPClassUID", ""))).name
    for ending, keywords in _SUBSTANCE.items():
        if name.endswith(ending) and not any(keyword in ds for keyword in keywords):
            raise Quarantined(Reason.TRUNCATED, f"without {keywords[0]}")


def _check_native(ds: Dataset, keyword: str) -> None:
    element = ds[keyword]
    value = element.value
    if element.is_undefined_length or not isinstance(value, bytes):
        raise Quarantined(Reason.UNREADABLE, "pixel data that don't fit the transfer syntax")
    expected = native_length(ds, keyword)
    if len(value) < expected[0]:
        raise Quarantined(Reason.TRUNCATED, "fewer pixels than described")
    if len(value) in expected:
        return
    if value.count(0, expected[0]) != len(value) - expected[0]:
        raise Quarantined(Reason.UNREADABLE, "more pixel data than described")
    ds[keyword] = DataElement(element.tag, element.VR, value[: expected[-1]])


def native_length(ds: Dataset, keyword: str = "PixelData") -> tuple[int, ...]:
    """Return the lengths that native pixel data may have, in bytes: exact first, then padded to even (PS3.5 8.1.1).

    Uncompressed YBR_FULL_422 has two samples a pixel (PS3.3 C.7.6.3.1.2); some writers store all three.
    """
    samples = _whole(ds, "SamplesPerPixel", default=1)
    bits = PIXEL_KEYWORDS[keyword] or _whole(ds, "BitsAllocated")
    per_sample = prod((_whole(ds, "Rows"), _whole(ds, "Columns"), number_of_frames(ds), bits))
    exact = -(-per_sample * samples // 8)
    if samples == 3 and ds.get("PhotometricInterpretation") == "YBR_FULL_422":
        subsampled = -(-per_sample * 2 // 8)
        return subsampled, subsampled + subsampled % 2, exact
    return exact, exact + exact % 2


def number_of_frames(ds: Dataset) -> int:
    """Return Number of Frames; 1 where it is missing, empty or the 0 that some writers give to single frames."""
    return _whole(ds, "NumberOfFrames", default=1) or 1


def _whole(ds: Dataset, keyword: str, default: int | None = None) -> int:
    value = ds.get(keyword)
    if value in (None, "") and default is not None:
        return default
    if not isinstance(value, int) or value < 0:
        raise Quarantined(Reason.UNREADABLE, f"{keyword} is not a whole number")
    return int(value)


def _check_fragments(ds: FileDataset, fragments: Fragments | None) -> None:
    """Hold the fragments against Number of Frames, and the offset tables against the fragments (PS3.5 A.4).

    What no decoder would get to is a hiding place: a fragment too many, or one that a table passes over.
    """
    if fragments is None:
        raise Quarantined(Reason.UNREADABLE, "pixel data that don't fit the transfer syntax")
    if ds.file_meta.TransferSyntaxUID.name.startswith(_VIDEO):
        return  # one stream for all frames
    frames = number_of_frames(ds)
    if len(fragments.starts) < frames:
        raise Quarantined(Reason.TRUNCATED, "fewer fragments than frames")
    if len(fragments.starts) > frames and ds.file_meta.TransferSyntaxUID == RLELossless:  # PS3.5 A.4.2
        raise Quarantined(Reason.UNREADABLE, "more fragments than frames")
    if fragments.offset_table:
        table = fragments.offset_table
        offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
        ascending = sorted(set(offsets)) == offsets and offsets[0] == 0
        if len(offsets) != frames or not ascending or not set(offsets) <= set(fragments.starts):
            raise Quarantined(Reason.UNREADABLE, "an offset table that doesn't fit the fragments")
    if not _fits(ds, fragments):
        raise Quarantined(Reason.UNREADABLE, "an extended offset table that doesn't fit the fragments")


def _fits(ds: Dataset, fragments: Fragments) -> bool:
    """Whether an extended offset table (PS3.3 C.7.6.3.1.8), if there is one, names each fragment, padded or not."""
    tables = [ds.get(keyword) for keyword in EXTENDED_OFFSETS]
    if not any(tables):
        return True
    if not all(isinstance(table, bytes) and len(table) == 8 * len(fragments.starts) for table in tables):
        return False
    offsets, lengths = ([number for (number,) in iter_unpack("<Q", table)] for table in tables if table)
    whole = map(len, list(generate_fragments(ds.PixelData))[1:])  # the first is the basic offset table
    padded = zip(lengths, whole, strict=True)
    return tuple(offsets) == fragments.starts and all(length in (size, size - 1) for length, size in padded)
