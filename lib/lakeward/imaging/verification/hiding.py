"""Places other than attributes where text hides: around the data set, in private blocks, pixels, reports, packages."""

import base64
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from struct import pack
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.samples import sample_folder
from lakeward.imaging.verification.markers import Supply
from lakeward.imaging.verification.planting import Planted, Plot, an_image, new_object, with_elements

_CHARACTERS = {
    "ISO_IR 100": "äöüßéèçñøåÄÖÜ",
    "ISO_IR 144": "абвгдежзиклмн",
    "ISO_IR 126": "αβγδεζηθικλμν",
    "ISO 2022 IR 87": "山田太郎川口本木村中林森",
    "ISO 2022 IR 149": "김희중이박최정강조윤장임",
    "GB18030": "王小东李明张伟刘洋陈杰杨",
    "ISO_IR 192": "žłőşđħαд山김ßñ",
}
_FORMED = (
    "Modality", "SliceThickness", "InstanceNumber", "PatientAge", "StudyDate", "AcquisitionDateTime", "AcquisitionTime",
    "StudyInstanceUID", "ReferencedSOPClassUID", "TimezoneOffsetFromUTC",
)  # fmt: skip
_DESCRIBED = ("PatientName", "OperatorsName", "InstitutionName", "ImageComments", "RequestedProcedureDescription")


def around_the_data_set(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Preamble and file meta information, plain and deflated."""
    for syntax in (uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian):
        plot = Plot(profile, supply, "preamble and file meta information", ds=an_image())
        ds = plot.ds
        ds.preamble = (plot.word("preamble") + "\0" * 120).encode()
        ds.file_meta = meta = FileMetaDataset()
        meta.SourceApplicationEntityTitle = plot.word("(0002,0016)")
        meta.SendingApplicationEntityTitle = plot.word("(0002,0017)")
        meta.ReceivingApplicationEntityTitle = plot.word("(0002,0018)")
        meta.ImplementationVersionName = plot.word("(0002,0013)")
        meta.PrivateInformationCreatorUID = uid.UID("1.2.826.0.9.7")
        meta.PrivateInformation = plot.word("(0002,0102)").encode()
        _private(plot)
        yield plot.finish(f"around the data set, {syntax.name}", syntax)


def _private(plot: Plot) -> None:
    for group, creator in ((0x0009, plot.word("private creator", "private element")), (0x0019, "GEMS_ACQU_01")):
        block = plot.ds.private_block(group, creator, create=True)
        for offset, vr in enumerate(("LO", "UN", "OB", "PN", "UT"), 0xF0):
            word = plot.word(f"({group:04X},xx{offset:02X})", "private element")
            block.add_new(offset, vr, word.encode() if vr in ("UN", "OB") else word)
        inner = Dataset()
        inner.PatientName = plot.word(f"({group:04X},xxFF).(0010,0010)", "private element")
        block.add_new(0xFF, "SQ", [inner])
    block.add_new(0x9E, "LO", plot.word("(0019,xx9E), safe but for its text", "private element"))
    plot.ds.add_new(0x00131234, "LO", plot.word("(0013,1234), of no block", "private element"))


def beside_the_image(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Overlays with their labels, curves, icons, original attributes, signatures and padding, around an image."""
    plot = Plot(profile, supply, "beside the image", ds=an_image())
    ds = plot.ds
    for group in (0x6000, 0x601E):
        ds.add_new((group, 0x0022), "LO", plot.word(f"({group:04X},0022)", "overlay"))
        ds.add_new((group, 0x1500), "LO", plot.word(f"({group:04X},1500)", "overlay"))
        ds.add_new((group, 0x4000), "LT", plot.word(f"({group:04X},4000)", "overlay"))
        ds.add_new((group, 0x3000), "OW", plot.word(f"({group:04X},3000)", "overlay").encode() * 16)
    ds.add_new(0x50002500, "LO", plot.word("(5000,2500)", "curve or sound"))
    ds.add_new(0x50003000, "OW", plot.word("(5000,3000)", "curve or sound").encode())
    ds.add_new(0x5000200C, "OW", plot.word("(5000,200C)", "curve or sound").encode())
    ds.add_new(0x50002600, "SQ", [_with(PatientName=plot.word("(5000,2600)", "curve or sound"))])
    ds.add_new(0x7F000010, "OW", plot.word("(7F00,0010)", "variable pixels").encode())
    ds.IconImageSequence = Sequence(
        [_with(BitsAllocated=8, PixelData=plot.word("(0088,0200).(7FE0,0010)", "icon").encode())]
    )
    old = _with(PatientName=plot.word("(0400,0561).(0400,0550).(0010,0010)", "original attributes"))
    ds.OriginalAttributesSequence = Sequence(
        [
            _with(
                ModifiedAttributesSequence=Sequence([old]),
                ModifyingSystem=plot.word("(0400,0563)", "original attributes"),
            )
        ]
    )
    ds.EncryptedAttributesSequence = Sequence([_with(EncryptedContent=plot.word("(0400,0520)", "signature").encode())])
    ds.DigitalSignaturesSequence = Sequence([_with(Signature=plot.word("(0400,0120)", "signature").encode())])
    pixels = plot.word("(0008,9215).(7FE0,0010)", "pixels of another image").encode()
    ds.DerivationImageSequence = Sequence([_with(BitsAllocated=8, PixelData=pixels)])
    ds.DataSetTrailingPadding = plot.word("(FFFC,FFFC)", "trailing padding").encode()
    ds.add_new(0x00083333, "LO", plot.word("(0008,3333), in no dictionary", "unknown attribute"))
    yield plot.finish("beside the image")


def behind_the_image(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """What follows the last pixel or the data set, and overlay planes in bits of pixels that hold none."""
    plot = Plot(profile, supply, "trailing bytes", ds=an_image())
    plot.ds.PixelData += plot.word("behind the last pixel").encode()
    yield plot.finish("behind the last pixel")
    plot = Plot(profile, supply, "trailing bytes", ds=an_image())
    done = plot.finish("behind the data set")
    done.content += b"\0" * 64 + plot.word("behind the data set").encode()
    yield done
    plot = Plot(profile, supply, "overlay in unused bits", ds=an_image())
    # Of each pixel the image has the lower byte, the overlay the upper one: there stands the word, as UTF-16 would.
    word = plot.word("bits 8 to 15 of (7FE0,0010)")
    pixels = np.frombuffer(plot.ds.PixelData, "<u2") & 0xFF
    pixels[: len(word)] = [ord(letter) << 8 for letter in word]
    plot.ds.PixelData, plot.ds.BitsStored, plot.ds.HighBit = pixels.tobytes(), 8, 7
    plot.ds.add_new(0x60000100, "US", 16)
    plot.ds.add_new(0x60000102, "US", 8)
    yield plot.finish("overlay in unused bits")


def inside_codestreams(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Comments in compressed pixel data, and what no run of RLE needs.

    JPEG (ISO/IEC 10918-1 B.2.4.5), JPEG-LS, JPEG 2000 (ISO/IEC 15444-1 A.9.2), RLE (PS3.5 G.5).
    """
    for name, at, marker in (
        ("JPEG-lossy.dcm", 2, b"\xff\xfe"),
        ("MR_small_jpeg_ls_lossless.dcm", 2, b"\xff\xfe"),
        ("693_J2KI.dcm", None, b"\xff\x64"),
    ):
        plot = Plot(profile, supply, "comment in a codestream", ds=pydicom.dcmread(sample_folder() / name))
        text = (b"\0\1" if at is None else b"") + plot.word(f"(7FE0,0010), {name}").encode()
        segment = marker + pack(">H", len(text) + 2) + text
        plot.ds.BurnedInAnnotation = "NO"
        stream = next(generate_frames(plot.ds.PixelData, number_of_frames=1))
        at = stream.index(b"\xff\x52") if at is None else at  # before COD, in the main header
        plot.ds.PixelData = encapsulate([stream[:at] + segment + stream[at:]])
        yield plot.finish(f"comment in {name}", plot.ds.file_meta.TransferSyntaxUID)
    plot = Plot(profile, supply, "around the runs of RLE", ds=pydicom.dcmread(sample_folder() / "MR_small_RLE.dcm"))
    stream = next(generate_frames(plot.ds.PixelData, number_of_frames=1))
    offsets = stream[:12] + plot.word("(7FE0,0010), offsets of RLE").encode().ljust(52, b"\0")
    plot.ds.PixelData = encapsulate([offsets + stream[64:] + plot.word("(7FE0,0010), behind RLE").encode()])
    yield plot.finish("around the runs of RLE", uid.RLELossless)


def a_report(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """A structured report: texts, names, codes, identifiers and dates in its content tree."""
    plot = Plot(profile, supply, "report content", ds=new_object(uid.ComprehensiveSRStorage))
    word = plot.word
    keeps_uids = "retain_uids" if profile.has(Option.RETAIN_UIDS) else ""
    reference = plot.note("1.2.826.0.9.4100000001", "UIDREF", why=keeps_uids)
    site = _code(word("code value"), "99" + word("coding scheme"), word("code meaning"))
    leaves = [
        _content("TEXT", TextValue=f"Nodule in left lung, says Dr. {word('TEXT')}"),
        _content("PNAME", PersonName=f"{word('PNAME')}^Jane"),
        _content("CODE", ConceptCodeSequence=Sequence([site])),
        _content("UIDREF", UID=reference),
        _content("TEXT", _code("113107", "DCM", word("concept name")), TextValue="Chest"),
        _content("DATE", _code("121031", "DCM", "Subject Birth Date"), Date=plot.note("18580312", "birth date")),
    ]
    plot.ds.ContentSequence = Sequence([_content("CONTAINER", ContentSequence=Sequence(leaves)), *leaves[:1]])
    plot.ds.VerifyingObserverSequence = Sequence([_with(VerifyingObserverName=word("(0040,A075)"))])
    plot.ds.PredecessorDocumentsSequence = Sequence([_with(StudyInstanceUID=reference)])
    yield plot.finish("report")


def in_characters(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Names and descriptions in the character sets of PS3.3 C.12.1.1.2, and UTF-16 in binary and private elements."""
    for number, (charset, letters) in enumerate(_CHARACTERS.items()):
        plot = Plot(profile, supply, f"text in {charset}", ds=an_image())
        ds = plot.ds
        ds.SpecificCharacterSet = ["", charset] if charset.startswith("ISO 2022") else charset
        texts = ["".join(letters[(start + step) % len(letters)] for step in range(6)) for start in range(5)]
        for keyword, text in zip(_DESCRIBED, texts, strict=True):
            setattr(ds, keyword, plot.note(text, keyword, why=plot.keeps(keyword)))
        ds.private_block(0x0009, "VENDOR", create=True).add_new(1, "LO", plot.note(texts[0][::-1], "private element"))
        wide = plot.word(f"UTF-16 {number}")
        ds.private_block(0x0011, "VENDOR", create=True).add_new(1, "OB", wide.encode("utf-16-le"))
        yield plot.finish(f"texts in {charset}")


def names_elsewhere(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """The patient's name and number in attributes that Table E.1-1 does not list, which so may stay."""
    plot = Plot(profile, supply, "name in an unlisted attribute", ds=an_image())
    name = plot.note(supply.word(), "name in (0008,0070)", why=plot.keeps("PatientName"))
    number = plot.note(supply.word(), "number in (0008,1090)", why=plot.keeps("PatientID"))
    plot.ds.PatientName, plot.ds.PatientID = f"{name}^Jane", number
    plot.ds.Manufacturer, plot.ds.ManufacturerModelName = f"Made for {name}", f"Model {number}"
    yield plot.finish("names elsewhere")


def wrong_forms(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Texts in attributes that stay only as numbers, codes, dates, ages and UIDs (PS3.5 6.2)."""
    plot = Plot(profile, supply, "text in a value of another form", ds=an_image())
    elements = {}
    for keyword in _FORMED:
        text = f"1.5 {plot.word(keyword)}, he knows"
        elements[int(Tag(keyword))] = dictionary_VR(keyword), text.encode() + b" " * (len(text) % 2)
    yield with_elements(plot, elements, "texts in values of another form")


def packed(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """Texts in ZIP, deflate, gzip, base64 and hexadecimal, in private elements, overlays and comments."""
    plot = Plot(profile, supply, "packed text")
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("report.txt", _sentence(plot.word("ZIP")))
    block = plot.ds.private_block(0x0009, "VENDOR", create=True)
    block.add_new(1, "OB", archive.getvalue())
    block.add_new(2, "UN", zlib.compress(_sentence(plot.word("deflate"))))
    block.add_new(3, "OB", gzip.compress(_sentence(plot.word("gzip"))))
    commented = plot.note(supply.word(), "base64", why=plot.keeps("ImageComments"))
    plot.ds.ImageComments = base64.b64encode(_sentence(commented)).decode()
    commented = plot.note(supply.word(), "hexadecimal", why=plot.keeps("PatientComments"))
    plot.ds.PatientComments = _sentence(commented).hex()
    plot.ds.add_new(0x60003000, "OB", zlib.compress(_sentence(plot.word("deflate, overlay"))))
    yield plot.finish("packed text")


def _sentence(word: str) -> bytes:
    return f"This is a report on {word}. ".encode() * 4


def documents(profile: Profile, supply: Supply) -> Iterator[Planted]:
    """An encapsulated PDF with a plain and a compressed stream, and recorded speech."""
    plot = Plot(profile, supply, "document or speech", ds=new_object(uid.EncapsulatedPDFStorage))
    stream = zlib.compress(_sentence(plot.word("compressed stream of a PDF")))
    plain = plot.word("title of a PDF").encode()
    plot.ds.EncapsulatedDocument = b"%PDF-1.7\n1 0 obj<</Title(" + plain + b")>>stream\n" + stream + b"\nendstream"
    plot.ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    plot.ds.DocumentTitle = plot.word("(0042,0010)")
    yield plot.finish("encapsulated PDF")
    plot = Plot(profile, supply, "document or speech", ds=new_object(uid.BasicVoiceAudioWaveformStorage))
    samples = _with(WaveformBitsAllocated=8, NumberOfWaveformSamples=8, NumberOfWaveformChannels=1)
    samples.add_new(0x54001010, "OB", plot.word("(5400,0100).(5400,1010)").encode())
    plot.ds.WaveformSequence = Sequence([samples])
    yield plot.finish("recorded speech")


def _content(kind: str, concept: Dataset | None = None, **value: Any) -> Dataset:
    names = Sequence([concept or _code("121071", "DCM", "Finding")])
    return _with(RelationshipType="CONTAINS", ValueType=kind, ConceptNameCodeSequence=names, **value)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _with(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _with(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


PLACES: tuple[Callable[[Profile, Supply], Iterator[Planted]], ...] = (
    around_the_data_set,
    beside_the_image,
    behind_the_image,
    inside_codestreams,
    a_report,
    in_characters,
    names_elsewhere,
    wrong_forms,
    packed,
    documents,
)
