"""Deploying with the Databricks CLI: a program that stands for it records what it was asked."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lakeward.jobs.bundle.faults import BundleRefused
from lakeward.jobs.cli import app
from lakeward.jobs.remote.deploy import deploy
from lakeward.jobs.remote.workspace import RemoteFailed
from lakeward.workspace.errors import PrerequisiteMissing

BundleOf = Callable[[str], Path]
JOB = "name: A\ntasks: [{task_key: t, condition_task: {left: a, op: EQUAL_TO, right: a}}]"
SUMMARY = {"resources": {"jobs": {"a": {"id": "42", "name": "A", "url": "https://x/jobs/42", "note": "x" * 200_000}}}}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[Any]]]:
    """Put a `databricks` on the PATH, and return what reads how it was called."""
    calls = tmp_path / "calls"

    def write(version: str = "Databricks CLI v1.2.3", code: int = 0) -> Callable[[], list[Any]]:
        program = tmp_path / "bin" / "databricks"
        program.parent.mkdir()
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            f"if sys.argv[1] == 'version': sys.exit(print({version!r}))\n"
            f"open({str(calls)!r}, 'a').write(json.dumps([os.getcwd(), *sys.argv[1:]]) + '\\n')\n"
            f"if 'summary' in sys.argv: print({json.dumps(SUMMARY)!r})\n"
            f"print('Uploading', file=sys.stderr); print('Error: no such catalog' * {code}, file=sys.stderr)\n"
            f"sys.exit({code})\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    return write


def test_the_bundle_is_deployed_and_its_jobs_are_told(cli: Callable[..., Any], bundle_of: BundleOf) -> None:
    calls, root = cli(), bundle_of(JOB)
    (root / "databricks.yml").write_text(
        "bundle: {name: b}\ninclude: ['*.job.yml']\nvariables: {v: {default: x}}\ntargets: {dev: {}, prod: {}}\n"
    )
    words = ["deploy", "--bundle", str(root), "--target", "prod", "--var", "v=1=2", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert json.loads(done.stdout) == [{"job": "a", "job_id": 42, "name": "A", "url": "https://x/jobs/42"}]
    assert "Uploading" in done.stderr
    options = ["--target=prod", "--var=v=1=2"]
    assert calls() == [
        [str(root), "bundle", "deploy", *options],
        [str(root), "bundle", "summary", "--output=json", *options],
    ]


def test_what_the_cli_failed_at_is_told(cli: Callable[..., Any], bundle_of: BundleOf) -> None:
    calls = cli(code=1)
    with pytest.raises(RemoteFailed, match="databricks bundle deploy ended with 1: Error: no such catalog"):
        deploy(bundle_of(JOB))
    assert len(calls()) == 1


def test_what_could_not_run_is_not_deployed(cli: Callable[..., Any], bundle_of: BundleOf) -> None:
    calls = cli()
    with pytest.raises(BundleRefused, match="t depends on s"):
        deploy(bundle_of(JOB.replace("task_key: t,", "task_key: t, depends_on: [{task_key: s}],")))
    assert calls() == []


def test_without_a_cli_that_knows_bundles_the_cure_is_told(
    cli: Callable[..., Any], bundle_of: BundleOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = bundle_of(JOB)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteMissing, match=r"Databricks CLI, which is not on the PATH. Install it as https://"):
        deploy(root)
    cli(version="Version 0.18.0")
    with pytest.raises(PrerequisiteMissing, match=r"is Version 0.18.0: too old to know bundles. Install it as"):
        deploy(root)
