"""The fast way and the slow way give the same: over all real files, and over objects made at random."""

import json
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from struct import error, pack
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from lakeward.imaging.deidentification.bytewise import Unsure
from lakeward.imaging.deidentification.profile import Profile, load_profile, shipped
from lakeward.imaging.objects.elements import locate
from lakeward.imaging.objects.implicit import as_implicit
from lakeward.imaging.objects.reading import silenced
from lakeward.imaging.objects.writing import encode_element
from lakeward.imaging.pipeline.everyday import Assembled
from lakeward.imaging.pipeline.process import deidentify, deidentify_whole
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Quarantined

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
KEY = bytes(range(32))
Draw = Callable[[st.SearchStrategy[Any]], Any]
RULED = Profile.model_validate(
    {
        "name": "ruled",
        "options": ["clean_descriptors", "retain_modified_dates", "retain_safe_private"],
        "rules": [
            {"keyword": "*Comments", "action": "C"},
            {"vr": "LO", "value": "SECRET", "action": "X"},
            {"creator": "LOCAL", "action": "K"},
            {"tag": "(0018,xxxx)", "action": "Z"},
        ],
    }
)
RECIPES = {name: Recipe(load_profile(name), KEY) for name in shipped()} | {"ruled": Recipe(RULED, KEY)}


def fast(content: bytes, recipe: Recipe) -> Assembled | None:
    with silenced():
        try:
            return recipe.everyday(content)
        except (Unsure, Quarantined):
            return None


def assert_same(content: bytes, recipe: Recipe) -> bool:
    """Whether the fast way took an object; it must then give what the slow way gives."""
    assembled = fast(content, recipe)
    assert_same_by_its_beginning(content, recipe, assembled)
    if assembled is None:
        return False
    with silenced():
        whole = deidentify_whole(content, recipe)
        one, two = (pydicom.dcmread(BytesIO(way.dicom)) for way in (assembled, whole))
        assert one == two
        assert one.file_meta == two.file_meta
        assert (assembled.patient, assembled.uids) == (whole.patient, whole.uids)
        assert json.loads(assembled.changes) == json.loads(whole.changes)
        assert json.loads(assembled.header) == json.loads(whole.header)
        assert assembled.columns == whole.columns
        assert assembled.image.PixelData == whole.image.PixelData
    return True


def assert_same_by_its_beginning(content: bytes, recipe: Recipe, assembled: Assembled | None) -> None:
    """Where the beginning of a file is enough, it gives what the whole file gives."""
    size = len(content)
    for read in (size - 1, size - 1000, size // 2):
        with silenced(), suppress(Unsure, Quarantined):
            begun = recipe.everyday.beginning(content[:read], size)
            assert assembled
            assert b"".join([*begun.pieces, content[read:]]) == assembled.dicom
            assert begun.uids == assembled.uids


def without_vrs(content: bytes) -> bytes:
    ds = pydicom.dcmread(BytesIO(content))
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = BytesIO()
    ds.save_as(buffer, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


@pytest.mark.parametrize("name", RECIPES)
def test_both_ways_agree_on_all_real_files(name: str) -> None:
    files = [path for path in sorted(TEST_FILES.rglob("*")) if path.is_file()]
    taken = sum(assert_same(path.read_bytes(), RECIPES[name]) for path in files)
    assert taken >= 40
    assert taken == sum(assert_same(path.read_bytes(), RECIPES[name]) for path in files)  # also from memory


WORDS = st.sampled_from(["MARIA", "SECRET", "CT HEAD", "chest", "1950", "Müller", "", " 5 mm", "a\\b", "ÄÖ"])
TEXTS = {
    "DA": st.sampled_from(["20200229", "2020.02.29", "", "19000101\\20010101", "nobody"]),
    "TM": st.sampled_from(["101500.5", "10", "", "none"]),
    "DT": st.sampled_from(["20200229101500+0100", "2020", ""]),
    "UI": st.sampled_from(["1.2.3", "1.2.840.10008.1.2", "", "1.2\\1.3", "Maria"]),
    "DS": st.sampled_from(["1.5", "-3", "1e-7", "", "1\\2\\3", " 7 ", "Maria"]),
    "IS": st.sampled_from(["1", "-3", "", "1\\2", "Maria"]),
    "CS": st.sampled_from(["AXIAL", "MARIA", "a_b", "", "A\\B"]),
    "AS": st.sampled_from(["045Y", "095Y", "", "old"]),
    "PN": st.sampled_from(["Maria^QX", "Müller^Änne", ""]),
}
TAGS = sorted(
    tag
    for tag, entry in DicomDictionary.items()
    if entry[0] in {*TEXTS, "LO", "SH", "LT", "UT", "US", "FD", "OB"}
    and 0x00080000 < tag < 0x60000000
    and not 0x00280002 <= tag <= 0x00280103
)


def elements(most: int, draw: Draw) -> dict[int, bytes]:
    """Encoded elements by tag, most of them of even length."""
    found = {}
    for tag in draw(st.lists(st.sampled_from(TAGS), max_size=most, unique=True)):
        vr = DicomDictionary[tag][0]
        text = "" if vr in ("US", "FD", "OB") else draw(TEXTS.get(vr, WORDS))
        value = text.encode() if text else draw(st.sampled_from([b"", bytes(8), bytes(range(16))]))
        encoded = encode_element(tag, vr, value)
        if len(value) % 2 and vr != "UT" and draw(st.integers(0, 5)) == 0:
            encoded = encoded[:6] + pack("<H", len(value)) + value
        found[tag] = encoded
    return found


@st.composite
def additions(draw: Draw) -> dict[int, bytes]:
    """What is put into an object, or takes the place of what it has."""
    found = elements(12, draw)
    if charset := draw(st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"nonsense", b"\\ISO 2022 IR 87"])):
        found[0x00080005] = encode_element(0x00080005, "CS", charset)
    if draw(st.booleans()):
        content = b"".join(encoded for _, encoded in sorted(elements(3, draw).items()))
        items = [pack("<HHL", 0xFFFE, 0xE000, len(content)) + content] * draw(st.integers(0, 2))
        tag = draw(st.sampled_from([0x00081140, 0x00400275, 0x00321064, 0x00089215, 0x00120064]))
        found[tag] = encode_element(tag, "SQ", b"".join(items))
    if draw(st.booleans()):
        found[0x00190010] = encode_element(0x00190010, "LO", draw(st.sampled_from([b"GEMS_ACQU_01", b"OTHER"])))
        found[0x00191023] = encode_element(0x00191023, "DS", draw(TEXTS["DS"]).encode())
        found[0x00191099] = encode_element(0x00191099, "UN", b"unknown")
        found[0x00210010] = encode_element(0x00210010, "LO", b"LOCAL")
        found[0x00211001] = encode_element(0x00211001, "LO", draw(WORDS).encode())
    return found


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(added=additions(), number=st.integers(0, 3), name=st.sampled_from([*RECIPES]))
def test_both_ways_agree_on_objects_made_at_random(
    build: Callable[..., bytes], added: dict[int, bytes], number: int, name: str
) -> None:
    assert_same(merged(build(number), added), RECIPES[name])


def merged(content: bytes, added: dict[int, bytes]) -> bytes:
    located = locate(content, 24, 1000)
    assert located
    there = {tag: content[start:end] for tag, _, start, _, end in located.found}
    return content[:132] + b"".join(encoded for _, encoded in sorted((there | added).items()))


def test_everyday_images_go_the_fast_way(build: Callable[..., bytes]) -> None:
    assert all(fast(build(number), recipe) for number in range(3) for recipe in RECIPES.values())


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": generate_uid()},
        {"Rows": 33},
        {"PatientID": "", "PatientName": "", "StudyInstanceUID": ""},
    ],
)
def test_what_is_unusual_goes_the_slow_way(build: Callable[..., bytes], attributes: dict[str, Any]) -> None:
    assert fast(build(1, **attributes), RECIPES["research"]) is None


@pytest.mark.parametrize("with_vrs", [True, False])
def test_damaged_files_end_as_on_the_slow_way(build: Callable[..., bytes], with_vrs: bool) -> None:
    recipe, content = RECIPES["research"], build(1) if with_vrs else without_vrs(build(1))
    for at in range(132, len(content) - 2048, 7):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        with silenced():
            assert_same(damaged, recipe)
        for cut in (content[:at], content[:at] + b"\0\0" + content[at:]):
            assert_same(cut, recipe)


def test_memory_of_one_patient_serves_no_other(build: Callable[..., bytes]) -> None:
    recipe = Recipe(RECIPES["research"].profile, KEY)
    names = {deidentify(build(0, PatientID=f"ID{n}", StudyDate="20200315"), recipe).patient for n in range(5)}
    dates = {deidentify(build(0, PatientID=f"ID{n}"), recipe).columns["study_date"] for n in range(5)}
    assert len(names) == len(dates) == 5


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(added=additions(), number=st.integers(0, 3), name=st.sampled_from([*RECIPES]))
def test_both_ways_agree_on_objects_without_vrs(
    build: Callable[..., bytes], added: dict[int, bytes], number: int, name: str
) -> None:
    content = merged(build(number), added)
    start = content.index(b"DICM") + 16 + int.from_bytes(content[140:144], "little")
    bare = without_vrs(build(number))
    head = bare[: bare.index(b"DICM") + 16 + int.from_bytes(bare[140:144], "little")]
    try:
        without = as_implicit(content[start:])
    except error:
        reject()  # an item of odd length was padded: what follows it is no item
    assert_same(head + without, RECIPES[name])


def test_the_beginning_of_an_everyday_file_is_enough(build: Callable[..., bytes]) -> None:
    for content in (build(0), without_vrs(build(0))):
        for read in range(len(content) - 2048, len(content)):
            assert RECIPES["research"].everyday.beginning(content[:read], len(content)).pieces
        for read in (0, 100, 132, 140, len(content) - 2049):
            with silenced(), pytest.raises((Unsure, Quarantined)):
                RECIPES["research"].everyday.beginning(content[:read], len(content))


def test_everyday_images_without_vrs_go_the_fast_way(build: Callable[..., bytes]) -> None:
    contents = [without_vrs(build(number, PixelPaddingValue=0)) for number in range(3)]
    assert all(assert_same(content, recipe) for content in contents for recipe in RECIPES.values())
