"""The key is changed: nothing but the crosswalk says then who was who."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeward.imaging.deidentification.crosswalk import WrongKey
from lakeward.imaging.pipeline.ingest import ingest
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import quarantine_folder
from lakeward.imaging.stewardship import purge, rotation
from lakeward.imaging.stewardship.accountability import Held
from lakeward.imaging.stewardship.crosswalk import NotInCrosswalk, find, lookup
from lakeward.imaging.stewardship.rotation import NotRetirable, retire
from lakeward.imaging.stewardship.traces import search
from lakeward.imaging.tables import CROSSWALK, FILES, IMAGES
from lakeward.workspace.lakehouse import query
from lakeward.workspace.settings import settings
from recorded import recorded

REASON = "Asked by the ethics board, protocol 12"


def test_a_key_stays_while_files_are_there_under_no_other(case: Any) -> None:
    assert case.too_early.startswith("9 files are there under no other key")
    with pytest.raises(NotRetirable, match="No run had the key"):
        retire("0" * 16, REASON)


def test_who_is_there_under_both_keys_is_found_under_both_by_the_files(case: Any) -> None:
    keys = {case.before[1]: case.old.pseudonyms.key_id, case.patients[1]: case.recipe.pseudonyms.key_id}
    assert case.under_both.patients == keys
    assert len(case.under_both.pixels) == 4
    contents = [(case.source / name).read_bytes() for name in ("1.dcm", "4.dcm", "ultrasound", "cut")]
    assert case.under_both.sources == {r.pseudonyms.source(c) for r in (case.old, case.recipe) for c in contents}


def test_a_key_stays_while_a_legal_hold_names_a_patient_by_it(case: Any, held: Any) -> None:
    assert case.retired
    now = case.recipe.pseudonyms.key_id
    with held(case.patients[0]), pytest.raises(Held, match="case-4711"):
        retire(now, REASON, incomplete=True)
    assert query(f"SELECT key_id FROM {IMAGES.name} WHERE key_id = '{now}'", IMAGES).num_rows >= 2
    assert [(event.object, event.outcome) for event in recorded("imaging.key.kept")] == [(now, "refused")]


@pytest.mark.usefixtures("spark")
def test_originals_in_quarantine_stay_under_a_hold_and_all_go_though_it_was_killed(
    tmp_path: Path, recipe: Recipe, build: Callable[..., bytes], held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ultrasound").write_bytes(build(0, modality="US"))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", recipe.key.hex())
    key = recipe.pseudonyms
    assert ingest(tmp_path, recipe).quarantined == 1
    with held(key.patient("id:QXZJWK-0")), pytest.raises(Held):
        retire(key.key_id, REASON, incomplete=True)
    assert len([*quarantine_folder().iterdir()]) == 1

    def killed_at_the_last(spark: Any, table: Any, *rest: Any) -> None:
        if table == FILES:
            raise KeyboardInterrupt
        purge.delete(spark, table, *rest)

    monkeypatch.setattr(rotation, "delete", killed_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        retire(key.key_id, REASON, incomplete=True)
    monkeypatch.setattr(rotation, "delete", purge.delete)
    monkeypatch.setattr(rotation, "purge", lambda *_: None)  # what takes time, and is seen to below
    retire(key.key_id, REASON, incomplete=True)
    assert [*quarantine_folder().iterdir()] == []


def test_a_key_that_is_retired_leaves_nothing_but_its_crosswalk(case: Any) -> None:
    assert (case.retired.objects, case.retired.lost, case.retired.copies) == (6, 0, 3)
    assert set(query(f"SELECT key_id FROM {IMAGES.name}", IMAGES)["key_id"].to_pylist()) == {
        case.recipe.pseudonyms.key_id
    }
    assert set(query(f"SELECT key_id FROM {FILES.name}", FILES)["key_id"].to_pylist()) == {
        case.recipe.pseudonyms.key_id
    }
    found = search(settings().home, [case.before[0]], without=case.source).found
    assert found
    assert all(path.startswith("intake/crosswalk") for path in found)


def test_old_and_new_pseudonym_are_linked_by_the_crosswalk_alone(case: Any) -> None:
    assert case.retired
    rows = query(f"SELECT * FROM {CROSSWALK.name} WHERE kind = 'patient'", CROSSWALK).to_pylist()
    by_name = {row["pseudonym"]: row for row in rows}
    old, new = by_name[case.before[0]], by_name[case.patients[0]]
    assert {name for name in old if name != "kind" and old[name] == new[name]} == {"crosswalk_key_id"}
    originals = [lookup(name, REASON, case.crosswalk).original for name in (case.before[0], case.patients[0])]
    assert originals == ["id:QXZJWK-0"] * 2
    matches = find(["nobody", "QXZJWK-0"], REASON, case.crosswalk)
    assert {(match.line, match.pseudonym) for match in matches} == {(2, case.before[0]), (2, case.patients[0])}


def test_entries_that_are_sealed_anew_are_opened_by_the_new_key_alone(case: Any) -> None:
    assert case.retired
    assert case.resealed == 3 + 3 + 1 + 6  # patients, studies, series, instances
    with pytest.raises(WrongKey):
        lookup(case.before[0], REASON, case.crosswalks[0])
    old = case.crosswalks[0].key_id.encode()
    files = [path for path in CROSSWALK.location.rglob("*") if path.is_file()]
    assert [path for path in files if old in path.read_bytes()] == []


def test_every_look_is_recorded_with_its_reason_and_without_the_original(case: Any) -> None:
    assert case.retired
    with pytest.raises(NotInCrosswalk):
        lookup("LWAAAAAAAAAAAAAA", REASON, case.crosswalk)
    looks = recorded("imaging.crosswalk.looked_up")
    assert {"LWAAAAAAAAAAAAAA", case.before[0]} <= {event.object for event in looks}
    assert REASON in {event.reason for event in looks}
    assert "QXZJWK" not in str(recorded())
