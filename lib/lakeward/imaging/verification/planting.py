"""Objects that hold a marker in every attribute, VR and depth, and in every other place where text can hide."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from struct import pack

from pydicom import config, dcmread, dcmwrite, uid
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from lakeward.imaging.deidentification.deidentifier import show
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.verification.markers import Marker, Supply, allowed

ATTRIBUTES = "attribute in its VR"
_NOT_PLANTED = frozenset(
    {
        *(0x00080016, 0x00080018),  # say what it is
        0x00041220,  # makes it a directory
        0x00420011,  # makes it a document
        *(0x00280010, 0x00280011),  # make it an image
        0x00080005,  # says how texts are to be read
    }
)
_IMAGE_GROUP, _PIXEL_GROUP, _ITEMS = 0x0028, 0x7FE0, 0xFFFE
_NUMBER_OF_FRAMES = 0x00280008


@dataclass(slots=True)
class Planted:
    """An object and what is hidden in it.

    Attributes
    ----------
    name : str
        Of the object, for the report.
    content : bytes
        The file.
    markers : list of Marker
        All that is hidden in it.
    """

    name: str
    content: bytes
    markers: list[Marker]


@dataclass(slots=True)
class Plot:
    """An object that is being planted."""

    profile: Profile
    supply: Supply
    place: str
    ds: Dataset = field(default_factory=lambda: new_object())
    markers: list[Marker] = field(default_factory=list)

    def word(self, path: str, place: str = "") -> str:
        """A marker that must go."""
        return self.note(self.supply.word(), path, place)

    def keeps(self, keyword: str) -> str:
        """Why the profile lets an attribute's text stay; empty if it does not."""
        tag = int(Tag(keyword))
        return allowed(self.profile, tag, dictionary_VR(tag), keyword)

    def note(self, text: str, path: str, place: str = "", why: str = "") -> str:
        """Write down a marker."""
        self.markers.append(Marker(text, place or self.place, path, why))
        return text

    def attribute(self, tag: int, declared: str | None = None, path: str = "") -> tuple[str, bytes] | None:
        """A VR and value for an attribute, with a marker, in its own VR or in another one; None where none fits."""
        listed = str(DicomDictionary[tag][0]).split(" or ")[-1]
        vr = declared or listed
        made = self.supply.value(vr)
        if made is None:
            return None
        why = "" if declared == "PN" else allowed(self.profile, tag, listed, DicomDictionary[tag][4])
        self.note(made[0], path + show(tag), why=why)
        return vr, made[1]

    def finish(self, name: str, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> Planted:
        """Write the object."""
        return Planted(name, encoded(self.ds, syntax), self.markers)


def new_object(sop_class: str = uid.RawDataStorage) -> Dataset:
    """An object of an invented patient."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, "1.2.826.0.9.1.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.9.1.2", "1.2.826.0.9.1.3"
    ds.PatientName, ds.PatientID = "Invented^Person", "INVENTED-1"
    return ds


def an_image() -> Dataset:
    """A CT image."""
    ds = new_object(uid.CTImageStorage)
    ds.Modality, ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = "CT", 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 32, 16, 16, 15
    ds.BurnedInAnnotation = "NO"
    ds.PixelData = bytes((7 * i * i) % 251 for i in range(32 * 32 * 2))
    return ds


def encoded(ds: Dataset, syntax: uid.UID = uid.ExplicitVRLittleEndian) -> bytes:
    """A file of a data set, whatever is wrong with its values."""
    ds.file_meta = getattr(ds, "file_meta", None) or FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    buffer = BytesIO()
    with config.disable_value_validation():
        dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def attributes() -> Iterator[int]:
    """Tags of PS3.6 in which something can be planted."""
    for tag in DicomDictionary:
        if tag >= 0x00080000 and tag & 0xFFFF and tag not in _NOT_PLANTED and tag >> 16 not in (_PIXEL_GROUP, _ITEMS):
            yield tag


def every_attribute(
    profile: Profile,
    supply: Supply,
    vr: str | None = None,
    syntax: uid.UID = uid.ExplicitVRLittleEndian,
    ds: Dataset | None = None,
) -> Planted:
    """An object with a marker in each attribute of PS3.6, in its own VR or all in another one.

    It is an image unless `ds` is something else: in images what describes the pixels stays as it must.
    """
    plot = Plot(profile, supply, f"attribute declared as {vr}" if vr else ATTRIBUTES, ds=ds or an_image())
    elements = {}
    for tag in attributes():
        fixed = tag in plot.ds or vr or tag == _NUMBER_OF_FRAMES
        if tag >> 16 == _IMAGE_GROUP and "PixelData" in plot.ds and fixed:
            continue
        if DicomDictionary[tag][0] != "SQ" and (made := plot.attribute(tag, vr)):
            elements[tag] = made
    return with_elements(plot, elements, f"every attribute as {vr or syntax.name}", syntax)


def with_elements(
    plot: Plot, elements: dict[int, tuple[str, bytes]], name: str, syntax: uid.UID = uid.ExplicitVRLittleEndian
) -> Planted:
    """Write the object with elements that are given as VR and bytes; pydicom would write none that is not of its VR."""
    base = dcmread(BytesIO(encoded(plot.ds, syntax)))
    for tag in base.keys() - elements.keys():
        raw = base.get_item(tag)
        elements[int(tag)] = str(raw.VR or "UI"), raw.value or b""
    body = b"".join(_element(tag, *elements[tag], syntax) for tag in sorted(elements))
    return Planted(f"{uid.UID(plot.ds.SOPClassUID).name}, {name}", _head(syntax) + body, plot.markers)


def _element(tag: int, vr: str, value: bytes, syntax: uid.UID) -> bytes:
    """An element byte by byte (PS3.5 7.1)."""
    order = "<" if syntax.is_little_endian else ">"
    if syntax.is_implicit_VR:
        return pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value
    if VR(vr) in EXPLICIT_VR_LENGTH_32:
        return pack(order + "HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)) + value
    return pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def _head(syntax: uid.UID) -> bytes:
    whole = encoded(new_object(), syntax)
    return whole[: 144 + int.from_bytes(whole[140:144], "little")]


def every_sequence(profile: Profile, supply: Supply, ds: Dataset | None = None) -> Planted:
    """An object in which each sequence of PS3.6 has an item with identifiers, private elements and a sequence."""
    plot = Plot(profile, supply, "nested in a sequence", ds=ds or an_image())
    for tag in attributes():
        if DicomDictionary[tag][0] == "SQ":
            plot.ds[tag] = DataElement(tag, "SQ", Sequence([_item(plot, show(tag) + ".", depth=1)]))
    return plot.finish(f"{uid.UID(plot.ds.SOPClassUID).name}, every sequence")


def _item(plot: Plot, path: str, depth: int) -> Dataset:
    item = Dataset()
    for tag in (0x00081070, 0x00100020, 0x0020000D) if depth else (0x00200010,):
        if made := plot.attribute(tag, path=path):
            item[tag] = DataElement(tag, made[0], made[1].decode().strip())
    if depth:
        block = item.private_block(0x0011, "VENDOR", create=True)
        block.add_new(1, "UN", plot.word(path + "private UN", "private element").encode())
        item.ReferencedStudySequence = Sequence([_item(plot, path + "(0008,1110).", depth - 1)])
    return item
