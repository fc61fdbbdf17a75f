"""Every combination of options does what another reading of Table E.1-1 asks, told with nothing of the library's.

The Basic Profile's column comes from the package dicom-anonymizer (edition 2024b), the options' columns from a list of
facts beside this file. Values are judged by what they look like, not by the library's ideas of VRs.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from io import BytesIO
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2024b as basic
from pydicom import uid
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe

OPTIONS = (
    "retain_uids", "retain_device_identity", "retain_institution_identity", "retain_patient_characteristics",
    "retain_full_dates", "retain_modified_dates", "clean_descriptors", "clean_structured_content", "clean_graphics",
)  # fmt: skip
NOT_TRIED = {0x00420011}  # sends the object to quarantine
STRICTER = {
    0x00102161: "added to the table after the edition of the library's option columns",
    0x300A0054: "added to the table after the edition of the library's option columns",
    0x00340007: "bytes that can't be looked into",
    0x04000310: "bytes that can't be looked into",
}
"""Where the library gives away less than the table lets it, and why."""


@cache
def columns() -> dict[str, dict[int, str]]:
    """The options' columns: action by tag."""
    text = (Path(__file__).parent / "options.txt").read_text()
    lines = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
    found: dict[str, dict[int, str]] = {}
    option, action = "", ""
    for word in lines:
        if word in OPTIONS:
            option = word
        elif len(word) == 1:
            action = word
        elif "x" not in word:
            found.setdefault(option, {})[int(word, 16)] = action
    return found


@cache
def codes() -> dict[int, str]:
    """The Basic Profile's column: action code by tag, for attributes that PS3.6 has in a data set."""
    lists = {name.removesuffix("_TAGS"): getattr(basic, name) for name in dir(basic) if name.endswith("_TAGS")}
    found = {
        tag[0] << 16 | tag[1]: name.replace("_STAR", "").replace("_", "/")
        for name, tags in lists.items()
        if name != "ALL"
        for tag in tags
        if len(tag) == 2
    }
    return {
        tag: code
        for tag, code in found.items()
        if tag > 0x00080018 and tag not in NOT_TRIED and dictionary_has_tag(tag)
    }


def value(tag: int) -> Any:
    """A value for an attribute: a text with a word of imaging and a strange one, a full date, a UID, one item."""
    vr = dictionary_VR(tag).split(" or ")[-1]
    item = Dataset()
    item.ReferencedFrameNumber = "7"
    word = "Zq" + "".join(chr(ord("k") + int(digit, 16)) for digit in f"{tag:08x}")
    made = {
        "DA": "20200315", "DT": "20200315112233", "TM": "112233", "UI": f"1.2.3.{tag}", "SQ": [item], "DS": "71.5",
        "IS": "7", "AS": "045Y", "PN": f"{word}^Jane", "CS": word.upper(), "SH": f"CT {word}", "AE": word.upper(),
        "UR": f"https://{word}.example", "OB": b"\x01\x02", "OW": b"\x01\x02", "UN": b"\x01\x02", "US": 7, "UL": 7,
        "FD": 7.5, "FL": 7.5, "SL": 7, "SS": 7,
    }  # fmt: skip
    made |= {"SH": "+0100"} if tag == 0x00080201 else {}
    return made.get(vr, f"Chest, Dr. {word}")


def asked(tag: int, options: Collection[str]) -> str:
    """The action that a table with these options asks for: of two options that disagree the cleaning one."""
    said = {columns()[option].get(tag) for option in options}
    return "C" if "C" in said else "K" if "K" in said else codes()[tag]


def problem(tag: int, action: str, new: Dataset) -> str:
    """What is wrong with an attribute after de-identification; empty if nothing is."""
    old, now = value(tag), new[tag].value if tag in new else None
    same = now is not None and _plain(now) == _plain(old)
    if action == "K":
        return "" if same or tag in STRICTER else "not kept"
    if action == "C":
        return _not_cleaned(old, now)
    if same:
        return "left"
    kinds = {"X": now is None, "Z": tag in new and not now, "D": bool(now), "U": bool(now)}
    wanted = set(action.split("/")) | ({"D"} if "Z" in action else set())  # PS3.15 Table E.1-1a: Z may be a dummy
    note_13 = "D" in wanted and isinstance(old, list) and now is None  # a sequence that the IOD does not have
    return "" if note_13 or any(kinds[code] for code in wanted) else f"not {action}"


def _not_cleaned(old: Any, now: Any) -> str:
    if isinstance(old, list):
        return "" if now is None or len(now) <= 1 else "more items than before"
    if isinstance(old, str) and old.isdigit() and len(old) >= 8:
        moved = datetime.strptime(str(now)[:8], "%Y%m%d") - datetime(2020, 3, 15) if now else None
        return "" if moved and moved.days else "date not moved"
    if isinstance(old, str) and old.isdigit():
        return "" if str(now) == old else "time of day not kept"
    strange = [word for word in str(old).replace("^", " ").split() if word.lower().startswith("zq")]
    return "left" if any(word.lower() in str(now).lower() for word in strange) else ""


def _plain(value: Any) -> str:
    return f"{len(value)} items" if isinstance(value, list) or type(value).__name__ == "Sequence" else str(value)


@cache
def original(tags: frozenset[int]) -> bytes:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = uid.RawDataStorage, "1.2.3.4"
    for tag in tags:
        ds.add_new(tag, dictionary_VR(tag).split(" or ")[-1], value(tag))
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def problems(tags: frozenset[int], options: Iterable[str]) -> list[str]:
    chosen = tuple(options)
    recipe = Recipe(Profile(name="test", options=tuple(map(Option, chosen))), bytes(32))
    new = pydicom.dcmread(BytesIO(deidentify(original(tags), recipe).dicom))
    found = ((tag, problem(tag, asked(tag, chosen), new)) for tag in sorted(tags))
    return [
        f"{'+'.join(chosen) or 'basic'}: {pydicom.datadict.keyword_for_tag(tag)} {what}" for tag, what in found if what
    ]


def is_consistent(options: Collection[str]) -> bool:
    return not {"retain_full_dates", "retain_modified_dates"} <= set(options)


@cache
def one_of_each_pattern() -> frozenset[int]:
    """An attribute for each way in which the columns and VRs come together."""
    chosen: dict[tuple[str | None, ...], int] = {}
    for tag in codes():
        pattern = (codes()[tag], dictionary_VR(tag), *(columns()[option].get(tag) for option in OPTIONS))
        chosen.setdefault(pattern, tag)
    return frozenset(chosen.values())


def test_the_two_readings_are_of_the_same_table() -> None:
    assert len(codes()) > 580
    assert {option: len(columns()[option]) for option in OPTIONS}["clean_descriptors"] > 100


@pytest.mark.parametrize("number", [0, 1, 2, len(OPTIONS) - 1])
def test_every_attribute_under_every_pair_of_options(number: int) -> None:
    everything = frozenset(codes())
    chosen = [options for options in combinations(OPTIONS, number) if is_consistent(options)]
    assert chosen
    assert [line for options in chosen for line in problems(everything, options)] == []


def test_every_combination_of_options() -> None:
    switches = product((False, True), repeat=len(OPTIONS))
    chosen = [[option for option, on in zip(OPTIONS, switch, strict=True) if on] for switch in switches]
    combined = [options for options in chosen if is_consistent(options)]
    assert len(combined) == 384
    assert [line for options in combined for line in problems(one_of_each_pattern(), options)] == []
