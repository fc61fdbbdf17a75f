"""The fast way through an everyday image: its bytes are gone through once, and its pixels copied only where needed.

Everyday is a little-endian image, native or compressed, whose pixels stay as they are; one whose VRs are left out has
them put in first, and left out again at the end. For all other objects, and for all that are refused, the slow way of
`process` decides; both give the same data set.
"""

from bisect import bisect_left
from dataclasses import dataclass
from io import BytesIO
from operator import attrgetter
from struct import pack
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLELossless,
)

from lakeward.imaging.deidentification import codestreams, gates
from lakeward.imaging.deidentification.bytewise import ASKED, Bytewise, Context, Part, Unsure
from lakeward.imaging.deidentification.deidentifier import Deidentifier
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.memory import Memory
from lakeward.imaging.objects import header
from lakeward.imaging.objects.completeness import check_complete, native_length
from lakeward.imaging.objects.description import DESCRIBING
from lakeward.imaging.objects.elements import Element, locate
from lakeward.imaging.objects.implicit import as_explicit
from lakeward.imaging.objects.reading import Limits, read_elements
from lakeward.imaging.objects.structure import PIXEL_DATA, TRANSFER_SYNTAX, Fragments
from lakeward.imaging.objects.writing import file_start, value_of
from lakeward.imaging.pixels import cleaning

_UIDS = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)  # of class, object, study, series
_UID_CHARACTERS = frozenset("0123456789.")
_FACES = Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES
_META, _AFTER_META, _LOWEST = 0x00020000, 0x00030000, 0x00080000
_OVERLAYS, _AFTER_OVERLAYS, _OFFSETS = 0x60000000, 0x61000000, 0x7FE00001
_ASKED, _TELLING = DESCRIBING | ASKED, DESCRIBING | set(_UIDS)
_tag = attrgetter("tag")
_SEQUENCE_END = b"\xfe\xff\xdd\xe0\0\0\0\0"
_UNDEFINED = b"\xff\xff\xff\xff"
_COMPRESSED = frozenset({*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes, RLELossless})
_SYNTAXES = _COMPRESSED | {ExplicitVRLittleEndian, ImplicitVRLittleEndian}


class Everyday:
    """Take everyday images the fast way.

    Parameters
    ----------
    deidentifier : Deidentifier
        The engine.
    limits : Limits
        Bounds on one object.
    """

    def __init__(self, deidentifier: Deidentifier, limits: Limits) -> None:
        self._profile = deidentifier.profile
        self._rules = deidentifier.rules
        self._bytewise = Bytewise(deidentifier, limits)
        self._limits = limits
        self._kinds: Memory[FileDataset] = Memory(256)
        self._lengths: Memory[tuple[int, ...]] = Memory(256)

    def __call__(self, data: bytes) -> "Assembled":
        """De-identify an image.

        Raises
        ------
        Unsure
            If it is no everyday one.
        Quarantined
            If something is wrong with it; the slow way says what.
        """
        return self._cleaned(data, len(data))

    def beginning(self, data: bytes, size: int) -> "Assembled":
        """De-identify an image by the beginning of its file; what follows has to be native pixels alone.

        Parameters
        ----------
        data : bytes
            The beginning, or all of the file.
        size : int
            Bytes of the whole file.

        Returns
        -------
        Assembled
            What it is made of takes the place of the beginning; of the pixels, it has those that are in `data`.

        Raises
        ------
        Unsure, Quarantined
            As for a whole file; also if anything but the end of native pixels is missing from `data`.
        """
        return self._cleaned(data, size)

    def _cleaned(self, data: bytes, size: int) -> "Assembled":
        if size > self._limits.max_bytes:
            raise Unsure
        made, missing = as_explicit(data, self._limits.max_depth, size), size - len(data)
        data = made or data
        located = locate(data, self._limits.max_depth, self._limits.max_elements, len(data) + missing)
        if located is None or missing < 0:
            raise Unsure
        syntax, elements, pixels = self._split(data, located.found)
        if (syntax == ImplicitVRLittleEndian) != (made is not None) or (missing and pixels != located.found[-1]):
            raise Unsure
        asked = [element for element in elements if element[0] in _ASKED]
        context = self._bytewise.context(data, asked)
        described = b"".join([data[start:end] for tag, _, start, _, end in asked if tag in DESCRIBING])
        self._check(context.charset, described, syntax, data[pixels[2] : pixels[3]], pixels, located.fragments)
        parts = self._bytewise.parts(data, elements, context)
        if sum([part.count for part in parts]) > self._limits.max_elements:
            raise Unsure
        telling = [part for part in parts if part.tag in _TELLING]
        described = b"".join([part.encoded for part in telling if part.tag in DESCRIBING])
        image = self._kind(context.charset, described, syntax)
        uids = {part.tag: _uid(value_of(part.encoded)) for part in telling if part.tag in _UIDS}
        return _assembled(data, parts, pixels, image, context, uids)

    def _split(self, data: bytes, found: list[Element]) -> tuple[str, list[Element], Element]:
        """Return the transfer syntax, the elements of the data set but the pixel data, and these."""
        first, overlays, at = (bisect_left(found, (tag,)) for tag in (_AFTER_META, _OVERLAYS, PIXEL_DATA))
        syntax = next((_uid(data[value:end]) for tag, _, _, value, end in found[:first] if tag == TRANSFER_SYNTAX), "")
        if syntax not in _SYNTAXES or found[0][0] < _META or at == len(found) or found[at][0] != PIXEL_DATA:
            raise Unsure
        if found[first][0] < _LOWEST or found[overlays][0] < _AFTER_OVERLAYS or found[at - 1][0] >= _OFFSETS:
            raise Unsure
        plan = self._rules.plan(PIXEL_DATA, found[at][1])
        if plan.by_value or plan.decision.action != "K" or not plan.trusted:
            raise Unsure
        return syntax, found[first:at] + found[at + 1 :], found[at]

    def _check(
        self,
        charset: bytes,
        described: bytes,
        syntax: str,
        pixels_header: bytes,
        pixels: Element,
        fragments: Fragments | None,
    ) -> None:
        """Leave to the slow way what a gate stops, what is to be searched for text, and what is not whole."""
        key = (charset, described, syntax)
        ds = self._kind(*key)
        lengths = self._lengths.get(key)
        if lengths is None:
            gates.check(ds, self._profile)
            asks_more = self._profile.transfer_syntax != "keep" or self._profile.has(_FACES)  # than these elements tell
            if asks_more or cleaning.is_due(ds, self._profile):
                raise Unsure
            lengths = self._lengths.put(key, () if syntax in _COMPRESSED else native_length(ds))
        if syntax in _COMPRESSED:
            check_complete(ds, fragments)
        elif pixels_header.endswith(_UNDEFINED) or pixels[4] - pixels[3] not in lengths:
            raise Unsure

    def _kind(self, charset: bytes, described: bytes, syntax: str) -> FileDataset:
        """Return a data set with the description of an object, and empty pixel data."""
        key = (charset, described, syntax)
        return self._kinds.get(key) or self._kinds.put(key, self._new_kind(charset, described, syntax))

    def _new_kind(self, charset: bytes, described: bytes, syntax: str) -> FileDataset:
        content, _ = read_elements(charset + described, self._limits)
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = UID(syntax)
        ds = FileDataset(BytesIO(), content, file_meta=meta, is_implicit_VR=False, is_little_endian=True)
        ds.set_original_encoding(False, True, content.original_character_set)
        ds.SOPInstanceUID = "0"  # only whether there is one matters to gates, and that was made sure of
        _set_pixels(ds, "OW", b"")
        return ds


@dataclass(slots=True)
class Assembled:
    """An everyday image after de-identification; its public parts are those of `recipe.Clean`, and what it is made of.

    Attributes
    ----------
    pieces : list of bytes or memoryview
        The new file; pixels that stay as they are lie where they were read.
    """

    pieces: list[bytes | memoryview]
    patient: str
    uids: tuple[str, str, str]
    _parts: list[Part]
    _charset: bytes
    _image: FileDataset
    _vr: str
    _pixels: bytes | memoryview
    _dicom: bytes | None = None

    @property
    def dicom(self) -> bytes:
        """The new file in one piece."""
        if self._dicom is None:
            self._dicom = b"".join(self.pieces)
        return self._dicom

    @property
    def image(self) -> FileDataset:
        """What describes the pixels, and the pixels; good until the next image is asked for."""
        _set_pixels(self._image, self._vr, bytes(self._pixels))
        return self._image

    @property
    def changes(self) -> str:
        """JSON of what was changed, as `deidentifier.changes_json` gives it."""
        return "{" + ",".join([part.changes for part in self._parts if part.changes]) + "}"

    @property
    def header(self) -> str:
        """The header as DICOM JSON."""
        return "{" + ",".join([part.json(self._charset) for part in self._parts if part.encoded]) + "}"

    @property
    def columns(self) -> dict[str, Any]:
        """The typed columns of ``imaging.images`` that come from the header."""
        row = header.EMPTY_ROW.copy()
        for part in self._parts:
            if part.encoded and part.tag in header.COLUMN_TAGS:
                row |= part.columns(self._charset)
        return header.completed(row, self._image)


def _assembled(
    data: bytes, parts: list[Part], pixels: Element, image: FileDataset, context: Context, uids: dict[int, str]
) -> Assembled:
    sop_class, instance, study, series = (uids.get(tag, "") for tag in _UIDS)
    if not sop_class or not instance or not set("".join(uids.values())) <= _UID_CHARACTERS:
        raise Unsure
    _, vr, start, value, end = pixels
    syntax = image.file_meta.TransferSyntaxUID
    front, back = data[start:value], b""
    stored: bytes | memoryview = memoryview(data)[value:end]
    if syntax.is_encapsulated:
        _set_pixels(image, vr, data[value : end - len(_SEQUENCE_END)])
        codestreams.clear_text(image)
        stored, back = image.PixelData, _SEQUENCE_END
    implicit = syntax == ImplicitVRLittleEndian
    if implicit:
        front = front[:4] + pack("<L", end - value)
    encoded = [part.implicit for part in parts] if implicit else [part.encoded for part in parts]
    at = bisect_left(parts, PIXEL_DATA, key=_tag)
    head = b"".join([file_start(sop_class, instance, syntax), *encoded[:at], front])
    pieces = [head, stored, b"".join([back, *encoded[at:]])]
    return Assembled(pieces, context.patient, (study, series, instance), parts, context.charset, image, vr, stored)


def _set_pixels(ds: FileDataset, vr: str, value: bytes) -> None:
    element = DataElement(PIXEL_DATA, vr, value, already_converted=True)
    element.is_undefined_length = ds.file_meta.TransferSyntaxUID.is_encapsulated
    ds[PIXEL_DATA] = element


def _uid(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")
