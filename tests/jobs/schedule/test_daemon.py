import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.daemon import SHOWS_UP_MS, Daemon
from lakeward.jobs.schedule.upcoming import next_fires, pause, unpause
from lakeward.workspace.errors import ConfigurationError
from recorded import recorded

from .conftest import Setting, looks

SECOND = 1000
MINUTE = 60 * SECOND
EVERY_10_S = {"schedule": {"quartz_cron_expression": "0/10 * * * * ?", "timezone_id": "UTC"}}
EVERY_SECOND = {"schedule": {"quartz_cron_expression": "* * * * * ?", "timezone_id": "UTC"}}
EVERY_MINUTE = {"trigger": {"periodic": {"interval": 1, "unit": "MINUTES"}}}
T = now() // MINUTE * MINUTE + 10 * MINUTE


def test_a_schedule_is_fired_at_its_times_and_not_before(setting: Setting) -> None:
    daemon = setting.job(**EVERY_10_S).daemon()
    looks(daemon, T + 1, T + 9_999)
    assert setting.runs() == []
    looks(daemon, T + 10_000, T + 10_500, T + 20_001)
    assert setting.runs() == [Started.PERIODIC] * 2
    assert setting.record.job("a").last_fired == T + 20_000
    assert setting.told[0] == {"event": "started", "job": "a", "by": "PERIODIC", "run_id": 1}


def test_a_schedule_of_every_second_is_fired_every_ten(setting: Setting) -> None:
    daemon = setting.job(**EVERY_SECOND).daemon()
    looks(daemon, *range(T, T + MINUTE, 500))
    assert len(setting.runs()) == 6


def test_an_interval_counts_from_the_first_look(setting: Setting) -> None:
    daemon = setting.job(**EVERY_MINUTE).daemon()
    looks(daemon, T + 7, T + MINUTE, T + MINUTE + 7, T + 2 * MINUTE + 900, T + 3 * MINUTE + 7)
    assert len(setting.runs()) == 3
    assert setting.record.job("a").last_fired == T + 3 * MINUTE + 7


@pytest.mark.parametrize("starts", [EVERY_10_S, EVERY_MINUTE])
def test_a_restart_forgets_nothing_and_makes_nothing_up(setting: Setting, starts: dict[str, object]) -> None:
    setting.job(**starts)
    looks(setting.daemon(), T, T + MINUTE)
    assert len(setting.runs()) == 1
    looks(setting.daemon(), T + MINUTE, T + MINUTE + 5_000)
    assert len(setting.runs()) == 1
    hour = T + 60 * MINUTE + 30_000  # of the hour that nobody looked, its last fire time is half a minute past at most
    looks(setting.daemon(), hour, hour + 5_000)
    assert len(setting.runs()) == 2


def test_missed_times_are_told(setting: Setting) -> None:
    setting.job(**EVERY_10_S)
    past = now() - 60 * MINUTE
    looks(setting.daemon(), past)
    setting.told.clear()
    setting.daemon()
    assert setting.events() == ["missed"]
    assert setting.told[0]["at"] == past // 10_000 * 10_000 + 10_000


@pytest.mark.parametrize("starts", [EVERY_10_S, EVERY_MINUTE])
def test_a_paused_job_is_not_started_and_its_times_are_not_made_up(setting: Setting, starts: dict[str, object]) -> None:
    daemon = setting.job(**starts).daemon()
    looks(daemon, T)
    pause("a")
    looks(daemon, T + MINUTE + 1_000)
    unpause("a")
    looks(daemon, T + MINUTE + 2_000)
    assert setting.runs() == []
    looks(daemon, T + 2 * MINUTE)
    assert len(setting.runs()) == 1


def test_what_is_said_here_counts_more_than_the_file(setting: Setting) -> None:
    paused = {"schedule": {**EVERY_10_S["schedule"], "pause_status": "PAUSED"}}
    daemon = setting.job(**paused).daemon()
    looks(daemon, T, T + 10_000)
    assert setting.runs() == []
    assert next_fires(setting.bundle(), setting.record)[0].paused
    unpause("a")
    looks(daemon, T + 20_000)
    assert len(setting.runs()) == 1
    assert not next_fires(setting.bundle(), setting.record)[0].paused


def test_a_changed_bundle_is_read_again_and_a_broken_one_is_not_taken(setting: Setting) -> None:
    daemon = setting.job(**EVERY_10_S).daemon()
    looks(daemon, T)
    (setting.folder / "a.job.yml").write_text("resources:\n  jobs:\n    a:\n      nonsense: 1\n")
    looks(daemon, T + 10_000)
    assert setting.events() == ["bundle refused", "started"]
    assert "nonsense" in setting.told[0]["reason"]
    setting.job(**EVERY_MINUTE)
    looks(daemon, T + 20_000, T + 30_000)
    assert setting.events()[2:] == ["bundle read again"]
    setting.job()
    looks(daemon, T + 40_000, T + 10 * MINUTE)
    assert len(setting.runs()) == 1


def test_a_new_file_of_the_bundle_is_read(setting: Setting) -> None:
    daemon = setting.job().daemon()
    looks(daemon, T)
    (setting.folder / "a.job.yml").rename(setting.folder / "b.job.yml")
    setting.job(**EVERY_10_S)
    (setting.folder / "b.job.yml").unlink()
    looks(daemon, T + 10_000, T + 20_000)
    assert setting.events() == ["bundle read again", "started"]


def test_a_job_that_can_not_be_started_is_told_and_the_daemon_goes_on(setting: Setting) -> None:
    errors = [ConfigurationError("the notebook has gone"), ValueError("DOE^JANE")]

    def refuse(bundle: Bundle, job: str, started_by: Started) -> int:
        raise errors.pop(0)

    daemon = setting.job(**EVERY_10_S).daemon(refuse)
    looks(daemon, T, T + 10_000, T + 20_000)
    assert [told["reason"] for told in setting.told] == ["the notebook has gone", "ValueError"]
    assert setting.events() == ["not started"] * 2


def test_a_slow_start_does_not_hold_up_the_next_look_nor_double_the_run(setting: Setting) -> None:
    go = Event()

    def slow(bundle: Bundle, job: str, started_by: Started) -> int:
        go.wait(10)
        return setting.launch(bundle, job, started_by)

    daemon = setting.job(**EVERY_10_S).daemon(slow)
    daemon.look(T)
    for at in (10_000, 10_500, 20_000):
        daemon.look(T + at)
    go.set()
    daemon.wait()
    looks(daemon, T + 20_500)
    assert len(setting.runs()) == 2


def once(at: int) -> dict[str, object]:
    """A schedule with one fire time."""
    moment = datetime.fromtimestamp(at / SECOND, UTC)
    return {"schedule": {"quartz_cron_expression": f"{moment:%-S %-M %-H %-d %-m ? %Y}", "timezone_id": "UTC"}}


@pytest.mark.parametrize("recorded", [False, True])
def test_a_daemon_that_was_killed_in_a_start_leaves_one_run(setting: Setting, recorded: bool) -> None:
    """Before the run is in the record it is started late; after that it is not started again."""
    begun = now()
    setting.job(**once(begun - 5_000))
    killed_in_a_start(setting.folder, recorded)
    assert len(setting.runs()) == int(recorded)
    daemon = setting.daemon()
    looks(daemon, begun + 5_000)
    assert len(setting.runs()) == int(recorded)
    looks(daemon, *range(begun + SHOWS_UP_MS + 5_000, begun + MINUTE, 1_000))
    assert len(setting.runs()) == 1


def test_a_daemon_that_was_killed_long_ago_leaves_no_late_run(setting: Setting) -> None:
    begun = now()
    setting.job(**once(begun - 5_000))
    killed_in_a_start(setting.folder, recorded=False)
    looks(setting.daemon(), begun + 10 * MINUTE, begun + 11 * MINUTE)
    assert setting.runs() == []
    assert setting.events() == ["missed"]


def killed_in_a_start(folder: Path, recorded: bool) -> None:
    """Run a daemon that is killed while it starts a run."""
    program = f"""
import os, signal
from pathlib import Path
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.schedule.daemon import Daemon
def launch(bundle, job, started_by):
    if {recorded}:
        Record().add_run(job, bundle.settings[job], {{}}, target="", started_by=started_by, user="", provenance={{}})
    os.kill(os.getpid(), signal.SIGKILL)
daemon = Daemon(lambda: load(Path({str(folder)!r})), launch, Record(), print)
daemon.look(now() - 20_000)
daemon.look(now())
daemon.wait()
"""
    done = subprocess.run([sys.executable, "-c", program], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL


def test_times_are_listed_and_none_for_what_is_paused(setting: Setting) -> None:
    bundle = setting.job(**EVERY_10_S).bundle()
    (listed,) = next_fires(bundle, Record(), 3)
    assert (listed.kind, listed.paused, listed.last_fired) == ("schedule", False, None)
    assert [at % 10_000 for at in listed.times] == [0, 0, 0]
    assert listed.times[2] - listed.times[0] == 20_000
    pause("a")
    assert next_fires(bundle, Record())[0].times == []


def test_pausing_is_an_event(setting: Setting, home: Path) -> None:
    pause("a")
    unpause("a")
    types = [event.type for event in recorded() if event.type.startswith("jobs.schedule.")]
    assert types == ["jobs.schedule.paused", "jobs.schedule.unpaused"]


def test_a_daemon_says_what_it_can_not_watch(setting: Setting) -> None:
    daemon: Daemon = setting.job(trigger={"file_arrival": {"url": "s3://bucket/in"}}).daemon()
    looks(daemon, T)
    assert setting.events() == ["not watched"]
    assert "only in a folder of this machine" in setting.told[0]["reason"]
