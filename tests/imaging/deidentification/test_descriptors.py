"""Descriptions keep the words of imaging, and numbers with their units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeward.imaging.deidentification.descriptors import clean, vocabulary, words


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("CT chest abdomen pelvis - 55F Dr. Smith", "CT chest abdomen pelvis Dr"),  # the example of PS3.15 E.3.5
        ("AX T2 FLAIR 3mm", "AX T2 FLAIR 3mm"),
        ("Knee (RIGHT) 2.5 mm 512x512", "Knee RIGHT 2.5 mm 512x512"),
        ("DWI_b1000_ADC", "DWI b1000 ADC"),
        ("HEAD 5.0 H30f", "HEAD H30f"),
        ("0.984:1", "0.984:1"),
        ("Buik en λεκάνη", ""),
        ("", ""),
    ],
)
def test_keeps_the_fields_own_words(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    "text", ["DOB 12/03/58", "tel 55 51 23 45", "93 y", "1958", "B1950", "JD55F", "room 412", "٣mm", "\uff14mm"]
)
def test_drops_what_may_be_a_date_an_age_or_a_number_of_a_person(text: str) -> None:
    assert clean(text) == ""


def test_drops_terms_that_are_family_names_where_they_may_be_one() -> None:
    assert clean("Dr. Hand") == "Dr"
    assert clean("Anil Rao: RAO view") == "RAO view"
    assert clean("left hand, long axis") == "left hand long axis"


def test_drops_the_objects_own_names_even_if_they_are_terms() -> None:
    assert clean("Long axis Chest", frozenset({"long", "chest"})) == "axis"


@given(st.text())
def test_no_unknown_word_survives(text: str) -> None:
    kept = clean(text).lower().split()
    assert all(
        word in vocabulary() or any(c.isdigit() for c in word) or kept[i - 1][0].isdigit()
        for i, word in enumerate(kept)
    )


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=12), st.sampled_from("-_ ^=,"))
def test_a_name_never_survives_beside_terms(name: str, mark: str) -> None:
    cleaned = clean(f"chest{mark}{name}{mark}mr")
    assert name in vocabulary() or name not in words(cleaned)
