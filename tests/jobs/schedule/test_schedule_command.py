import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from lakeward.jobs.record.record import Record
from lakeward.jobs.schedule.upcoming import is_running

from .conftest import Setting

DAILY = {"schedule": {"quartz_cron_expression": "0 30 5 * * ?", "timezone_id": "Europe/Berlin"}}


def command(setting: Setting, *options: str) -> list[str]:
    return [sys.executable, "-m", "lakeward", "jobs", "schedule", "--bundle", str(setting.folder), *options]


def answer(setting: Setting, *options: str, ends_with: int = 0) -> Any:
    done = subprocess.run(command(setting, *options, "--json"), capture_output=True, text=True, check=False)
    assert done.returncode == ends_with, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def daily(setting: Setting) -> Setting:
    return setting.job(**DAILY)


def test_what_would_start_is_listed(daily: Setting) -> None:
    (listed,) = answer(daily, "--list", "-n", "2")
    assert (listed["job"], listed["starts by"], listed["paused"], listed["last"]) == ("a", "schedule", False, None)
    assert [at[11:] in ("03:30:00+00:00", "04:30:00+00:00") for at in listed["next"]] == [True, True]


def test_what_can_not_start_here_is_told_in_the_list(setting: Setting) -> None:
    (listed,) = answer(setting.job(trigger={"file_arrival": {"url": "s3://bucket/in/"}}), "--list")
    assert (listed["starts by"], listed["next"]) == ("file_arrival", [])
    assert listed["trouble"].startswith("files can't be watched for at s3")


def test_a_job_is_paused_and_unpaused(daily: Setting) -> None:
    assert answer(daily, "--pause", "a") == {"job": "a", "paused": True}
    assert Record().job("a").paused is True
    assert answer(daily, "--unpause", "a") == {"job": "a", "paused": False}
    assert "has no job b" in answer(daily, "--pause", "b", ends_with=2)["message"]


def test_one_daemon_runs_for_a_lakehouse_until_it_is_told_to_stop(daily: Setting) -> None:
    daemon = subprocess.Popen(command(daily, "--json"), stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        assert json.loads(daemon.stdout.readline())["event"] == "watching"
        assert is_running()
        assert "Wait until it ends" in answer(daily, ends_with=4)["message"]
        os.kill(daemon.pid, signal.SIGTERM)
        said, _ = daemon.communicate(timeout=20)
        assert json.loads(said)["event"] == "stopped"
        assert daemon.returncode == 0
        assert not is_running()
    finally:
        daemon.kill()
