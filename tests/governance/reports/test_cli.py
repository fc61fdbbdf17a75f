"""The commands ``lakeward report ...``, as a person calls them."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from furnished import PASSWORD, World
from lakeward.cli import main
from lakeward.governance.people.people import People
from lakeward.governance.reports.cli import app

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward report ...` in this process: exit code and what it printed."""

    def run_(*arguments: object, said: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "report", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return run_


def test_a_month_is_reported_with_its_evidence(world: World, run: Run, tmp_path: Path) -> None:
    asked = ("compliance", "--report-type", "monthly", "--month", "2026-11", "--output", tmp_path / "a.json", "--json")
    code, text = run(*asked)
    assert code == 0
    told = json.loads(text)
    assert told["percent"] == json.loads((tmp_path / "a.json").read_text())["facts"]["score"]["percent"]
    assert (Path(told["evidence"]) / "SHA256SUMS").exists()
    assert run("compliance", "--month", "2026-11", "--output", tmp_path / "a.docx")[0] == 2


@pytest.fixture
def now(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The furnished lakehouse, in which the commands' clock is the world's."""
    monkeypatch.setattr(People.__init__, "__defaults__", (None, lambda: world.clock.at.timestamp()))
    return world


def test_a_report_is_signed_and_every_later_change_is_found(now: World, run: Run, tmp_path: Path) -> None:
    report = tmp_path / "a.json"
    run("compliance", "--month", "2026-11", "--output", report)
    assert "there is no signature" in run("check", report)[1]
    assert run("sign", report, "--by", "ann", said=f"{PASSWORD}\n{now.code('ann')}\n")[0] == 8
    assert run("sign", report, "--by", "carl", said=f"not it\n{now.code('carl')}\n")[0] == 7
    code, text = run("sign", report, "--by", "carl", said=f"{PASSWORD}\n{now.code('carl')}\n")
    assert code == 0, text
    code, text = run("check", report, "--json")
    assert (code, json.loads(text)["name"]) == (0, "Dr. Carl Lee")
    evidence = tmp_path / "a.json.evidence" / "audit_kept.json"
    kept = evidence.read_bytes()
    evidence.write_bytes(b"{}")
    assert "audit_kept.json was changed" in run("check", report)[1]
    evidence.write_bytes(kept)
    assert run("check", report)[0] == 0
    report.write_text(report.read_text().replace("2026", "2025"))
    code, text = run("check", report)
    assert code == 1
    assert "not the one that was signed" in text
    assert "does not know this file" in text


def test_it_is_made_sealed_and_then_signed_in_one_step(now: World, run: Run, tmp_path: Path) -> None:
    asked = ("compliance", "--month", "2026-11", "--output", tmp_path / "a.pdf", "--sign-by", "carl")
    assert run(*asked, said=f"{PASSWORD}\n{now.code('carl')}\n")[0] == 0
    assert b"/ETSI.CAdES.detached" in (tmp_path / "a.pdf").read_bytes()
    assert run("check", tmp_path / "a.pdf")[0] == 0


def test_every_command_has_an_example_and_speaks_json() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert "Example: lakeward report" in (command.callback.__doc__ or "")
        assert "json" in command.callback.__annotations__
