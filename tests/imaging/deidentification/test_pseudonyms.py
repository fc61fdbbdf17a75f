"""Pseudonyms depend on the key and the original, and on nothing else."""

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID, CTImageStorage

from lakeward.imaging.deidentification.pseudonyms import KEY_BYTES, MAX_SHIFT_DAYS, Pseudonyms
from lakeward.workspace.errors import ConfigurationError

OURS, OTHERS = Pseudonyms(b"a" * KEY_BYTES), Pseudonyms(b"b" * KEY_BYTES)
uids = st.from_regex(r"1\.2\.[1-9][0-9]{0,20}(\.[1-9][0-9]{0,8}){1,3}", fullmatch=True)


def test_no_pseudonyms_without_a_whole_key() -> None:
    with pytest.raises(ConfigurationError):
        Pseudonyms(b"")
    assert "aaa" not in repr(OURS)


@given(uids, uids)
def test_uids_are_valid_new_consistent_and_different_where_the_originals_are(one: str, other: str) -> None:
    new = OURS.uid(one)
    assert UID(new).is_valid
    assert new.startswith("2.25.")
    assert new not in (one, other)
    assert OURS.uid(one + "\0") == new
    assert OTHERS.uid(one) != new
    assert (OURS.uid(other) == new) == (other == one)


def test_uids_are_version_8_uuids() -> None:
    number = int(OURS.uid("1.2.3").removeprefix("2.25."))
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 3 == 2


@pytest.mark.parametrize("registered", [CTImageStorage, "1.2.840.10008.1.4.1.1", "1.2.840.10008.6.1.18", ""])
def test_uids_that_the_standard_registers_stay(registered: str) -> None:
    assert OURS.uid(registered) == registered


@given(st.text())
def test_a_patient_has_one_pseudonym_and_one_shift_into_the_past(who: str) -> None:
    assert re.fullmatch("LW[A-Z2-7]{14}", OURS.patient(who))
    assert OURS.patient(who) == OURS.patient(who) != OTHERS.patient(who)
    assert -MAX_SHIFT_DAYS <= OURS.days(who) <= -1


def test_the_same_words_as_patient_text_and_source_are_not_to_be_told_as_the_same() -> None:
    assert len({OURS.patient("x"), OURS.text("x"), OURS.source(b"x"), OURS.key_id}) == 4


def test_another_process_gives_the_same() -> None:
    code = (
        "from lakeward.imaging.deidentification.pseudonyms import Pseudonyms; p = Pseudonyms(b'a' * 32);"
        "print(p.uid('1.2.3'), p.patient('x'), p.text('x'), p.days('x'), p.source(b'x'), p.key_id)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert printed == [
        OURS.uid("1.2.3"), OURS.patient("x"), OURS.text("x"), str(OURS.days("x")), OURS.source(b"x"), OURS.key_id,
    ]  # fmt: skip
