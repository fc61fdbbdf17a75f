"""No hostile file takes more than 10 s or 1 GB, and none ends otherwise than cleaned or set aside."""

import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from struct import pack

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from lakeward.imaging.verification.planting import an_image, encoded, new_object

UNDEFINED = 0xFFFFFFFF
HEAD = encoded(new_object())
RUN = """
import json, sys, time
from pathlib import Path
from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Quarantined
recipe = Recipe(load_profile("research"), bytes(32))
for path in sorted(Path(sys.argv[1]).iterdir()):
    content, start = path.read_bytes(), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    try:
        process(content, recipe)
        outcome = "cleaned"
    except Quarantined as refusal:
        outcome = refusal.reason.value
    seconds = time.process_time() - start  # other tests run beside it
    [peak] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
    print(json.dumps([path.name, outcome, seconds, int(peak) / 1024]), flush=True)
"""


def element(tag: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    return pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, length) + value


def item(length: int = 0) -> bytes:
    return pack("<HHL", 0xFFFE, 0xE000, length)


def deflate_bomb() -> bytes:
    deflater = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = b"".join(deflater.compress(bytes(1 << 24)) for _ in range(32)) + deflater.flush()
    whole = encoded(new_object(), uid.DeflatedExplicitVRLittleEndian)
    return whole[: 144 + int.from_bytes(whole[140:144], "little")] + data


def with_text(keyword: str, value: str) -> bytes:
    ds = new_object()
    setattr(ds, keyword, value)
    return encoded(ds)


def image(rows: int, columns: int, bits: int, frames: int = 1) -> Dataset:
    ds = an_image()
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = rows, columns, bits, bits, bits - 1
    ds.NumberOfFrames = frames
    return ds


def in_frames(codestream: bytes, side: int, frames: int, syntax: uid.UID) -> bytes:
    """A small file of large images, all the same."""
    ds = image(side, side, 8, frames)
    ds.PixelData = encapsulate([codestream] * frames)
    return encoded(ds, syntax)


def empty(side: int) -> np.ndarray:
    return np.zeros((side, side), np.uint8)


def scans(count: int) -> bytes:
    """A progressive JPEG image that goes over all its pixels so many times again, for 95 bytes each."""
    stream = cv2.imencode(".jpg", empty(8_000), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    start = stream.rindex(b"\xff\xda")
    return in_frames(stream[:-2] + stream[start:-2] * count + stream[-2:], 8_000, 1, uid.JPEGExtended12Bit)


def cut_up(code_block: int, precinct: int) -> bytes:
    """A JPEG 2000 image that asks for memory by the sides of its parts, as exponents (ISO/IEC 15444-1 A.6.1)."""
    stream = imagecodecs.jpeg2k_encode(empty(4_000), codecformat="J2K", reversible=True, resolutions=2)
    start = stream.index(b"\xff\x52")
    old = stream[start + 4 : start + 14]
    parts = bytes([1, *old[1:6], code_block, code_block, *old[8:], precinct, precinct])
    style = stream[start : start + 2] + pack(">H", len(parts) + 2) + parts
    return in_frames(stream[:start] + style + stream[start + 14 :], 4_000, 1, uid.JPEG2000Lossless)


def tiny_frames(count: int) -> bytes:
    ds = image(2, 2, 8, count)
    ds.PixelData = bytes(4 * count)
    return encoded(ds)


def claimed(rows: int, columns: int, frames: int) -> bytes:
    """An image that says of itself that it is large."""
    ds = image(rows, columns, 16, frames)
    ds.PixelData = encapsulate([imagecodecs.jpegls_encode(np.zeros((8, 8), np.uint16))])
    return encoded(ds, uid.JPEGLSLossless)


def referring_to_itself() -> bytes:
    ds = an_image()
    for keyword in ("ReferencedImageSequence", "SourceImageSequence"):
        own = Dataset()
        own.ReferencedSOPClassUID, own.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        setattr(ds, keyword, Sequence([own]))
    return encoded(ds)


def many_codes() -> bytes:
    ds = new_object(uid.ComprehensiveSRStorage)
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", "Doe " * 10
    ds.ConceptNameCodeSequence = Sequence([Dataset(code) for _ in range(10_000)])
    ds.ContentSequence = Sequence([Dataset(code) for _ in range(10)])
    return encoded(ds)


BOMBS: dict[str, Callable[[], bytes]] = {
    "deflate": deflate_bomb,
    "giant length": lambda: HEAD + element(0x00111010, b"OB", UNDEFINED - 1, b"x"),
    "sequences in sequences": lambda: HEAD + (element(0x0040A730, b"SQ", UNDEFINED) + item(UNDEFINED)) * 100_000,
    "endless sequence": lambda: HEAD + element(0x0040A730, b"SQ", UNDEFINED) + item() * 1_000_000,
    "endless fragments": lambda: HEAD + element(0x7FE00010, b"OB", UNDEFINED) + item() * 1_000_000,
    "long description": lambda: with_text("TextValue", "a1b2 " * 2_000_000),
    "long comment": lambda: with_text("ImageComments", "Doe-" * 3_000_000),
    "long name": lambda: HEAD + element(0x0040A123, b"UN", 6_000_000, b"^=\\" * 2_000_000),
    "many words in a name": lambda: with_text("PatientName", " ".join(f"w{n}" for n in range(500_000))),
    "many numbers": lambda: HEAD + element(0x00660016, b"OF", 40_000_000, bytes(40_000_000)),
    "many UIDs": lambda: HEAD + element(0x00480207, b"UC", 10_000_000, b"1.2.3.4\\" * 1_250_000),
    "many codes": many_codes,
    "references in a circle": referring_to_itself,
    "large image": lambda: in_frames(imagecodecs.jpegls_encode(empty(8_000)), 8_000, 1, uid.JPEGLSLossless),
    "cine of nothing": lambda: in_frames(imagecodecs.jpegls_encode(empty(8_000)), 8_000, 200, uid.JPEGLSLossless),
    "cine of less": lambda: in_frames(imagecodecs.jpeg2k_encode(empty(800)), 800, 20_000, uid.JPEG2000Lossless),
    "two million frames": lambda: tiny_frames(2_000_000),
    "a hundred scans": lambda: scans(100),
    "a million code-blocks": lambda: cut_up(0, 0xFF),
    "four million precincts": lambda: cut_up(4, 0x11),
    "claims to be large": lambda: claimed(65_535, 65_535, 1),
    "claims two billion frames": lambda: claimed(8, 8, 2_147_483_647),
}


TOO_LARGE = {
    *("cine of nothing", "cine of less", "two million frames", "a hundred scans"),
    *("a million code-blocks", "four million precincts", "claims to be large"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    """What came of each bomb in a process of their own, the seconds it took, and the peak of memory in MB."""
    folder = tmp_path_factory.mktemp("bombs")
    (folder / " harmless").write_bytes(HEAD)  # comes first, and loads what is loaded once
    for name, make in BOMBS.items():
        (folder / name).write_bytes(make())
    done = subprocess.run([sys.executable, "-c", RUN, str(folder)], capture_output=True, timeout=300, text=True)
    return {name: tuple(rest) for name, *rest in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_hostile_file_is_done_with_soon_and_cheaply(bomb: str, outcomes: dict[str, tuple[str, float, float]]) -> None:
    outcome, seconds, megabytes = outcomes[bomb]
    assert outcome
    assert seconds < 10
    assert megabytes < 1000


def test_no_hostile_file_is_a_defect(outcomes: dict[str, tuple[str, float, float]]) -> None:
    assert [name for name, (outcome, *_) in outcomes.items() if outcome in ("unforeseen", "timeout")] == []
    refused = {name for name, (outcome, *_) in outcomes.items() if outcome != "cleaned"}
    assert refused >= {"deflate", "giant length", "sequences in sequences", "endless sequence", "endless fragments"}
    assert {name for name, (outcome, *_) in outcomes.items() if outcome == "too_large"} == TOO_LARGE
