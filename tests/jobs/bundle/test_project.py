"""The project's own bundle, and what the official Python models of bundles say of its jobs."""

from dataclasses import fields
from pathlib import Path

import databricks.bundles.jobs as official
import pytest

from lakeward.jobs.bundle import job as ours
from lakeward.jobs.bundle.bundle import Bundle, load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.bundle.shapes import NOT_HERE

ROOT = Path(__file__).parents[3] / "jobs"
TARGETS = ["dev", "staging", "prod"]


@pytest.fixture(params=TARGETS)
def bundle(request: pytest.FixtureRequest, home: Path) -> Bundle:
    return load(ROOT, request.param)


def test_every_job_could_run_in_every_target(bundle: Bundle) -> None:
    assert bundle.targets == TARGETS
    check(bundle)


def test_the_official_models_take_every_job_and_lose_nothing(bundle: Bundle) -> None:
    for settings in bundle.settings.values():
        assert official.Job.from_dict(settings).as_dict() == settings  # type: ignore[arg-type]


def test_each_target_has_a_catalog_and_only_dev_is_paused(home: Path) -> None:
    bundles = [load(ROOT, target) for target in TARGETS]
    clusters = [bundle.jobs["imaging"].job_clusters[0].new_cluster for bundle in bundles]
    assert [one["spark_env_vars"]["LAKEWARD_CATALOG"] for one in clusters] == [f"lakeward_{name}" for name in TARGETS]
    schedules = [bundle.jobs["imaging"].schedule for bundle in bundles]
    assert [one.pause_status for one in schedules if one] == ["PAUSED", "UNPAUSED", "UNPAUSED"]


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        *((name, name) for name in ("Job", "Task", "NotebookTask", "ForEachTask", "ConditionTask", "RunJobTask")),
        *((name, name) for name in ("PythonWheelTask", "SparkPythonTask", "SqlTask", "WebhookNotifications")),
        ("Dependency", "TaskDependency"),
        ("EmailNotifications", "JobEmailNotifications"),
        ("Environment", "JobEnvironment"),
        ("FileArrival", "FileArrivalTriggerConfiguration"),
        ("HealthRule", "JobsHealthRule"),
        ("JobCluster", "JobCluster"),
        ("JobParameter", "JobParameterDefinition"),
        ("NotificationSettings", "JobNotificationSettings"),
        ("TaskNotificationSettings", "TaskNotificationSettings"),
        ("Periodic", "PeriodicTriggerConfiguration"),
        ("Queue", "QueueSettings"),
        ("Schedule", "CronSchedule"),
        ("SqlFile", "SqlTaskFile"),
        ("TableUpdate", "TableUpdateTriggerConfiguration"),
        ("Trigger", "TriggerSettings"),
    ],
)
def test_each_field_of_the_official_models_is_read_or_refused_with_a_reason(mine: str, theirs: str) -> None:
    known = {field.name for field in fields(getattr(official, theirs))}
    declared = set(getattr(ours, mine).model_fields)
    assert known - declared <= set(NOT_HERE)
    assert declared - known <= {"edit_mode"}  # of the Jobs API, not of bundles' models
