"""Dates moved, kept or removed, and ages."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invented import BASIC, KEY, RESEARCH, a_profile, an_object, cleaned
from lakeward.imaging.deidentification.profile import Profile, load_profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import encode

times = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0))


@settings(max_examples=25)
@given(times, times, times)
def test_intervals_of_a_patient_stay_exact_also_in_private_timing(
    study: datetime, scan: datetime, tracer: datetime
) -> None:
    first, second = an_object(StudyDate=f"{study:%Y%m%d}"), an_object(AcquisitionDateTime=f"{scan:%Y%m%d%H%M%S}")
    second.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x3B, "DT", f"{tracer:%Y%m%d%H%M%S}.00")
    for ds in (first, second):
        cleaned(ds, RESEARCH)
    moved = datetime.strptime(first.StudyDate, "%Y%m%d")
    by = moved - datetime(study.year, study.month, study.day)
    assert timedelta(-3650) <= by < timedelta(0)
    assert datetime.strptime(second.AcquisitionDateTime, "%Y%m%d%H%M%S") - scan == by
    assert datetime.strptime(second[0x0009103B].value, "%Y%m%d%H%M%S.00") - tracer == by


def test_private_timing_is_read_by_what_is_known_of_it_where_its_vr_is_not_given() -> None:
    ds = an_object()
    ds.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x3B, "UN", b"20240301120000")
    days = KEY.days("id:P1")
    assert (
        cleaned(read_object(encode(ds)), RESEARCH)[0x0009103B].value
        == f"{datetime(2024, 3, 1, 12) + timedelta(days):%Y%m%d%H%M%S}"
    )


def test_dates_are_kept_moved_or_removed_as_the_profile_says() -> None:
    def dates(profile: Profile) -> tuple[str, str]:
        ds = cleaned(an_object(StudyDate="20240301", DateOfGainCalibration="20240301"), profile)
        return ds.StudyDate or "", ds.get("DateOfGainCalibration", "")

    moved = f"{datetime(2024, 3, 1) + timedelta(KEY.days('id:P1')):%Y%m%d}"
    assert dates(BASIC) == ("", "")
    assert dates(RESEARCH) == (moved, moved)
    assert dates(load_profile("longitudinal")) == ("20240301", "20240301")


@pytest.mark.parametrize("value", ["202403", "19", "00010101", "20240230"])
def test_what_can_not_be_moved_goes(value: str) -> None:
    ds = an_object(SeriesDate=value, AcquisitionDateTime=value)
    assert value not in (cleaned(ds, RESEARCH).get("SeriesDate"), ds.get("AcquisitionDateTime"))


def test_a_birth_date_is_never_moved_or_kept() -> None:
    for name in ("research", "longitudinal"):
        assert cleaned(an_object(PatientBirthDate="19580312"), load_profile(name)).PatientBirthDate in (None, "")


def test_ages_of_ninety_and_more_are_one() -> None:
    capped = a_profile(Option.RETAIN_PATIENT_CHARACTERISTICS, max_age=90)
    assert cleaned(an_object(PatientAge="089Y"), capped).PatientAge == "089Y"
    assert cleaned(an_object(PatientAge="101Y"), capped).PatientAge == "090Y"
    assert cleaned(an_object(SelectorASValue=["101Y", "011M"]), capped).SelectorASValue == ["090Y", "011M"]
    assert cleaned(an_object(PatientAge="101Y"), a_profile(*capped.options)).PatientAge == "101Y"
