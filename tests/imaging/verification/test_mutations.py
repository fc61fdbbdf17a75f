"""Each rule of the engine, switched off, makes the verification fail: a check that can't fail proves nothing."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from pydicom import dcmwrite
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileDataset

from lakeward.imaging.deidentification import actions, identity
from lakeward.imaging.deidentification.actions import KEEP, Decision, Plan, Rules
from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.deidentification.standard import confidentiality_table
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.verification import hiding
from lakeward.imaging.verification.answers import check_answers
from lakeward.imaging.verification.consistency import check_objects
from lakeward.imaging.verification.leaks import check_leaks
from lakeward.imaging.verification.markers import Supply
from lakeward.imaging.verification.planting import Planted, Plot, every_attribute, every_sequence
from lakeward.imaging.verification.report import Check
from lakeward.imaging.verification.trial import Trial

ENGINE = "lakeward.imaging.deidentification"
READING = "lakeward.imaging.objects.reading"
OTHER_DAYS = count(-99)
PROCESS = "lakeward.imaging.pipeline.process"


def trial(profile: str) -> Trial:
    return Trial(Recipe(load_profile(profile), bytes(32)))


def leaks(*places: Callable[..., Iterable[Planted]]) -> Callable[[Trial], Iterable[Check]]:
    def checks(on_trial: Trial) -> Iterable[Check]:
        supply = Supply()
        return check_leaks(on_trial, [made for place in places for made in place(on_trial.profile, supply)])

    return checks


def attributes(vr: str | None = None) -> Callable[[Trial], Iterable[Check]]:
    return leaks(lambda profile, supply: [every_attribute(profile, supply, vr)])


def objects(on_trial: Trial) -> Iterable[Check]:
    return check_objects(on_trial, [])[0]


def written_as_it_was(ds: FileDataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds)
    return buffer.getvalue()


def failing(checks: Iterable[Check]) -> list[str]:
    return [check.name for check in checks if check.failed]


def nothing(*args: Any, **more: Any) -> None:
    return None


SWITCHED_OFF: dict[str, tuple[str, Any, str, Callable[[Trial], Iterable[Check]]]] = {
    "table": (f"{ENGINE}.actions.Rules._listed", lambda *_: KEEP, "basic", attributes()),
    "unlisted attributes": (f"{ENGINE}.actions.Rules._unlisted", lambda *_: KEEP, "basic", attributes()),
    "unlisted names": (f"{ENGINE}.actions._NAMING", frozenset(), "basic", attributes()),
    "dates": (f"{ENGINE}.actions.Rules._temporal", lambda *_: KEEP, "basic", attributes()),
    "opaque bytes": (f"{ENGINE}.actions._OPAQUE", (), "basic", attributes()),
    "private": (f"{ENGINE}.actions.Rules._private", lambda *_: KEEP, "research", leaks(hiding.around_the_data_set)),
    "form of values": (f"{ENGINE}.deidentifier._has_form", lambda *_: True, "basic", attributes("UN")),
    "VR": (f"{ENGINE}.deidentifier._is_readable", lambda *_: True, "basic", attributes("PN")),
    "number of values": (f"{ENGINE}.actions._max_values", nothing, "basic", attributes("UN")),
    "names": (f"{ENGINE}.deidentifier._names_someone", lambda *_: False, "basic", leaks(hiding.names_elsewhere)),
    "names, fast": (f"{ENGINE}.quick._stays", lambda *_: True, "basic", leaks(hiding.names_elsewhere)),
    "form of values, fast": (f"{ENGINE}.quick.is_valid", lambda *_: True, "basic", leaks(hiding.wrong_forms)),
    "nested pixels": (f"{ENGINE}.deidentifier._PIXEL_DATA", frozenset(), "research", leaks(hiding.beside_the_image)),
    "overlay bits": (f"{ENGINE}.overlays.clear_embedded", nothing, "research", leaks(hiding.behind_the_image)),
    "codestreams": (f"{ENGINE}.codestreams.clear_text", nothing, "research", leaks(hiding.inside_codestreams)),
    "personal content": (f"{ENGINE}.content.is_personal", lambda *_: False, "longitudinal", leaks(hiding.a_report)),
    "codes": (f"{ENGINE}.codes.clean", lambda *_: True, "research", leaks(hiding.a_report)),
    "descriptors": (f"{ENGINE}.descriptors.clean", lambda text, *_: text, "research", attributes()),
    "meta information": (f"{PROCESS}.encode", written_as_it_was, "research", leaks(hiding.around_the_data_set)),
    "gates": (f"{PROCESS}.gates.check", nothing, "research", leaks(hiding.documents)),
    "completeness": (f"{READING}.check_complete", nothing, "research", leaks(hiding.behind_the_image)),
    "stamps": (f"{ENGINE}.stamps.stamp", nothing, "research", objects),
    "UIDs": (f"{ENGINE}.pseudonyms.Pseudonyms.uid", lambda _, original: original, "research", objects),
    "keyed texts": (f"{ENGINE}.pseudonyms.Pseudonyms.text", lambda _, original: original, "basic", attributes()),
    "patients": (f"{ENGINE}.pseudonyms.Pseudonyms.patient", lambda _, identity: identity, "research", objects),
    "shift": (f"{ENGINE}.deidentifier.shift {ENGINE}.quick.shift", lambda vr, text, days: text, "research", objects),
    "one shift": (f"{ENGINE}.pseudonyms.Pseudonyms.days", lambda *_: next(OTHER_DAYS), "research", objects),
    "masks": (f"{PROCESS}.cleaning.clean", nothing, "research-pixels", check_answers),
}  # fmt: skip


@pytest.mark.parametrize("rule", SWITCHED_OFF)
def test_a_rule_switched_off_is_noticed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    targets, instead, profile, checks = SWITCHED_OFF[rule]
    assert failing(checks(trial(profile))) == []
    for target in targets.split():
        monkeypatch.setattr(target, instead)
    assert failing(checks(trial(profile)))


@pytest.mark.parametrize(
    ("action", "profile"), [("X", "basic"), ("Z", "basic"), ("D", "basic"), ("U", "basic"), ("C", "research")]
)
def test_an_action_switched_off_is_noticed(action: str, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = Rules._make_plan

    def without(self: Rules, tag: int, declared: str, creator: str | None) -> Plan:
        plan = genuine(self, tag, declared, creator)
        return replace(plan, decision=Decision("K", "", by_user=True)) if plan.decision.action == action else plan

    monkeypatch.setattr(Rules, "_make_plan", without)
    assert failing(attributes()(trial(profile)))


def test_sequences_that_are_not_gone_into_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{ENGINE}.deidentifier.Deidentifier._descend", nothing)
    assert failing(leaks(lambda profile, supply: [every_sequence(profile, supply)])(trial("basic")))


def _one(tag: int) -> Callable[..., Iterable[Planted]]:
    def make(profile: Any, supply: Supply) -> Iterable[Planted]:
        plot = Plot(profile, supply, "one attribute")
        made = plot.attribute(tag)
        assert made
        plot.ds.add_new(tag, made[0], made[1].decode().strip())
        return [plot.finish(f"{tag:08X}")]

    return make


def test_each_row_of_the_table_switched_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the rows of texts and numbers: identifiers, names, dates, UIDs and bytes go by other rules too."""
    plain = ("LO", "SH", "LT", "ST", "UT", "UC", "CS", "DS", "IS")
    others = {*identity.TELLING, 0x0040A160, 0x00080201}
    rows = [int(row, 16) for row in confidentiality_table() if row.isalnum() and "x" not in row and row != "ggggeeee"]
    tags = [tag for tag in rows if tag in DicomDictionary and DicomDictionary[tag][0] in plain and tag not in others]
    genuine = actions.lookup
    assert len(tags) > 250
    unnoticed = []
    for tag in tags:
        monkeypatch.setattr(actions, "lookup", lambda asked, off=tag: None if asked == off else genuine(asked))
        if not failing(leaks(_one(tag))(trial("basic"))):
            unnoticed.append(f"{tag:08X}")
    assert unnoticed == []
