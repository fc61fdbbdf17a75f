"""Documents about a model version: filled in from what is known, and never silent about what is not."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from approving import NAME
from lakeward.cli import main
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.facts import Facts, facts_of
from lakeward.governance.approvals.requests import Request
from lakeward.governance.reports.document import Section, Table, Text, plain
from lakeward.governance.reports.documents import Kind, Written, answers, made, questions, template, written
from lakeward.governance.reports.version_facts import FACTS
from lakeward.workspace.errors import ConfigurationError, EventNotRecorded
from lakeward.workspace.events import acting_as
from recorded import recorded, without_event

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def facts(approvals: Approvals, in_review: Callable[..., Request]) -> Facts:
    """A version whose request is in review, with all evidence and a signature."""
    return facts_of(NAME, in_review().version, approvals)


def _all(kind: Kind) -> dict[str, str]:
    return {item.id: f"Said of {item.id}." for item in template(kind).items if item.ask}


def _section(done: Written, title: str) -> Section:
    return next(it for it in done.document.sections if it.title == title)


@pytest.mark.parametrize("kind", Kind)
def test_the_files_name_facts_that_there_are_and_no_item_twice(kind: Kind) -> None:
    items = template(kind).items
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert set(item.facts) <= set(FACTS)
        assert item.facts or item.ask


@pytest.mark.parametrize("kind", Kind)
def test_no_item_is_blank(facts: Facts, kind: Kind) -> None:
    for given in ({}, _all(kind)):
        done = written(kind, facts, given, NOW, "dan")
        shown = {it.title: it for it in done.document.sections if it.level == 1}
        assert set(shown) == {item.title for item in template(kind).items}
        assert all(section.blocks for section in shown.values())


def test_what_is_known_is_filled_in(facts: Facts) -> None:
    done = written(Kind.MODEL_CARD, facts, {"limitations": "Not for children.\n\nNot for adults."}, NOW, "dan")
    told = json.dumps(plain(done.document))
    assert facts.digest in told
    assert "auc" in told
    assert _section(done, "Limitations and recommendations").blocks == [
        Text("Not for children."),
        Text("Not for adults."),
    ]
    signed = _section(done, "Electronic signatures").blocks[0]
    assert isinstance(signed, Table)
    assert signed.rows[0][1] == "review"


def test_what_is_missing_is_listed_with_who_gives_it(facts: Facts) -> None:
    done = written(Kind.PCCP, facts, {}, NOW, "dan")
    who = {gap.item.id: gap.item.who for gap in done.missing}
    assert who["impact_risks"] == "the risk manager"
    assert {"modifications", "intended_purpose"} <= set(who)
    assert "draft" in done.document.subtitle
    listed = done.document.sections[0].blocks[0]
    assert isinstance(listed, Table)
    assert len(listed.rows) == len(done.missing)


@pytest.mark.parametrize("fault", ["is gone", "was changed"])
def test_evidence_that_is_not_as_it_was_attached_is_missing(facts: Facts, fault: str) -> None:
    given = _all(Kind.MODEL_CARD)
    before = {gap.item.id for gap in written(Kind.MODEL_CARD, facts, given, NOW, "dan").missing}
    broken = replace(facts, evidence=tuple(replace(it, fault=fault) for it in facts.evidence))
    assert {gap.item.id for gap in written(Kind.MODEL_CARD, broken, given, NOW, "dan").missing} - before == {
        "bias",
        "evidence",
    }


def test_the_questions_are_a_file_to_fill_in(tmp_path: Path) -> None:
    file = tmp_path / "answers.yml"
    file.write_text(questions(Kind.ANNEX_IV))
    assert answers(file) == {}
    assert set(yaml.safe_load(file.read_text())) == set(_all(Kind.ANNEX_IV))
    file.write_text(yaml.safe_dump({**_all(Kind.ANNEX_IV), **_all(Kind.PCCP)}))
    assert answers(file)["provider"] == "Said of provider."


@pytest.mark.parametrize("text", ["provider_: me", "- a list", "provider: {a: b}", "a: [", "provider: 7"])
def test_a_file_that_answers_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "answers.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"answers\.yml"):
        answers(tmp_path / "answers.yml")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """`lakeward report ...` in this process: exit code and what it printed."""

    def run_(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "report", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return run_


def test_a_command_ends_with_one_until_nothing_is_missing(
    facts: Facts, run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    card, file = tmp_path / "card.yml", tmp_path / "card.pdf"
    asked = ("model-card", NAME, facts.version, "--answers", card, "--output", file)
    code, text = run(*asked)
    assert code == 1
    assert f"{card} is made" in text
    assert "missing: Intended purpose" in text
    assert run(*asked, "--draft")[0] == 0
    card.write_text(yaml.safe_dump(_all(Kind.MODEL_CARD)))
    code, text = run(*asked, "--json")
    assert (code, [gap["what"] for gap in json.loads(text)["missing"]]) == (
        1,
        ["Nothing is known of datasets."],  # none was logged with the run
    )
    assert run("pccp", NAME, "99", "--output", file)[0] == 2


def test_who_has_written_it_stands_on_it_and_in_the_trail(facts: Facts, tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    with acting_as("dan"):
        made(Kind.MODEL_CARD, facts, {}, file)
    (event,) = recorded("governance.report.written")
    assert (event.actor, event.object) == ("dan", f"model/{NAME}/{facts.version}")
    assert event.details["sha256"] == sha256(file.read_bytes()).hexdigest()
    assert event.details["artefact"] == facts.digest
    assert json.loads(file.read_text())["about"]["Made"] == f"{event.at:%Y-%m-%d %H:%M:%S} UTC, by dan"
    file.unlink()
    with pytest.raises(EventNotRecorded):
        without_event("governance.report.written", lambda: made(Kind.MODEL_CARD, facts, {}, file))
    assert list(tmp_path.glob("*card*")) == []
