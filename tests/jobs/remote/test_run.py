"""Running a deployed job in a workspace, and following it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from typer.testing import CliRunner

from jobs_api import JobsApi
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.bundle.faults import BundleRefused
from lakeward.jobs.cli import app
from lakeward.jobs.remote.run import RemoteRun, run_remote
from lakeward.jobs.remote.workspace import RemoteFailed
from lakeward.workspace.errors import ConfigurationError

Create = Callable[..., int]
BundleOf = Callable[[str], Path]
JOB = """
    name: A
    parameters: [{name: p, default: x}]
    tasks:
      - {task_key: first, max_retries: 1, condition_task: {left: "{{job.parameters.p}}", op: EQUAL_TO, right: x}}
      - {task_key: second, depends_on: [{task_key: first}], condition_task: {left: a, op: EQUAL_TO, right: a}}
"""


@pytest.fixture
def root(bundle_of: BundleOf) -> Path:
    return bundle_of(JOB)


def _run(root: Path, job: str = "a", **parameters: str) -> tuple[RemoteRun, list[RemoteRun]]:
    seen: list[RemoteRun] = []
    return run_remote(root, None, job, parameters, seen=seen.append, seconds=0.01), seen


def test_a_run_is_followed_to_its_success(api: JobsApi, root: Path, deployed: Create) -> None:
    number = deployed(load(root).settings["a"])
    done, seen = _run(root, p="y")
    assert (done.state, done.succeeded, done.job_id) == ("SUCCESS", True, number)
    assert done.tasks == {"first": "SUCCESS", "second": "SUCCESS"}
    assert list(dict.fromkeys(run.tasks["first"] for run in seen)) == ["BLOCKED", "PENDING", "RUNNING", "SUCCESS"]
    assert seen[-1] == done
    assert api.runs[done.run_id].parameters == {"p": "y"}


def test_a_failed_task_is_tried_again_and_its_last_try_counts(api: JobsApi, root: Path, deployed: Create) -> None:
    deployed(load(root).settings["a"])
    api.fails = {"first": 1}
    done, seen = _run(root)
    assert (done.state, done.tasks["first"]) == ("SUCCESS", "SUCCESS")
    assert [one["attempt_number"] for one in api.runs[done.run_id].tries if one["task_key"] == "first"] == [0, 1]
    assert [run.tasks["first"] for run in seen].count("PENDING") == 2


def test_a_run_is_followed_to_its_failure_and_the_command_ends_as_one_here(
    api: JobsApi, root: Path, deployed: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(load(root).settings["a"])
    api.fails = {"first": 2}
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    done = CliRunner().invoke(app, ["run", "a", "--remote", "--bundle", str(root), "--json", "-p", "p=z"])
    assert done.exit_code == 10
    said = json.loads(done.stdout)
    assert (said["state"], said["tasks"]) == ("FAILED", {"first": "FAILED", "second": "UPSTREAM_FAILED"})
    told = done.stderr.splitlines()
    assert told[1] == f"It goes on if you stop here: databricks jobs cancel-run {said['run_id']}"
    assert "  second: UPSTREAM_FAILED" in told
    assert len([line for line in told if line == "  first: RUNNING"]) == 2


@pytest.mark.parametrize("code", [429, 503])
def test_a_request_that_has_no_answer_yet_is_sent_again_and_starts_one_run(
    code: int, api: JobsApi, root: Path, deployed: Create
) -> None:
    deployed(load(root).settings["a"])
    api.busy = [0, code]  # looking for the job goes well, starting it does not
    assert _run(root)[0].succeeded
    first, again = api.sent("/api/2.2/jobs/run-now")
    assert first == again
    assert len(api.runs) == 1


def test_all_pages_of_a_long_run_are_read(api: JobsApi, bundle_of: BundleOf, deployed: Create) -> None:
    tasks = "".join(
        f"      - {{task_key: t{i}, condition_task: {{left: a, op: EQUAL_TO, right: a}}}}\n" for i in "1234567"
    )
    root = bundle_of("    name: A\n    tasks:\n" + tasks)
    deployed(load(root).settings["a"])
    api.page = 3
    assert len(_run(root)[0].tasks) == 7


def test_the_job_is_the_one_that_a_bundle_deployed(api: JobsApi, root: Path, created: Create, deployed: Create) -> None:
    settings = load(root).settings["a"]
    with pytest.raises(RemoteFailed, match=r"no job named A that was deployed.*lakeward jobs deploy --target default"):
        _run(root)
    by_hand = created(settings)
    with pytest.raises(RemoteFailed, match=r"no job named A that was deployed"):
        _run(root)
    right = deployed(settings)
    deployed({**settings, "name": "a"})  # the service finds names without regard to case
    assert by_hand != _run(root)[0].job_id == right
    other = deployed(settings)
    with pytest.raises(RemoteFailed, match=f"has 2 deployed jobs named A: {right}, {other}. Destroy all but one"):
        _run(root)


def test_another_targets_job_of_the_same_name_is_left_alone(api: JobsApi, root: Path, deployed: Create) -> None:
    settings = load(root).settings["a"]
    deployed(settings, "staging")
    with pytest.raises(RemoteFailed, match=r"no job named A that was deployed from target default of b"):
        _run(root)
    right = deployed(settings)
    assert _run(root)[0].job_id == right


def test_in_development_the_job_has_its_users_name(api: JobsApi, root: Path, deployed: Create) -> None:
    (root / "databricks.yml").write_text(
        "bundle: {name: b}\ninclude: ['*.job.yml']\ntargets: {dev: {mode: development}}\n"
    )
    settings = load(root, user="ada@example.org").settings["a"]
    assert settings["name"] == "[dev ada] A"
    deployed(settings, "dev")
    assert _run(root)[0].succeeded


def test_nothing_is_sent_for_what_could_not_run(api: JobsApi, root: Path) -> None:
    with pytest.raises(BundleRefused, match=r"it has no parameter q"):
        _run(root, q="1")
    with pytest.raises(ConfigurationError, match="has no job b; there is a"):
        _run(root, job="b")
    assert api.received == []


def test_who_may_not_come_in_is_told_how(
    api: JobsApi, root: Path, monkeypatch: pytest.MonkeyPatch, client: WorkspaceClient
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-somebody-else")
    with pytest.raises(RemoteFailed, match=r"refused asking who you are.*databricks auth login") as refused:
        _run(root)
    assert "somebody-else" not in str(refused.value)
    monkeypatch.delenv("DATABRICKS_TOKEN")
    none = "No way into a workspace for target default: default auth: cannot configure default credentials; log in"
    with pytest.raises(ConfigurationError, match=none):
        _run(root)
    assert [path for _, path, _ in api.received if "/jobs/" in path] == []


def test_a_start_that_is_refused_is_told_in_one_sentence(api: JobsApi, root: Path, deployed: Create) -> None:
    number = deployed({**load(root).settings["a"], "parameters": []})  # what is deployed is older than the file
    with pytest.raises(RemoteFailed, match=f"failed at starting job {number}: Job parameter p is not defined"):
        _run(root, p="y")
    assert api.runs == {}
