"""A patient is withdrawn from a lakehouse of three: nothing of them is left, and all of the others is."""

from typing import Any

import pytest

from lakeward.imaging.stewardship.accountability import Held
from lakeward.imaging.stewardship.traces import search
from lakeward.imaging.stewardship.withdrawal import UnknownPatient, withdraw
from lakeward.imaging.tables import IMAGES, TABLES, WITHDRAWN
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.lakehouse import history, query
from lakeward.workspace.settings import settings
from recorded import recorded

REASON = "The patient has withdrawn consent"


def test_everything_of_the_patient_goes_and_nothing_else(case: Any) -> None:
    assert (case.withdrawn.objects, case.withdrawn.hits) == (2, 0)
    assert len(case.withdrawn.unattributed) == 1  # the notes
    assert [len(case.traces_before.found) > 5, case.withdrawn.elsewhere] == [True, {}]


def test_their_files_are_refused_when_they_come_again_and_no_copy_is_kept(case: Any) -> None:
    assert case.first.by_reason == {"burned_in_risk": 1, "not_dicom": 1, "truncated": 1}
    assert (case.again.found, case.again.known) == (9, 5)
    assert case.again.by_reason == {"withdrawn": 4}
    assert case.kept == case.withdrawn.unattributed
    assert list(case.counts.values()) == [4, 4, 5, 9]  # images, pixels, quarantine, files
    patients = query(f"SELECT DISTINCT patient_id FROM {IMAGES.name}", IMAGES)["patient_id"].to_pylist()
    assert set(patients) == {case.patients[0], case.patients[2]}


def test_no_byte_of_the_lakehouse_has_a_name_of_theirs(case: Any) -> None:
    assert case.again
    sources = {name for name in case.names if len(name) == 64}
    assert search(settings().home, case.names - sources, without=case.source).found == {}
    others = search(settings().home, [case.patients[0]], without=case.source)
    assert any(path.startswith("imaging/pixels") for path in others.found)


def test_it_is_remembered_and_recorded_under_a_name_that_needs_the_key(case: Any) -> None:
    name = case.recipe.pseudonyms.withdrawn(case.patients[1])
    assert set(case.withdrawn.patients) == {name, case.old.pseudonyms.withdrawn(case.before[1])}
    assert query(f"SELECT withdrawn FROM {WITHDRAWN.name}", WITHDRAWN)["withdrawn"].to_pylist().count(name) == 1
    assert (name, REASON) in {(event.object, event.reason) for event in recorded("imaging.patient.withdrawn")}


def test_nothing_is_removed_once_another_machine_has_taken_over(case: Any) -> None:
    assert case.overtaken == 2


def test_an_interrupted_one_is_finished_when_it_is_run_again(case: Any) -> None:
    assert any("_delta_log" in path for path in case.interrupted)
    assert (case.withdrawn.objects, case.withdrawn.hits) == (2, 0)
    assert list((settings().home / "intake" / "withdrawals").iterdir()) == []


def test_a_pseudonym_that_nobody_has_is_refused_and_a_reason_is_needed(case: Any) -> None:
    assert case.first
    with pytest.raises(UnknownPatient, match="Nothing is here of 1"):
        withdraw(REASON, case.recipe.pseudonyms, ["LWAAAAAAAAAAAAAA"])
    with pytest.raises(ConfigurationError, match="too short"):
        withdraw("because", case.recipe.pseudonyms, [case.patients[0]])


def test_a_patient_stays_while_a_legal_hold_keeps_them_by_whatever_pseudonym(case: Any, held: Any) -> None:
    assert case.withdrawn
    before = [history(table)[0]["version"] for table in TABLES]
    # Only the crosswalk knows the pseudonym under the key that was retired.
    for kept in (case.before[0], ""):
        with held(kept), pytest.raises(Held, match="case-4711"):
            withdraw(REASON, case.recipe.pseudonyms, [case.patients[0]])
    assert [history(table)[0]["version"] for table in TABLES] == before
    refused = [event for event in recorded("imaging.patient.kept") if event.reason == REASON]
    assert {event.object for event in refused} == {case.recipe.pseudonyms.withdrawn(case.patients[0])}
    assert [(event.outcome, event.details) for event in refused] == [("refused", {"holds": ["case-4711"]})] * 2
