from typing import Any

import pytest

from lakeward.jobs.bundle.job import Health, Job
from lakeward.jobs.notices import finish, notify
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Failure, Run, State, TaskRun
from lakeward.jobs.record.states import LifeCycle, Result
from loopback import Hooks, Mailbox

EVENTS = ["on_start", "on_success", "on_failure", "on_duration_warning_threshold_exceeded"]
SUCCEEDED = State(LifeCycle.TERMINATED, Result.SUCCESS)
FAILED = State(LifeCycle.TERMINATED, Result.FAILED)


def job(task: dict[str, Any] | None = None, **watched: Any) -> Job:
    work = {"notebook_task": {"notebook_path": "a.ipynb"}}
    loop = {"for_each_task": {"inputs": "[1]", "task": {"task_key": "one", **work, **(task or {})}}}
    tasks = [{"task_key": "ingest", **work, **(task or {})}, {"task_key": "loop", **loop}]
    return Job.model_validate({"name": "Ingest", "tasks": tasks, **watched})


def ended(run: Run, state: State) -> Run:
    record = Record()
    record.set_run(run.run_id, state, started=run.created, ended=run.created + 90_000)
    return record.run(run.run_id)


def task_of(run: Run, state: State, attempts: int = 1, iteration: int | None = None) -> TaskRun:
    key = "ingest" if iteration is None else "loop"
    return TaskRun(run.run_id, key, iteration, None, state, attempts, run.created, run.created + 2_000)


def everywhere(*addresses: str) -> dict[str, list[str]]:
    return {event: list(addresses) for event in EVENTS}


def test_a_mail_tells_of_each_event_that_is_asked_for(mailbox: Mailbox, run: Run) -> None:
    wished = job(email_notifications=everywhere("a@example.org", "b@example.org"))
    notify("start", wished, run)
    notify("duration_warning", wished, run)
    notify("success", wished, ended(run, SUCCEEDED))
    finish()
    assert mailbox.subjects == [
        "[Lakeward] Ingest and verify: started (run 1)",
        "[Lakeward] Ingest and verify: takes longer than expected (run 1)",
        "[Lakeward] Ingest and verify: succeeded (run 1)",
    ]
    assert mailbox.mails[0]["To"] == "a@example.org, b@example.org"
    assert "Took:    90 s" in mailbox.mails[2].get_content()
    assert not (run.folder / "log.txt").exists()


def test_a_failure_is_told_with_what_the_record_keeps_of_it_and_nothing_else(mailbox: Mailbox, run: Run) -> None:
    record = Record()
    for number, error in enumerate(["KeyError", "ValueError"]):
        failure = Failure(error, "its text is withheld", 3, "patient = 'DOE^JANE'")
        record.set_attempt(run.run_id, "ingest", None, number, FAILED, repair=0, started=1, failure=failure)
    state = State(LifeCycle.TERMINATED, Result.FAILED, None, "ValueError: DOE^JANE")
    notify("failure", job(email_notifications={"on_failure": ["a@example.org"]}), ended(run, state))
    finish()
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[Lakeward] Ingest and verify: failed (run 1)"
    assert "ingest, cell 3: ValueError: its text is withheld" in mail.get_content()
    assert "lakeward jobs show 1" in mail.get_content()
    assert "KeyError" not in mail.get_content()
    assert "DOE" not in mail.as_string()


def test_a_process_that_died_is_told_by_how(mailbox: Mailbox, run: Run) -> None:
    failure = Failure("", "its process was killed by SIGKILL")
    Record().set_attempt(run.run_id, "ingest", None, 0, FAILED, repair=0, started=1, failure=failure)
    notify("failure", job(email_notifications={"on_failure": ["a@example.org"]}), ended(run, FAILED))
    finish()
    assert "ingest: its process was killed by SIGKILL" in mailbox.mails[0].get_content()


def test_a_webhook_gets_what_databricks_posts(hooks: Hooks, run: Run) -> None:
    destinations = {"webhook_notifications": {event: [{"id": "on-call"}] for event in EVENTS}}
    notify("start", job(**destinations), run)
    notify("failure", job(task=destinations), run, task_of(run, FAILED))
    finish()
    named = {"job_id": "imaging", "name": "Ingest\nand verify"}
    assert [payload for _, payload in hooks.posted] == [
        {"event_type": "jobs.on_start", "workspace_id": "dev", "run": {"run_id": "1"}, "job": named},
        {
            "event_type": "jobs.on_failure",
            "workspace_id": "dev",
            "task": {"task_key": "ingest"},
            "run": {"run_id": "1", "parent_run_id": "1"},
            "job": named,
        },
    ]
    assert hooks.posted[0][0] == "/hook?token=hidden"


def test_a_task_has_notices_of_its_own_and_a_loop_those_of_the_task_inside(mailbox: Mailbox, run: Run) -> None:
    quiet, loud = job(), job(task={"email_notifications": everywhere("a@example.org")})
    notify("success", quiet, run, task_of(run, SUCCEEDED))
    notify("success", loud, run)
    notify("success", loud, run, task_of(run, SUCCEEDED))
    notify("success", loud, run, task_of(run, SUCCEEDED, iteration=2))
    finish()
    assert mailbox.subjects == [
        "[Lakeward] Ingest and verify, task ingest: succeeded (run 1)",
        "[Lakeward] Ingest and verify, task loop, iteration 2: succeeded (run 1)",
    ]


@pytest.mark.parametrize(
    ("state", "wish"),
    [
        (State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED), "no_alert_for_skipped_runs"),
        (State(LifeCycle.TERMINATED, Result.CANCELED), "no_alert_for_canceled_runs"),
    ],
)
def test_who_wants_no_alert_gets_none(mailbox: Mailbox, hooks: Hooks, run: Run, state: State, wish: str) -> None:
    asked = {
        "email_notifications": {"on_failure": ["a@example.org"]},
        "webhook_notifications": {"on_failure": [{"id": "on-call"}]},
    }
    notify("failure", job(**asked, notification_settings={wish: True}), ended(run, state))
    finish()
    assert (len(mailbox.mails), len(hooks.posted)) == (0, 0)
    notify("failure", job(**asked), ended(run, state))
    notify("failure", job(**asked, notification_settings={wish: True}), ended(run, FAILED))
    finish()
    assert (len(mailbox.mails), len(hooks.posted)) == (2, 2)


def test_the_older_wish_for_no_alert_of_skipped_runs_holds_for_mail_alone(
    mailbox: Mailbox, hooks: Hooks, run: Run
) -> None:
    wished = job(
        email_notifications={"on_failure": ["a@example.org"], "no_alert_for_skipped_runs": True},
        webhook_notifications={"on_failure": [{"id": "on-call"}]},
    )
    notify("failure", wished, ended(run, State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED)))
    finish()
    assert (len(mailbox.mails), len(hooks.posted)) == (0, 1)


@pytest.mark.parametrize(("last_alone", "mails"), [(True, 2), (False, 4)])
def test_an_alert_on_the_last_attempt_leaves_out_retries(
    mailbox: Mailbox, run: Run, last_alone: bool, mails: int
) -> None:
    wished = job(
        task={
            "email_notifications": everywhere("a@example.org"),
            "notification_settings": {"alert_on_last_attempt": last_alone},
        }
    )
    running, waiting = State(LifeCycle.RUNNING), State(LifeCycle.WAITING_FOR_RETRY)
    notify("start", wished, run, task_of(run, running, attempts=1))
    notify("failure", wished, run, task_of(run, waiting, attempts=1))
    notify("start", wished, run, task_of(run, running, attempts=2))
    notify("failure", wished, run, task_of(run, FAILED, attempts=2))
    finish()
    assert len(mailbox.mails) == mails


def test_health_is_exceeded_after_its_seconds() -> None:
    health = Health.model_validate({"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 60}]})
    assert not health.exceeded(60)
    assert health.exceeded(60.1)
    assert not Health().exceeded(10**9)
