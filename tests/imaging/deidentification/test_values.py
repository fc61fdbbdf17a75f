"""What a formatted VR lets through has its form, and dummies fit their VR."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.deidentification.values import FORMATTED, TEXT, dummy, is_valid, values

KEY = Pseudonyms(b"a" * 32)
ALPHABETS = {
    "AS": rb"[\dDWMY]",
    "DA": rb"[\d.]",
    "DS": rb"[\d.eE+-]",
    "DT": rb"[\d.+-]",
    "IS": rb"[\d+-]",
    "TM": rb"[\d:.]",
    "UI": rb"[\d.]",
    "CS": rb"[A-Za-z0-9 _./+-]",
}


@pytest.mark.parametrize("vr", sorted(ALPHABETS))
@given(raw=st.binary(max_size=40) | st.from_regex(rb"[0-9]{1,9}[A-Za-z .]{0,9}", fullmatch=True))
def test_bytes_that_a_vr_does_not_have_are_not_valid(vr: str, raw: bytes) -> None:
    assert not is_valid(vr, raw) or re.fullmatch(rb"(?:%s|[ \0\\])*" % ALPHABETS[vr], raw)


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("AS", b"045Y\\007M"),
        ("CS", b"ISO 2022 IR 87"),
        ("CS", b"\\ISO 2022 IR 149"),
        ("DA", b"20240301\\1999.12.31"),
        ("DS", b" 1.5e-3 \\-.5\\7 "),
        ("DT", b"20240301120000.123456+0100"),
        ("IS", b"-12 \0"),
        ("TM", b"12:30:00"),
        ("UI", b"1.2.840.10008.1.2\0"),
        ("DS", b""),
        ("LO", b"Anyone"),  # has no form
    ],
)
def test_what_scanners_write_is_valid(vr: str, raw: bytes) -> None:
    assert is_valid(vr, raw)


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("AS", b"45 years"),
        ("CS", b"SEEN BY DR. SMITH TODAY"),
        ("CS", "MÜLLER".encode("latin-1")),
        ("DS", b"1.5 mm"),
        ("DS", b"1\\Smith"),
        ("IS", b"5551234567890"),
        ("TM", b"noon"),
        ("UI", b"1.2.SMITH"),
    ],
)
def test_free_text_is_not(vr: str, raw: bytes) -> None:
    assert not is_valid(vr, raw)


@pytest.mark.parametrize("vr", sorted(ALPHABETS))
def test_a_hostile_value_costs_no_more_than_its_length(vr: str) -> None:
    start = time.process_time()
    assert not any(is_valid(vr, mark * 300_000 + b"!") for mark in (b" ", b"1", b"\\"))
    assert time.process_time() - start < 1


@pytest.mark.parametrize("vr", sorted((FORMATTED | TEXT | {"US", "FD", "AT", "OB", "OW", "UR"}) - {"UI"}))
def test_dummies_fit_their_vr_and_say_nothing(vr: str) -> None:
    value = dummy(vr, "Smith", KEY)
    DataElement(0x00091010, vr, value, validation_mode=config.RAISE)
    assert "Smith" not in str(value)


def test_dummies_of_equal_texts_are_equal_and_numbers_stay_as_many() -> None:
    assert dummy("LO", "Smith", KEY) == dummy("LO", "Smith", KEY) != dummy("LO", "Jones", KEY)
    assert dummy("DS", MultiValue(str, ["1", "2", "3"]), KEY) == ["0", "0", "0"]
    assert dummy("UI", "1.2.3", KEY) == KEY.uid("1.2.3")


def test_a_persons_name_is_one_value() -> None:
    name = PersonName("Yamada^Tarou=山田^太郎")
    assert values(name) == [name]
    assert values(MultiValue(str, ["a", "b"])) == ["a", "b"]
    assert values(None) == values("") == values(b"") == []
