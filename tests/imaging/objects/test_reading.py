"""What `read_object` hands back is whole; anything else is set aside, soon, and without a word from the file."""

import time
import traceback
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from struct import pack

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from lakeward.imaging.objects.reading import Limits, contained, read_object, time_limit
from lakeward.imaging.reasons import Quarantined, Reason

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CHARSET_FILES = [Path(name) for name in get_charset_files("*.dcm")]

NOT_WHOLE = {
    "MR_truncated.dcm": Reason.TRUNCATED,
    "rtplan_truncated.dcm": Reason.TRUNCATED,
    "chrJapMulti.dcm": Reason.TRUNCATED,  # images whose pixel data were taken out
    "chrJapMultiExplicitIR6.dcm": Reason.TRUNCATED,
    "chrKoreanMulti.dcm": Reason.TRUNCATED,
    "empty_charset_LEI.dcm": Reason.TRUNCATED,  # snippets without the attributes of an object
    "no_meta_group_length.dcm": Reason.TRUNCATED,
    "meta_missing_tsyntax.dcm": Reason.UNREADABLE,
    "nested_priv_SQ.dcm": Reason.UNREADABLE,
    "badVR.dcm": Reason.UNREADABLE,  # Number of Frames is no number
    "no_meta.dcm": Reason.NOT_DICOM,  # starts with half an element
}
REAL = [path for path in (*sorted(TEST_FILES.glob("*.dcm")), *CHARSET_FILES) if path.name not in NOT_WHOLE]

UNDEFINED = 0xFFFFFFFF
SEQUENCE_END = pack("<HHL", 0xFFFE, 0xE0DD, 0)


def real(name: str) -> bytes:
    return (TEST_FILES / name).read_bytes()


def reason_for(data: bytes, limits: Limits | None = None) -> Reason:
    with pytest.raises(Quarantined) as caught:
        read_object(data, limits)
    return caught.value.reason


def file_with(body: bytes, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A file of `body` behind meta information."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = pack("<HH2sH", 2, 0x10, b"UI", len(uid)) + uid
    return bytes(128) + b"DICM" + pack("<HH2sHL", 2, 0, b"UL", 4, len(meta)) + meta + body


def long_element(group: int, element: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    return pack("<HH2sHL", group, element, vr, 0, length) + value


def item(length: int, content: bytes = b"") -> bytes:
    return pack("<HHL", 0xFFFE, 0xE000, length) + content


def body_of(name: str) -> bytes:
    data = real(name)
    return data[144 + int.from_bytes(data[140:144], "little") :]


def image(**changes: object) -> bytes:
    """MR_small without its trailing padding, changed."""
    ds = pydicom.dcmread(BytesIO(real("MR_small.dcm")))
    del ds[0xFFFCFFFC]
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return written(ds)


def written(ds: pydicom.Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_genuine_file_comes_back_as_pydicom_reads_it(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pydicom.dcmread(path, force=True)
        ds = read_object(path)
        if path.name == "MR_small_padded.dcm":  # zeros behind the last pixel
            expected.PixelData = expected.PixelData[: 64 * 64 * 2]
        assert ds == expected
        assert ds.file_meta.TransferSyntaxUID == expected.file_meta.get(
            "TransferSyntaxUID", ds.file_meta.TransferSyntaxUID
        )


@pytest.mark.parametrize(("name", "reason"), NOT_WHOLE.items())
def test_a_file_that_is_not_whole_is_set_aside(name: str, reason: Reason) -> None:
    path = TEST_FILES / name
    assert reason_for((path if path.exists() else TEST_FILES.parent / "charset_files" / name).read_bytes()) == reason


@pytest.mark.parametrize("path", sorted(TEST_FILES.glob("dicomdirtests/**/DICOMDIR*")), ids=lambda path: path.name)
def test_a_directory_is_named_as_such(path: Path) -> None:
    assert reason_for(path.read_bytes()) == Reason.MEDIA_DIRECTORY


@pytest.mark.parametrize("name", ["README.txt", "test1.json", "zipMR.gz", "crayons.icc"])
def test_other_files_are_not_dicom(name: str) -> None:
    assert reason_for(real(name)) == Reason.NOT_DICOM


@pytest.mark.parametrize(
    ("name", "whole_from"),
    [("MR_small.dcm", 9692), ("MR_small_RLE.dcm", 7652), ("rtdose_expb_1frame.dcm", 2008), ("test-SR.dcm", 6796)],
)
def test_no_file_cut_anywhere_passes_for_whole(name: str, whole_from: int) -> None:
    """From `whole_from` on, at most Data Set Trailing Padding is missing."""
    data = real(name)
    for cut in range(whole_from):
        assert reason_for(data[:cut]) in (Reason.TRUNCATED, Reason.NOT_DICOM)
    assert "SOPInstanceUID" in read_object(data[:whole_from])


def test_a_cut_deflated_file_is_truncated() -> None:
    data = real("image_dfl.dcm")
    assert {reason_for(data[:cut]) for cut in range(500, 4600, 100)} == {Reason.TRUNCATED}


@settings(max_examples=300, derandomize=True, deadline=2000)
@given(
    name=st.sampled_from(["MR_small.dcm", "MR_small_implicit.dcm", "test-SR.dcm", "UN_sequence.dcm", "image_dfl.dcm"]),
    flips=st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_damaged_file_is_read_or_set_aside(name: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(real(name))
    for at, value in flips:
        data[at % len(data)] = value
    try:
        ds = read_object(bytes(data))
    except Quarantined:
        return
    assert sum(1 for _ in ds.keys()) > 0


@settings(max_examples=200, derandomize=True, deadline=2000)
@given(st.binary(max_size=300))
def test_random_bytes_are_set_aside(noise: bytes) -> None:
    for data in (noise, b"\x08\0" + noise, file_with(noise), file_with(noise, DeflatedExplicitVRLittleEndian)):
        with pytest.raises(Quarantined):
            read_object(data)


@pytest.mark.parametrize("vr", [b"SQ", b"UN"])
def test_five_thousand_nested_sequences_are_too_deep(vr: bytes) -> None:
    nest = long_element(0x0040, 0xA730, vr, UNDEFINED) + item(UNDEFINED)
    assert reason_for(file_with(nest * 5000)) == Reason.TOO_DEEP


@pytest.mark.parametrize(
    "body",
    [
        b"".join(pack("<HH2sH", 0x11 + 2 * (n >> 16), n & 0xFFFF, b"LO", 0) for n in range(1_000_000)),
        long_element(0x0040, 0xA730, b"SQ", 8_000_000) + item(0) * 1_000_000,
        long_element(0x7FE0, 0x0010, b"OB", UNDEFINED) + item(0) * 1_000_000,
    ],
    ids=["elements", "items", "fragments"],
)
def test_a_million_tiny_things_are_too_many(body: bytes) -> None:
    assert reason_for(file_with(body)) == Reason.TOO_MANY_ELEMENTS


def test_a_giant_length_is_not_believed() -> None:
    assert reason_for(file_with(long_element(0x0011, 0x1010, b"OB", UNDEFINED - 1, b"x"))) == Reason.TRUNCATED


def test_a_deflate_bomb_stops_at_the_limit() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(64 * 1024**2)) + deflater.flush()
    data = file_with(bomb, DeflatedExplicitVRLittleEndian)
    assert len(data) < 100_000
    assert reason_for(data, Limits(max_inflated_bytes=1024**2)) == Reason.INFLATE_LIMIT


def test_a_file_over_the_limit_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as sparse:
        sparse.truncate(2 * 1024**3)
    with pytest.raises(Quarantined, match="1073741824 bytes"):
        read_object(path)


def test_a_deflated_object_stays_one_and_can_be_written_again() -> None:
    ds = read_object(real("image_dfl.dcm"))
    assert ds.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert read_object(written(ds)) == ds


def test_a_wrongly_declared_encoding_is_seen_through() -> None:
    explicit, implicit = body_of("MR_small.dcm"), body_of("MR_small_implicit.dcm")
    assert read_object(file_with(explicit, ImplicitVRLittleEndian)).PatientName == "CompressedSamples^MR1"
    assert read_object(file_with(implicit, ExplicitVRLittleEndian)).PatientName == "CompressedSamples^MR1"


def test_a_wrongly_declared_byte_order_is_refused() -> None:
    with pytest.raises(Quarantined):
        read_object(file_with(body_of("MR_small.dcm"), ExplicitVRBigEndian))


def test_without_meta_information_the_transfer_syntax_is_found_and_stated() -> None:
    assert read_object(body_of("MR_small.dcm")).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert read_object(body_of("MR_small_implicit.dcm")).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert read_object(body_of("MR_small_expb.dcm")).file_meta.TransferSyntaxUID == ExplicitVRBigEndian


@pytest.mark.parametrize("syntax", ["1.2.3.4", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.6.2"])
def test_a_transfer_syntax_that_is_unknown_or_not_for_files_is_refused(syntax: str) -> None:
    assert reason_for(file_with(body_of("MR_small.dcm"), syntax)) == Reason.UNSUPPORTED_TRANSFER_SYNTAX


@pytest.mark.parametrize("count", [1, 7, 8, 512])
def test_zeros_after_the_data_set_are_dropped(count: int) -> None:
    assert written(read_object(image() + bytes(count))) == image()


@pytest.mark.parametrize("tail", [b"DOE^JANE", bytes(512) + b"DOE^JANE", b"J"])
def test_anything_else_after_the_data_set_is_refused(tail: bytes) -> None:
    with pytest.raises(Quarantined):
        read_object(image() + tail)


def test_zeros_after_the_last_pixel_are_dropped() -> None:
    padded = image(PixelData=bytes(range(256)) * 32 + bytes(128))
    assert read_object(padded).PixelData == bytes(range(256)) * 32


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"PixelData": bytes(8192) + b"DOE^JANE"}, Reason.UNREADABLE),
        ({"PixelData": bytes(8190)}, Reason.TRUNCATED),
        ({"NumberOfFrames": 2}, Reason.TRUNCATED),
        ({"Rows": None}, Reason.UNREADABLE),
        ({"Rows": [64, 64]}, Reason.UNREADABLE),
        ({"FloatPixelData": bytes(16384)}, Reason.UNREADABLE),
    ],
)
def test_pixel_data_must_be_as_long_as_described(changes: dict[str, object], reason: Reason) -> None:
    assert reason_for(image(**changes)) == reason


def test_pixels_of_one_bit_are_counted_in_bits() -> None:
    ds = pydicom.dcmread(get_testdata_file("liver_1frame.dcm"))
    ds.Rows = 511
    assert len(read_object(written(ds)).PixelData) == 32704
    ds.NumberOfFrames = 2
    assert reason_for(written(ds)) == Reason.TRUNCATED


@pytest.mark.parametrize(
    ("syntax", "data"),
    [
        (JPEG2000Lossless, long_element(0x7FE0, 0x10, b"OB", 8192, bytes(8192))),
        (ExplicitVRLittleEndian, long_element(0x7FE0, 0x10, b"OB", UNDEFINED, item(0) + item(2, b"xx") + SEQUENCE_END)),
    ],
    ids=["native", "encapsulated"],
)
def test_pixel_data_must_fit_the_transfer_syntax(syntax: str, data: bytes) -> None:
    header = body_of("MR_small.dcm").partition(b"\xe0\x7f\x10\x00")[0]
    assert reason_for(file_with(header + data, syntax)) == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("frames", "table", "accepted"),
    [
        (2, b"", True),
        (3, b"", False),
        (2, pack("<LL", 0, 10), True),
        (2, pack("<LL", 0, 12), False),
        (2, pack("<LL", 10, 0), False),
        (2, pack("<L", 0), False),
        (1, pack("<L", 0), True),
    ],
)
def test_fragments_and_offset_table_must_fit_the_frames(frames: int, table: bytes, accepted: bool) -> None:
    header = image(NumberOfFrames=frames).partition(b"\xe0\x7f\x10\x00")[0]
    header = header[header.index(b"\x08\0\x08\0CS") :]
    value = item(len(table), table) + item(2, b"xx") + item(2, b"yy") + SEQUENCE_END
    data = file_with(header + long_element(0x7FE0, 0x10, b"OB", UNDEFINED, value), JPEG2000Lossless)
    if accepted:
        assert read_object(data).NumberOfFrames == frames
    else:
        with pytest.raises(Quarantined):
            read_object(data)


@pytest.mark.parametrize(
    "body",
    [
        pack("<HH2sH", 0x0010, 0x0010, b"PN", 2) + b"A " + pack("<HH2sH", 0x0010, 0x0010, b"PN", 2) + b"B ",
        long_element(0x0040, 0xA730, b"SQ", 18, item(10, pack("<HH2sH", 0x0040, 0x0555, b"LO", 8) + b"DO")) + b"E^JANE",
        long_element(0x0040, 0xA730, b"SQ", 16, item(0) + SEQUENCE_END),
        pack("<HHL", 0xFFFE, 0xE00D, 0),
        pack("<HH2sH", 0x0002, 0x0016, b"AE", 2) + b"A ",
        pack("<HHL", 0x0000, 0x0002, 2) + b"A ",
        pack("<HH2sH", 0x0010, 0x0010, b"XX", 2) + b"A ",
    ],
    ids=["repeated", "overrunning item", "stray end of sequence", "stray end of item", "meta", "command", "unknown VR"],
)
def test_what_pydicom_would_skip_or_guess_is_refused(body: bytes) -> None:
    start = pack("<HH2sH", 0x0008, 0x0018, b"UI", 6) + b"2.25.1"
    assert "SOPInstanceUID" in read_object(file_with(start + pack("<HH2sH", 0x0010, 0x0020, b"LO", 0)))
    assert reason_for(file_with(start + body)) == Reason.UNREADABLE


def test_nothing_from_the_file_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Both files make pydicom talk: of a Number of Frames that is '1A', and of VRs that are missing."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        read_object(real("SC_rgb_jpeg.dcm"))
        with pytest.raises(Quarantined) as caught:
            read_object(real("badVR.dcm"))
    assert "1A" not in "".join(traceback.format_exception(caught.value))
    assert not warned
    assert not caplog.records


def test_contained_takes_the_text_from_any_failure() -> None:
    with pytest.raises(Quarantined) as caught, contained(Reason.NOT_WRITABLE):
        raise ValueError("DOE^JANE")
    assert caught.value.reason == Reason.NOT_WRITABLE
    assert "DOE" not in "".join(traceback.format_exception(caught.value))


def test_time_limit_gets_through_code_that_swallows_exceptions() -> None:
    def stubborn() -> None:
        while True:
            with suppress(Exception):
                sum(range(1000))

    start = time.process_time()
    with pytest.raises(Quarantined) as caught, time_limit(0.1), contained(Reason.UNREADABLE):
        stubborn()
    assert caught.value.reason == Reason.TIMEOUT
    assert time.process_time() - start < 10


def test_time_limit_leaves_what_is_in_time_alone() -> None:
    with time_limit(0.05):
        pass
    work_for(0.1)


def test_time_limit_is_not_used_up_by_others_on_a_busy_machine() -> None:
    with time_limit(0.05):
        time.sleep(0.1)


def work_for(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_time_limit_lets_other_threads_work_unlimited() -> None:
    def limited() -> str:
        with time_limit(0.01):
            work_for(0.05)
        return "done"

    with ThreadPoolExecutor(1) as other:
        assert other.submit(limited).result() == "done"
