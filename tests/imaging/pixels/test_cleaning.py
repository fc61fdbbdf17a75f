"""The option Clean Pixel Data, from file to file: what is searched, masked, and said about it."""

import json
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

from lakeward.imaging.deidentification.profile import Profile, load_profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.encoding import TransferSyntax, compress
from lakeward.imaging.pixels.regions import RegionRule
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.samples import sample_folder

CLEAN = Profile(name="clean", options=(Option.CLEAN_PIXEL_DATA,))
ROWS, COLUMNS = 200, 320
NAME = np.s_[8:30, 8:200]
CODE = Option.CLEAN_PIXEL_DATA.code


def a_frame(text: str = "") -> np.ndarray:
    image = Image.new("L", (COLUMNS, ROWS), 30)
    ImageDraw.Draw(image).text((10, 10), text, 255, ImageFont.load_default(18))
    return np.asarray(image)


def a_file(*stack: np.ndarray, sop_class: str = uid.UltrasoundMultiFrameImageStorage, **attributes: object) -> bytes:
    ds = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.PatientID, ds.Rows, ds.Columns, ds.NumberOfFrames = "1", ROWS, COLUMNS, len(stack)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth = 128, 256
    ds.add_new("PixelData", "OB", np.stack(stack).tobytes())
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(buffer := BytesIO(), enforce_file_format=True)
    return buffer.getvalue()


def cleaned(content: bytes, profile: Profile = CLEAN, accept: frozenset[Reason] = frozenset()) -> FileDataset:
    return dcmread(BytesIO(deidentify(content, Recipe(profile, b"k" * 32), accept).dicom))


def codes(ds: Dataset) -> list[str]:
    return [item.CodeValue for item in ds.DeidentificationMethodCodeSequence]


def pixels(ds: FileDataset) -> np.ndarray:
    return np.stack(list(frames(ds)))


def test_text_is_gone_from_every_frame_and_nothing_else() -> None:
    moving = [np.roll(a_frame("MUSTERMANN"), 0) for _ in range(3)]
    moving = [frame + np.uint8(index) * (np.arange(ROWS)[:, None] > 100) for index, frame in enumerate(moving)]
    after = pixels(cleaned(a_file(*moving)))
    assert np.all(after[:, 10:28, 10:120] == 30)
    assert np.array_equal(after[:, 60:], np.stack(moving)[:, 60:])


def test_says_what_was_done() -> None:
    result = deidentify(a_file(a_frame("MUSTERMANN")), Recipe(CLEAN, b"k" * 32))
    ds = dcmread(BytesIO(result.dicom))
    assert CODE in codes(ds)
    assert ds.BurnedInAnnotation == "NO"
    assert json.loads(result.changes)["(7FE0,0010)"] == ["C", "clean_pixel_data (1 areas)"]


@pytest.mark.parametrize("name", ["SC_rgb_rle_2frame.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_small_odd.dcm"])
def test_images_without_text_keep_their_pixel_bytes(name: str) -> None:
    ds = cleaned((sample_folder() / name).read_bytes())
    original = read_object(sample_folder() / name)
    assert ds.PixelData == original.PixelData
    assert ds.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    assert CODE in codes(ds)  # it was searched
    assert ds.BurnedInAnnotation == "NO"


def test_what_is_masked_keeps_its_kind_of_compression() -> None:
    ds = read_object(a_file(a_frame("MUSTERMANN"), a_frame("MUSTERMANN")))
    compress(ds, uid.JPEG2000Lossless)
    after = cleaned(encode(ds))
    assert after.file_meta.TransferSyntaxUID == uid.JPEG2000Lossless
    assert pixels(after)[:, 10:28, 10:120].max() == 30


@pytest.mark.parametrize(("asked", "stored_in"), [("keep", uid.JPEG2000Lossless), ("htj2k", uid.HTJ2KLossless)])
@pytest.mark.parametrize("text", ["MUSTERMANN", ""])
def test_an_extended_offset_table_stays_where_it_fits_and_goes_where_it_would_not(
    asked: TransferSyntax, stored_in: uid.UID, text: str
) -> None:
    ds = read_object(a_file(a_frame(text), a_frame(text)))
    compress(ds, uid.JPEG2000Lossless)
    streams = list(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    after = cleaned(encode(ds), CLEAN.model_copy(update={"transfer_syntax": asked}))
    assert after.file_meta.TransferSyntaxUID == stored_in
    assert ("ExtendedOffsetTable" in after) == (asked == "keep" and not text)
    assert pixels(after).shape == (2, ROWS, COLUMNS)
    assert pixels(after).max() == 30


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless])
@pytest.mark.parametrize("count", [1, 2])
def test_an_image_that_no_decoder_gets_to_is_not_let_through(syntax: uid.UID, count: int) -> None:
    ds = read_object(a_file(*[a_frame()] * count, a_frame("MUSTERMANN")))
    compress(ds, syntax)
    streams = list(generate_frames(ds.PixelData, number_of_frames=count + 1))
    ds.NumberOfFrames, ds.PixelData = count, encapsulate(streams, has_bot=False)
    with pytest.raises(Quarantined) as error:
        cleaned(encode(ds))
    assert error.value.reason == Reason.UNREADABLE


@pytest.mark.parametrize("passes_over", [0, 1])
@pytest.mark.parametrize("sop_class", [uid.UltrasoundMultiFrameImageStorage, uid.CTImageStorage])
def test_an_extended_offset_table_passes_over_no_image(passes_over: int, sop_class: uid.UID) -> None:
    ds = read_object(a_file(a_frame(), a_frame("MUSTERMANN"), sop_class=sop_class))
    compress(ds, uid.JPEGLSLossless)
    streams = list(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData, *tables = encapsulate_extended(streams)
    tables[passes_over] = tables[passes_over][:8] * 2  # that of the first frame for both
    ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = tables
    with pytest.raises(Quarantined) as error:
        cleaned(encode(ds))
    assert error.value.reason == Reason.UNREADABLE


def test_a_profile_may_ask_for_another_syntax_whether_an_image_is_searched_or_not() -> None:
    asking = CLEAN.model_copy(update={"transfer_syntax": "htj2k"})
    for sop_class in (uid.CTImageStorage, uid.UltrasoundImageStorage):
        ds = cleaned(a_file(a_frame(), sop_class=sop_class), asking)
        assert ds.file_meta.TransferSyntaxUID == uid.HTJ2KLossless
        assert np.array_equal(pixels(ds)[0], a_frame())


@pytest.mark.parametrize(
    ("sop_class", "says", "searched"),
    [
        (uid.UltrasoundImageStorage, None, True),
        (uid.UltrasoundImageStorage, "NO", False),
        (uid.CTImageStorage, None, False),
        (uid.CTImageStorage, "YES", True),
    ],
)
def test_searches_where_text_is_feared(sop_class: str, says: str | None, searched: bool) -> None:
    attributes = {"BurnedInAnnotation": says} if says else {}
    ds = cleaned(a_file(a_frame("MUSTERMANN"), sop_class=sop_class, **attributes))
    assert (CODE in codes(ds)) == searched
    assert (pixels(ds)[0][NAME].max() < 200) == searched
    assert ds.get("BurnedInAnnotation") == ("NO" if searched else says)


def test_what_a_person_released_is_not_searched() -> None:
    ds = cleaned(a_file(a_frame("MUSTERMANN")), accept=frozenset({Reason.BURNED_IN_RISK}))
    assert pixels(ds)[0][NAME].max() == 255
    assert CODE not in codes(ds)
    assert "BurnedInAnnotation" not in ds


def test_without_the_option_such_objects_are_set_aside() -> None:
    with pytest.raises(Quarantined) as error:
        cleaned(a_file(a_frame()), load_profile("research"))
    assert error.value.reason == Reason.BURNED_IN_RISK


def test_a_users_rule_for_a_device_is_used_whatever_the_search_finds() -> None:
    rule = RegionRule(rows=ROWS, columns=COLUMNS, manufacturer="acme", mask=((300, 190, 320, 200),))
    profile = CLEAN.model_copy(update={"regions": (rule,)})
    frame = a_frame().copy()
    frame[190:] = 90
    content = a_file(frame.copy(), sop_class=uid.CTImageStorage, Manufacturer="ACME")
    ds = cleaned(content, profile)
    frame[190:, 300:] = 30
    assert np.array_equal(pixels(ds)[0], frame)
    assert CODE in codes(ds)
    assert CODE not in codes(cleaned(a_file(frame, sop_class=uid.CTImageStorage), profile))  # another device


def a_loop() -> Iterator[np.ndarray]:
    """Forty frames of a moving image."""
    random = np.random.default_rng(1)
    for _ in range(40):
        frame = a_frame().copy()
        frame[100:180, 100:220] = random.integers(0, 160, (20, 30)).repeat(4, 0).repeat(4, 1)
        yield frame


def test_text_that_comes_up_in_the_middle_of_a_long_loop_is_seen() -> None:
    stack = list(a_loop())
    stack[21] = np.where(a_frame("MUSTERMANN") > 60, 255, stack[21])
    after = pixels(cleaned(a_file(*stack)))
    assert after[21][NAME].max() < 60


def test_pixels_that_can_not_be_decoded_are_set_aside() -> None:
    content = a_file(a_frame("MUSTERMANN"), sop_class=uid.VideoEndoscopicImageStorage)
    ds = dcmread(BytesIO(content))
    ds.file_meta.TransferSyntaxUID = uid.MPEG4HP41
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\x04\0\0\0\0\0\0\x01"
    ds.save_as(buffer := BytesIO(), enforce_file_format=True)
    with pytest.raises(Quarantined):
        cleaned(buffer.getvalue())


def test_an_image_that_may_show_a_face_is_set_aside_whatever_way_it_takes() -> None:
    faces = Profile(name="faces", options=(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES,))
    for sop_class, region, passes in [
        (uid.CTImageStorage, "CHEST", True),
        (uid.CTImageStorage, "HEAD", False),
        (uid.ComputedRadiographyImageStorage, "SKULL", False),
    ]:
        content = a_file(a_frame(), sop_class=sop_class, BodyPartExamined=region)
        if passes:
            assert cleaned(content, faces)
        else:
            with pytest.raises(Quarantined) as refusal:
                cleaned(content, faces)
            assert refusal.value.reason == Reason.RECOGNIZABLE_FEATURES
