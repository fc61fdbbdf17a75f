"""Profiles are small YAML files; what is wrong in one is named."""

from pathlib import Path

import pytest

from lakeward.imaging.deidentification.profile import Profile, UserRule, load_profile, shipped
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.reasons import Reason
from lakeward.workspace.errors import ConfigurationError


def test_ships_the_basic_profile_and_three_for_research() -> None:
    assert shipped() == ["basic", "longitudinal", "research", "research-pixels"]
    assert all(load_profile(name).name == name and load_profile(name).description for name in shipped())
    assert load_profile("basic").options == load_profile("basic").rules == ()


def test_loads_a_users_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\noptions: [clean_descriptors]\nmax_age: 90\naccept: [burned_in_risk]\n"
        'rules:\n  - {tag: "0018,9xxx", action: X}\n  - {creator: ACME, tag: "(0029,xx10)", action: K}\n'
    )
    profile = load_profile(file)
    assert profile.has(Option.CLEAN_DESCRIPTORS)
    assert profile.accept == {Reason.BURNED_IN_RISK}
    assert [rule.tag for rule in profile.rules] == ["00189xxx", "0029xx10"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "Input should be"),
        ("name: Bad Name", "name"),
        ("name: a\ncolour: red", "colour"),
        ("name: a\noptions: [retain_everything]", "options.0"),
        ("name: a\noptions: [retain_full_dates, retain_modified_dates]", "exclude each other"),
        ("name: a\noptions: [clean_recognizable_visual_features]\naccept: [recognizable_features]", "keep one"),
        ("name: a\noptions: [clean_pixel_data]\naccept: [burned_in_risk]", "keep one"),
        ("name: a\nregions: [{rows: 2, columns: 2, mask: [[0, 0, 1, 1]]}]", "clean_pixel_data"),
        ("name: a\nregions: [{rows: 2, columns: 2, mask: [[0, 0, 3, 1]]}]", "inside rows and columns"),
        ("name: a\naccept: [truncated]", "no profile can accept"),
        ("name: a\nmax_age: 0", "max_age"),
        ("name: a\ntransfer_syntax: jpeg", "transfer_syntax"),
        ("name: a\nrules: [{action: X}]", "needs a condition"),
        ("name: a\nrules: [{tag: here, action: X}]", "hexadecimal"),
        ('name: a\nrules: [{value: "(", action: X}]', "regular expression"),
        ("name: a\nrules: [{vr: LO, action: shred}]", "rules.0.action"),
        ("name: [", "not valid YAML"),
    ],
)
def test_says_what_is_wrong_in_a_file(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"wrong\.yaml") as error:
        load_profile(file)
    assert named in str(error.value)


def test_says_which_profiles_there_are() -> None:
    with pytest.raises(ConfigurationError, match="basic, longitudinal, research, research-pixels"):
        load_profile("bassic")


def test_research_with_pixels_is_research_and_one_option_more() -> None:
    research, pixels = load_profile("research"), load_profile("research-pixels")
    assert set(pixels.options) == {*research.options, Option.CLEAN_PIXEL_DATA}
    told = {"name", "description", "options"}
    assert pixels.model_dump(exclude=told) == research.model_dump(exclude=told)


def test_the_hash_is_of_what_decides_the_output() -> None:
    one = Profile(name="one", options=(Option.RETAIN_UIDS, Option.CLEAN_DESCRIPTORS))
    same = Profile(name="other", description="...", options=(Option.CLEAN_DESCRIPTORS, Option.RETAIN_UIDS))
    assert one.hash == same.hash
    differing = [
        Profile(name="one"),
        one.accepting(Reason.BURNED_IN_RISK),
        Profile(name="one", options=one.options, max_age=90),
        Profile(name="one", options=one.options, transfer_syntax="htj2k"),
        Profile(name="one", options=one.options, rules=(UserRule(vr="LO", action="X"),)),
    ]
    assert len({one.hash, *(profile.hash for profile in differing)}) == 6


def test_a_rule_fits_where_all_its_conditions_hold() -> None:
    rule = UserRule(tag="(0018,10xx)", vr="LO", keyword="Device*", action="K")
    assert rule.fits(0x00181000, "LO", "DeviceSerialNumber", None)
    assert not rule.fits(0x00181100, "LO", "DeviceSerialNumber", None)
    assert not rule.fits(0x00181000, "SH", "DeviceSerialNumber", None)
    assert not rule.fits(0x00181000, "LO", "GantryID", None)
