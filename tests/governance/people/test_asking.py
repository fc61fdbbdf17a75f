"""Who may touch patients' data, as soon as there is somebody."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from lakeward.cli import main
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Action, Role
from lakeward.governance.people.store import Person
from lakeward.imaging.deidentification.crosswalk import Crosswalk
from lakeward.imaging.tables import CROSSWALK
from lakeward.workspace.lakehouse import add
from lakeward.workspace.ports import Right
from recorded import recorded

PASSWORD = "correct horse battery"
PATIENT = "LWABCDEFGHIJKLMN"
WHY = ("--reason", "Incidental finding, case 12")
COMMANDS = [
    ("imaging crosswalk lookup", (PATIENT, *WHY), "patient.identify"),
    ("imaging crosswalk find", WHY, "patient.identify"),
    ("imaging crosswalk reseal", ("--old", "crosswalk_key", *WHY), "key.rotate"),
    ("imaging export", ("out",), "image.export"),
    ("imaging quarantine release", ("3f2a", *WHY), "image.review"),
    ("imaging review next", ("--out", "out"), "image.review"),
    ("imaging review verdict", ("clean", "3f2a"), "image.review"),
    ("imaging withdraw", (PATIENT, *WHY), "patient.withdraw"),
    ("imaging retire-key", ("27ac75fb06cf9f3b", *WHY), "key.rotate"),
    ("tables preview", ("intake.crosswalk",), "patient.identify"),
    ("tables restore", ("intake.crosswalk", "--version", "0", *WHY), "table.restore"),
]
Join = Callable[..., Person]
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path) -> Run:
    """`lakeward ... --json` over a crosswalk that knows one patient: exit code, and what it printed."""
    crosswalk = Crosswalk(bytes(32))
    add(CROSSWALK, [crosswalk.row("patient", "id:QXZJWK-0", PATIENT, "27ac75fb06cf9f3b") | {"run_id": "0"}])
    monkeypatch.setenv("LAKEWARD_CROSSWALK_KEY", crosswalk.key.hex())
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "ab" * 32)

    def run_(*arguments: str, said: str = PASSWORD) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["lakeward", *arguments, "--json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{said}\n"))
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    return run_


@pytest.fixture
def people(home: Path) -> People:
    """With the commands' own clock."""
    return People()


def test_every_right_that_a_command_asks_for_is_one_that_roles_include() -> None:
    assert {right for _, _, right in COMMANDS} == set(get_args(Right)) <= set(Action)


@pytest.mark.parametrize(("command", "more", "right"), COMMANDS)
def test_nobody_gets_at_patients_data_who_may_not(
    command: str, more: tuple[str, ...], right: str, run: Run, join: Join
) -> None:
    join("eve", Role.QUALITY_MANAGER if right != "image.review" else Role.DATA_SCIENTIST)
    code, told = run(*command.split(), *more)
    assert (code, "--by" in told["message"]) == (2, True)
    assert run(*command.split(), *more, "--by", "eve", said="not the password")[0] == 7
    code, told = run(*command.split(), *more, "--by", "eve")
    assert (code, told["error"]) == (8, "NotAllowed")
    (refused,) = recorded("governance.user.refused")
    assert refused.reason.startswith(right)
    assert not [event.type for event in recorded() if not event.type.startswith("governance.")]


def test_who_may_is_the_actor_of_what_is_recorded(run: Run, join: Join) -> None:
    join("ann", Role.CLINICAL_REVIEWER)
    asked = ("imaging", "crosswalk")
    assert run(*asked, "lookup", PATIENT, *WHY, "--by", "ann")[1]["original"] == "id:QXZJWK-0"
    # Standard input is the password's first, and the identifiers' then.
    (match,) = run(*asked, "find", *WHY, "--by", "ann", said=f"{PASSWORD}\nQXZJWK-0")[1]
    assert (match["line"], match["pseudonym"]) == (1, PATIENT)
    (row,) = run("tables", "preview", "intake.crosswalk", "--columns", "kind", "--by", "ann")[1]
    assert row == {"kind": "patient"}
    touched = [event for event in recorded() if not event.type.startswith("governance.")]
    assert [(event.type.rpartition(".")[2], event.actor) for event in touched] == [
        ("looked_up", "ann"),
        ("searched", "ann"),
        ("previewed", "ann"),
    ]


def test_where_nobody_was_ever_added_it_is_the_machines_user(run: Run) -> None:
    assert run("imaging", "crosswalk", "lookup", PATIENT, *WHY)[0] == 0
    (looked_up,) = recorded("imaging.crosswalk.looked_up")
    assert looked_up.actor.startswith("os:")
