"""The commands on what is stored, as a person calls them."""

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lakeward.cli import main

Run = Callable[..., Any]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """What `lakeward imaging ... --json` prints, with some lines on its standard input."""

    def run(*arguments: str, lines: str = "") -> Any:
        monkeypatch.setattr(sys, "argv", ["lakeward", "imaging", *arguments, "--json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        with pytest.raises(SystemExit):
            main()
        return json.loads(capsys.readouterr().out)

    return run


def test_what_a_pseudonym_stands_for_is_told_to_the_holder_of_the_key(
    case: Any, told: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert case.retired
    command = ("crosswalk", "lookup", case.patients[0], "--reason", "Incidental finding, case 12")
    assert told(*command)["original"] == "id:QXZJWK-0"
    assert told(*command[:4], "short")["error"] == "ConfigurationError"
    matches = told("crosswalk", "find", "--reason", "Follow-up of the trial", lines="QXZJWK-0\n\n")
    assert {match["pseudonym"] for match in matches} == {case.before[0], case.patients[0]}
    monkeypatch.setenv("LAKEWARD_CROSSWALK_KEY", "ef" * 32)
    assert told(*command)["error"] == "WrongKey"
    monkeypatch.setenv("LAKEWARD_CROSSWALK_KEY", case.recipe.key.hex())
    assert "the same key" in told(*command)["message"]


def test_reviews_are_told_and_drawn(case: Any, told: Run) -> None:
    assert case.judged
    assert [summary["reviewed"] for summary in told("review", "summary")] == [2]


def test_withdrawing_by_the_original_id_keeps_out_who_never_came(case: Any, told: Run) -> None:
    assert case.judged
    done = told("withdraw", "--originals", "--reason", "Opted out of research", lines="NEVER-HERE\n")
    assert (done["objects"], done["hits"]) == (0, 0)
    assert case.recipe.pseudonyms.withdrawn(case.recipe.pseudonyms.patient("id:NEVER-HERE")) in done["patients"]
