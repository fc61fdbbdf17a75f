"""What a workspace receives, sent by the official client, is what the job's file says."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.jobs import JobSettings

from jobs_api import JobsApi
from lakeward.jobs.bundle.bundle import load

Create = Callable[[dict[str, Any]], int]
ROOT = Path(__file__).parents[3] / "jobs"
EVERY_KIND = """
    name: Every kind
    description: One task of each kind, and each way to hear of a run.
    tags: {area: tests}
    parameters: [{name: source, default: "{{job.start_time.iso_date}}"}]
    max_concurrent_runs: 2
    queue: {enabled: true}
    timeout_seconds: 3600
    schedule: {quartz_cron_expression: "0 30 5 * * ?", timezone_id: Europe/Berlin, pause_status: PAUSED}
    health: {rules: [{metric: RUN_DURATION_SECONDS, op: GREATER_THAN, value: 60}]}
    email_notifications: {on_failure: [ada@example.org], on_start: [ada@example.org]}
    webhook_notifications: {on_success: [{id: chat}]}
    notification_settings: {no_alert_for_skipped_runs: true}
    environments: [{environment_key: e, spec: {client: "2"}}]
    job_clusters: [{job_cluster_key: c, new_cluster: {spark_version: 17.3.x-scala2.13, num_workers: 2}}]
    tasks:
      - task_key: notebook
        notebook_task: {notebook_path: n.ipynb, base_parameters: {rows: "12"}}
        job_cluster_key: c
        max_retries: 2
        min_retry_interval_millis: 1000
        retry_on_timeout: true
      - task_key: condition
        depends_on: [{task_key: notebook}]
        condition_task: {left: "{{tasks.notebook.values.rows}}", op: GREATER_THAN, right: "10"}
      - task_key: loop
        depends_on: [{task_key: condition, outcome: "true"}]
        for_each_task:
          inputs: '["a", "b"]'
          concurrency: 2
          task: {task_key: inner, spark_python_task: {python_file: p.py, parameters: ["{{input}}"]}}
      - {task_key: wheel, python_wheel_task: {package_name: lakeward, entry_point: main}, environment_key: e}
      - task_key: sql
        depends_on: [{task_key: loop}, {task_key: wheel}]
        run_if: ALL_DONE
        sql_task: {file: {path: q.sql}, warehouse_id: w, parameters: {day: "1"}}
      - {task_key: other, run_job_task: {job_id: "${resources.jobs.a.id}", job_parameters: {source: x}}}
"""


def _as_written(file: Path, target: str) -> dict[str, Any]:
    """Return a file's jobs, read without Lakeward: each variable filled in by hand, also those within others."""
    root = yaml.safe_load((file.parent / "databricks.yml").read_text())
    values = {name: one.get("default") for name, one in root["variables"].items()}
    values |= root["targets"][target].get("variables", {})
    facts = {**{f"var.{name}": value for name, value in values.items()}, "bundle.target": target}
    text = file.read_text()
    while "${" in text:
        text = re.sub(r'"?\$\{([\w.]+)\}"?', lambda found: json.dumps(facts[found[1]]), text)
    # Where text is asked for, the CLI writes a number as text; it sees files from the folder that it uploads.
    text = text.replace("pictures: 12", "pictures: '12'").replace("../notebooks/", "notebooks/")
    jobs: dict[str, Any] = yaml.safe_load(text)["resources"]["jobs"]
    return jobs


@pytest.mark.parametrize("target", ["staging", "prod"])
@pytest.mark.parametrize("file", sorted(ROOT.glob("*.job.yml")), ids=lambda file: file.name)
def test_a_workspace_receives_the_projects_jobs_as_they_are_written(
    file: Path, target: str, api: JobsApi, created: Create, home: Path
) -> None:
    for key, written in _as_written(file, target).items():
        assert api.jobs[created(load(ROOT, target).settings[key])] == written


def test_every_kind_of_task_is_received_as_it_is_written(
    api: JobsApi, client: WorkspaceClient, created: Create, bundle_of: Callable[[str], Path]
) -> None:
    root = bundle_of(EVERY_KIND)
    bundle = load(root)
    written = yaml.safe_load((root / "a.job.yml").read_text())["resources"]["jobs"]["a"]
    text = json.dumps(written)
    for file in ("n.ipynb", "p.py", "q.sql"):
        text = text.replace(f'"{file}"', f'"jobs/{file}"')
    expected = json.loads(text)
    expected["tasks"][-1]["run_job_task"]["job_id"] = bundle.settings["a"]["tasks"][-1]["run_job_task"]["job_id"]
    number = created(bundle.settings["a"])
    assert api.jobs[number] == expected

    read = client.jobs.get(number).settings
    assert read
    assert read.as_dict() == expected


def test_a_job_is_replaced_by_what_its_file_says_now(
    api: JobsApi, client: WorkspaceClient, created: Create, bundle_of: Callable[[str], Path]
) -> None:
    settings = load(bundle_of(EVERY_KIND)).settings["a"]
    number = created({**settings, "name": "Before"})
    client.jobs.reset(number, JobSettings.from_dict(settings))
    assert api.jobs[number] == settings


def test_the_server_itself_refuses_what_is_no_job(api: JobsApi, client: WorkspaceClient) -> None:
    task = {"task_key": "t", "condition_task": {"left": "1", "op": "EQUAL_TO", "right": "1"}}
    for wrong in (
        {"tasks": [{**task, "retries": 3}]},
        {"tasks": [task], "timeout": 3},
        {"tasks": [{"depends_on": []}]},
    ):
        with pytest.raises(InvalidParameterValue):
            client.api_client.do("POST", "/api/2.2/jobs/create", body={"name": "A", **wrong})
    with pytest.raises(ResourceDoesNotExist):
        client.jobs.get(7)
    assert api.jobs == {}
