"""The commands ``lakeward models ...``, as a person calls them: passwords come by standard input."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from approving import NAME, PASSWORD, Models, evidence
from lakeward.cli import main
from lakeward.governance.approvals.policy import DEFAULT
from lakeward.training.cli import app

POLICY = Path(__file__).parents[2] / "jobs" / "approval_policy.yml"
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward models ... --json` in this process: exit code and what it told."""

    def run_(*arguments: object, people: int = 1) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "models", *map(str, arguments), "--json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n" * people))
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return run_


def _submitted(run: Run, version: str, where: Path) -> None:
    assert run("draft", NAME, version, "--risk", "low", "--by", "dan")[0] == 0
    code, told = run("submit", NAME, version, "--by", "dan")
    assert (code, told["error"]) == (2, "RequestRefused")
    for kind in DEFAULT.low.evidence:
        assert run("attach", NAME, version, kind, evidence(where, kind), "--by", "dan")[0] == 0
    assert run("submit", NAME, version, "--by", "dan")[0] == 0


def test_a_version_is_drafted_signed_promoted_and_retired(models: Models, run: Run, tmp_path: Path) -> None:
    version = models.add()
    _submitted(run, version, tmp_path)
    assert run("promote", NAME, version, "--by", "eve")[0] == 9
    assert run("review", NAME, version, "--by", "ann")[1]["lacks"] == "1 more to approve"
    assert run("approve", NAME, version, "--by", "max")[0] == 8
    assert run("approve", NAME, version, "--by", "bob")[1]["state"] == "approved"
    assert run("promote", NAME, version, "--by", "eve")[1]["champion"] is True
    code, told = run("status", NAME, version)
    assert (code, told["state"], told["artefact as asked"]) == (0, "deployed", True)
    assert [(it["by"], it["meaning"]) for it in told["signatures"]] == [("ann", "review"), ("bob", "approval")]
    assert [it["version"] for it in run("list")[1]] == [version]
    refused = [it["type"] for it in run("history", NAME)[1] if it["outcome"] == "refused"]
    assert refused == ["training.model.promoted", "governance.approval.approved"]
    assert run("retire", NAME, version, "--reason", "Scanner replaced", "--by", "eve")[1]["state"] == "retired"


def test_a_check_that_finds_something_ends_with_1(models: Models, run: Run) -> None:
    assert run("check") == (0, [])
    models.client.set_registered_model_alias(NAME, "champion", models.add())
    code, found = run("check")
    assert (code, found[0]["finding"]) == (1, "alias_changed_outside")


def test_others_say_no_and_an_emergency_takes_two(models: Models, run: Run, tmp_path: Path) -> None:
    first, second = models.add(), models.add()
    _submitted(run, first, tmp_path)
    run("review", NAME, first, "--by", "ann")
    assert run("reject", NAME, first, "--reason", "Misses", "--by", "ann")[1]["state"] == "rejected"
    urgent = ("emergency", NAME, second, "--risk", "low", "--reason", "Outage", "--by", "eve", "--with", "bob")
    assert run(*urgent, people=1)[0] == 7, "the second did not sign"
    code, told = run(*urgent, people=2)
    assert (code, told["state"], told["champion"]) == (0, "emergency", True)
    assert run("withdraw", NAME, second, "--reason", "No", "--by", "dan")[0] == 9
    assert run("rollback", NAME, "--reason", "No", "--by", "eve")[0] == 2


def test_the_policy_is_shown_and_put_in_force(models: Models, run: Run, tmp_path: Path) -> None:
    assert run("policy")[1]["sha256"] == DEFAULT.sha256
    stricter = tmp_path / "policy.yml"
    stricter.write_text(POLICY.read_text().replace("approvers: 1", "approvers: 2"))
    assert run("policy", "--file", stricter, "--by", "dan")[0] == 8
    assert run("policy", "--file", stricter, "--by", "cat")[0] == 10, "another must sign, too"
    assert run("policy", "--file", stricter, "--by", "bob")[1]["policy"]["low"]["approvers"] == 2
    stricter.write_text("high: {}")
    code, told = run("policy", "--file", stricter, "--by", "bob")
    assert (code, "high.approvers" in told["message"]) == (2, True)


def test_a_logged_model_is_registered(models: Models, run: Run) -> None:
    assert run("register", NAME, models.log(), "--by", "dan") == (0, {"model": NAME, "version": "1"})
    assert run("register", NAME, "m-0", "--by", "dan")[0] == 2


def test_every_command_has_an_example_and_speaks_json() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert "Example: lakeward models" in (command.callback.__doc__ or "")
        assert "json" in command.callback.__annotations__
