import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lakeward.jobs.bundle.cli import may_be
from lakeward.jobs.bundle.faults import BundleRefused
from lakeward.jobs.cli import app
from lakeward.jobs.record.record import Record

Write = Callable[..., Path]
JOB = """
    name: A
    schedule: {quartz_cron_expression: 0 30 5 * * ?, timezone_id: Europe/Berlin}
    tasks: [{task_key: t, condition_task: {left: "${var.v}", op: EQUAL_TO, right: "{{job.parameters.p}}"}}]
    parameters: [{name: p, default: x}]
"""
ROOT = "bundle: {name: b}\ninclude: ['*.job.yml']\nvariables: {v: {default: 1}}"


def _run(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == code
    return json.loads(done.stdout)


def test_validate_says_that_all_is_well(write: Write) -> None:
    root = write(JOB, root=ROOT, more="resources: {schemas: {s: {name: s}}, experiments: {e: {name: e}}}")
    (root / "more.yml").rename(root / "more.job.yml")
    assert _run("validate", "--bundle", root) == {
        "ok": True,
        "bundle": "b",
        "target": "default",
        "jobs": ["a"],
        "tasks": 1,
        "databricks_only": ["schemas.s", "experiments.e"],
        "faults": [],
    }
    said = CliRunner().invoke(app, ["validate", "--bundle", str(root)]).stdout
    assert said.endswith("All is well.\nOn Databricks only, so not looked at here: schemas.s, experiments.e.\n")


def test_validate_ends_with_2_and_tells_file_and_line_of_each_fault(write: Write) -> None:
    root = write(JOB.replace("{{job.parameters.p}}", "{{job.parameters.q}}"), root=ROOT)
    said = _run("validate", "--bundle", root, code=2)
    # The reference to q leads nowhere, and so the parameter p goes to nobody.
    assert [(fault["file"], fault["line"]) for fault in said["faults"]] == [("jobs/a.job.yml", n) for n in (7, 8)]
    assert isinstance(CliRunner().invoke(app, ["validate", "--bundle", str(root)]).exception, BundleRefused)


def test_list_tells_when_a_job_runs_next_unless_it_was_paused_here(write: Write) -> None:
    root = write(JOB, root=ROOT)
    (row,) = _run("list", "--bundle", root)
    assert (row["job"], row["starts"], row["paused"]) == ("a", "daily at 05:30, Europe/Berlin", False)
    assert "T05:30+0" in row["next"]
    Record().set_job("a", paused=True)
    (row,) = _run("list", "--bundle", root)
    assert (row["paused"], row["next"]) == (True, "")


def test_params_shows_what_a_job_takes(write: Write) -> None:
    assert _run("params", "a", "--bundle", write(JOB, root=ROOT)) == [
        {"parameter": "p", "value": "x", "set by": "job", "task": "", "may be": "text"}
    ]


def test_a_variable_is_given_as_name_and_value(write: Write) -> None:
    root = write(JOB, root=ROOT)
    assert _run("validate", "--bundle", root, "--var", "v=a=b")["ok"]
    assert CliRunner().invoke(app, ["validate", "--bundle", str(root), "--var", "v"]).exit_code == 2


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 64}, "whole number, at least 1, at most 64"),
        ({"type": "string", "minLength": 1}, "text, not empty"),
        ({"enum": ["a", "b"]}, "a or b"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false or null"),
        ({"title": "n", "default": 3}, "anything"),
    ],
)
def test_what_a_parameter_may_be_is_said_in_words(schema: dict[str, Any], words: str) -> None:
    assert may_be(schema) == words
