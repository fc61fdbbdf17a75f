"""The commands ``lakeward audit ...``, as a person calls them."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeward.cli import main
from lakeward.governance.cli import app
from lakeward.governance.trail.keeping import floor
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event

Run = Callable[..., tuple[int, str]]
TODAY = datetime.now(UTC).date()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward audit ...` in this process: exit code and what it printed."""

    def run_(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return run_


@pytest.fixture
def trail(home: Path) -> Trail:
    """Three events of two kinds, after the one that opens the log."""
    trail = Trail()
    trail.append(
        Event(type="imaging.export.started", object="cohort-a", actor="ann", details={"images": 3}),
        Event(type="imaging.crosswalk.looked_up", object="LW1", actor="ben", reason="=cmd|calc"),
        Event(type="imaging.export.started", object="cohort-b", actor="ben", details={"images": 4}),
    )
    return trail


def _told(run: Run, *arguments: object) -> Any:
    code, text = run(*arguments, "--json")
    assert code == 0, text
    return json.JSONDecoder().raw_decode(text)[0]


@pytest.mark.parametrize(
    ("options", "objects"),
    [
        (["--event-type", "export"], ["cohort-a", "cohort-b"]),
        (["--event-type", "imaging.crosswalk.looked_up"], ["LW1"]),
        (["--event-type", "export", "--event-type", "phi_access", "--actor", "ben"], ["LW1", "cohort-b"]),
        (["--event-type", "export", "--event-type", "imaging.crosswalk.searched"], ["cohort-a", "cohort-b"]),
        (["--object", "cohort-b"], ["cohort-b"]),
        (["--event-type", "export", "--start-date", TODAY, "--end-date", TODAY], ["cohort-a", "cohort-b"]),
        (["--event-type", "export", "--start-date", TODAY + timedelta(days=1)], []),
        (["--end-date", TODAY - timedelta(days=1)], []),
    ],
)
def test_events_are_found(trail: Trail, run: Run, options: list[object], objects: list[str]) -> None:
    assert [it["object"] for it in _told(run, "query", *options)] == objects


def test_they_are_printed_as_asked(trail: Trail, run: Run) -> None:
    assert "cohort-a" in run("query")[1]
    assert json.loads(run("query", "--format", "json")[1])[1]["details"] == {"images": 3}
    rows = list(csv.DictReader(io.StringIO(run("query", "--format", "csv")[1])))
    assert [row["object"] for row in rows][1:] == ["cohort-a", "LW1", "cohort-b"]
    assert rows[2]["reason"] == "'=cmd|calc"
    none = run("query", "--event-type", "login", "--format", "csv")[1]
    assert none == ",".join(rows[0]) + "\n", "a program that reads CSV gets a table with no rows"
    assert "there are more" in run("query", "--limit", "1")[1]


def test_days_the_wrong_way_round_are_refused(trail: Trail, run: Run) -> None:
    """Else an auditor would read that nothing had happened."""
    code, text = run("query", "--start-date", TODAY, "--end-date", TODAY - timedelta(days=1))
    assert code == 2
    assert "comes before the first" in text


def test_an_unknown_kind_is_named_with_those_that_there_are(trail: Trail, run: Run) -> None:
    code, text = run("query", "--event-type", "exprot")
    assert code == 2
    assert "phi_access" in text


def test_a_whole_trail_is_verified_and_a_changed_one_ends_with_one(trail: Trail, run: Run, tmp_path: Path) -> None:
    key = tmp_path / "audit.vkey"
    key.write_text(run("keys")[1])
    assert _told(run, "verify", "--key", key)["events"] == 4
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET data = replace(data, 'LW1', 'LW2')")
    code, text = run("verify", "--json")
    assert code == 1
    found = json.loads(text)["findings"][0]
    assert (found["fault"], found["event"]) == ("edit", 2)


@pytest.mark.parametrize("page", [0, 1, 3, 6])
def test_a_damaged_file_is_a_finding_and_no_defect(trail: Trail, run: Run, page: int) -> None:
    with closing(sqlite3.connect(trail.store.path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with trail.store.path.open("r+b") as file:
        file.seek(page * 4096)
        file.write(b"?" * 4096)
    code, text = run("verify", "--json")
    assert code == 1
    assert [it["fault"] for it in json.loads(text)["findings"]] == ["edit"]
    code, text = run("query")
    assert code in (0, 1)  # a page that it does not need may be the damaged one
    assert code == 0 or "is damaged" in text


def test_a_proof_is_checked_where_there_is_no_trail(
    trail: Trail, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, key = tmp_path / "proof.json", tmp_path / "audit.vkey"
    run("rotate-key")
    run("prove", "2", "--output", proof)
    key.write_text(run("keys")[1])
    monkeypatch.setenv("LAKEWARD_HOME", str(tmp_path / "elsewhere"))
    assert _told(run, "check-proof", proof, "--key", key)["event"]["object"] == "LW1"
    proof.write_text(proof.read_text().replace("LW1", "LW2"))
    assert run("check-proof", proof, "--key", key)[0] == 1
    assert run("check-proof", proof, "--key", "no-such-file.vkey")[0] == 2, "nothing was checked"
    assert not (tmp_path / "elsewhere").exists()


def test_between_two_heads_nothing_was_changed_which_is_checked_where_there_is_no_trail(
    trail: Trail, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads, proof, key = [tmp_path / "4.head", tmp_path / "5.head"], tmp_path / "proof.json", tmp_path / "audit.vkey"
    for file in heads:
        file.write_text(_told(run, "verify")["head"])
        trail.rotate_key()
    key.write_text(run("keys")[1])
    run("prove-consistency", heads[0], "--newer", heads[1], "--output", proof)
    assert run("prove-consistency", heads[1], "--newer", heads[0])[0] == 1
    assert _told(run, "prove-consistency", heads[1])["older"] == heads[1].read_text()
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET leaf = zeroblob(32) WHERE sequence = 1")
    code, text = run("prove-consistency", heads[0])
    assert code == 1
    assert "rewritten" in text
    monkeypatch.setenv("LAKEWARD_HOME", str(tmp_path / "elsewhere"))
    told = _told(run, "check-proof", proof, "--key", key)
    assert (told["older"], told["newer"]) == (4, 5)
    whole = json.loads(proof.read_text())
    for name, value in (("hashes", 2 * whole["hashes"]), ("older", heads[1].read_text()), ("newer", "")):
        proof.write_text(json.dumps({**whole, name: value}))
        assert run("check-proof", proof, "--key", key)[0] == 1


def test_an_event_is_proven_by_its_id_too(trail: Trail, run: Run) -> None:
    event = _told(run, "query", "--object", "LW1")[0]
    assert _told(run, "prove", event["id"]) == _told(run, "prove", event["sequence"])
    assert run("prove", "4711")[0] == 2


def test_silence_is_told_from_rest(trail: Trail, run: Run) -> None:
    assert run("validate-continuity")[0] == 0
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE recent SET data = replace(data, 'recorded\":\"{TODAY.year}', 'recorded\":\"2020')")
    code, text = run("validate-continuity", "--json")
    assert code == 1
    assert json.loads(text)[-1]["minutes"] > 100_000
    run("heartbeat")
    assert len(json.loads(run("validate-continuity", "--json")[1])) == 1


def test_a_head_is_anchored_in_a_git_repository(trail: Trail, run: Run, tmp_path: Path) -> None:
    place = tmp_path / "heads"
    for arguments in (["init", "-q", place], ["-C", place, "config", "user.name", "A"],
                      ["-C", place, "config", "user.email", "a@example.com"]):  # fmt: skip
        subprocess.run(["git", *arguments], check=True)
    run("anchor", place)
    assert _told(run, "verify")["anchored_heads"] == 1
    log = subprocess.run(["git", "-C", place, "log", "--format=%s"], capture_output=True, text=True, check=True)
    assert log.stdout == "Head of 5 events\n"
    for file in place.glob("*.checkpoint"):
        file.unlink()
    code, text = run("verify")
    assert code == 1
    assert "no head is left" in text


def test_heads_of_two_logs_do_not_share_a_folder(trail: Trail, run: Run, tmp_path: Path) -> None:
    (tmp_path / "000000000005.checkpoint").write_text("another")
    code, text = run("anchor", tmp_path)
    assert code == 2
    assert "another log's head" in text
    assert run("verify", "--anchor", tmp_path / "nowhere")[0] == 2


def test_what_is_new_is_published(trail: Trail, run: Run) -> None:
    assert _told(run, "publish")["events"] == 4
    assert "0 events were added to governance.audit" in run("publish")[1]


def test_nothing_goes_before_seven_years(trail: Trail, run: Run) -> None:
    code, text = run(
        "retention", "--apply", "--reason", "Yearly deletion", "--before", floor(TODAY) + timedelta(days=1)
    )
    assert code == 2
    assert "kept for 7 years" in text
    assert _told(run, "retention")["events"] == 0


def test_a_deletion_of_nothing_is_not_recorded(trail: Trail, run: Run) -> None:
    code, text = run("retention", "--apply", "--reason", "Yearly deletion")
    assert (code, "0 events" in text, "nothing recorded" in text) == (0, True, True)
    assert _told(run, "query", "--event-type", "governance.audit.retired") == []


def test_a_reason_is_erased_for_good_and_the_tree_stands(trail: Trail, run: Run) -> None:
    assert run("redact", "2", "--field", "images", "--reason", "Request 17")[0] == 2
    with trail.view() as view:
        gone = view.select(Wanted(start=2))[0].payload
    assert gone
    assert _told(run, "redact", "2", "--field", "reason", "--reason", "Request 17")["event"] == 2
    assert _told(run, "query", "--object", "LW1")[0]["erased"] == 1
    assert all(gone not in file.read_bytes() for file in trail.folder.iterdir())
    assert run("verify")[0] == 0
    assert run("redact", "4", "--field", "digests", "--reason", "Hide it")[0] == 2


def test_a_legal_hold_keeps_what_it_covers(trail: Trail, run: Run) -> None:
    run("hold", "case-1", "--object", "LW1", "--reason", "Litigation")
    assert "case-1" in run("redact", "2", "--field", "reason", "--reason", "Request 17")[1]
    assert run("redact", "1", "--field", "images", "--reason", "Request 18")[0] == 0
    run("release", "case-1", "--reason", "Settled")
    assert run("redact", "2", "--field", "reason", "--reason", "Request 17")[0] == 0
    assert run("release", "case-1", "--reason", "Again")[0] == 2


def test_every_command_has_an_example_and_speaks_json() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert "Example: lakeward audit" in (command.callback.__doc__ or "")
        assert "json" in command.callback.__annotations__
