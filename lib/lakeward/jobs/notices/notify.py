"""Who hears of an event; told in the background, so that a run neither waits for a notice nor fails with it."""

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Condition, Thread

from lakeward.jobs.bundle.job import BaseTask, Job, Watched
from lakeward.jobs.notices import sending
from lakeward.jobs.notices.notice import Event, Notice, field
from lakeward.jobs.record.rows import Run, State, TaskRun
from lakeward.jobs.record.states import LifeCycle, Result
from lakeward.workspace.errors import LakewardError

LONGEST_FINISH_S = 20.0

_SKIPPED = (
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED,
    Result.EXCLUDED,
    Result.UPSTREAM_FAILED,
    Result.UPSTREAM_CANCELED,
    Result.DISABLED,
)


def notify(event: Event, job: Job, run: Run, task: TaskRun | None = None) -> None:
    """Tell those who want to hear of an event of a run, or of a task of it; returns at once.

    What can't be delivered is written to the run's log and told on the standard error stream.

    Parameters
    ----------
    event : {'start', 'success', 'failure', 'duration_warning'}
        Of a task, also the start and the failure of each attempt: while another follows, the task's state is
        ``WAITING_FOR_RETRY``.
    job : Job
        As it was run.
    run : Run
    task : TaskRun, optional
        The task that the event is about, with its state and the number of its attempts up to now.
    """
    watched: Watched = _of(job, task) if task else job
    state = task.state if task else run.state
    if event == "failure" and _unwanted(watched, state):
        return
    last_alone = isinstance(watched, BaseTask) and watched.notification_settings.alert_on_last_attempt
    if last_alone and task and _of_a_retry(event, task):
        return
    notice = Notice(event, run, task)
    log = run.folder / "log.txt"
    emails = getattr(watched.email_notifications, field(event))
    if emails and not (watched.email_notifications.no_alert_for_skipped_runs and _skipped(state)):
        _background.add(log, partial(_mail, emails, notice))
    for webhook in getattr(watched.webhook_notifications, field(event)):
        _background.add(log, partial(_post, webhook.id, notice))


def finish(longest_s: float = LONGEST_FINISH_S) -> None:
    """Wait until all notices are sent, but not longer than this; called by itself at the process's end."""
    _background.finish(longest_s)


def _of(job: Job, task: TaskRun) -> BaseTask:
    """Return the declaration of a task; of an iteration, that of the task inside the loop."""
    declared = next(one for one in job.tasks if one.task_key == task.task)
    if task.iteration is not None and declared.for_each_task:
        return declared.for_each_task.task
    return declared


def _unwanted(watched: Watched, state: State) -> bool:
    wishes = watched.notification_settings
    canceled = state.result is Result.CANCELED
    return (wishes.no_alert_for_canceled_runs and canceled) or (wishes.no_alert_for_skipped_runs and _skipped(state))


def _skipped(state: State) -> bool:
    return state.life_cycle is LifeCycle.SKIPPED or state.result in _SKIPPED


def _of_a_retry(event: Event, task: TaskRun) -> bool:
    """Whether an event is one that a wish to hear of the last attempt alone leaves out."""
    if event == "start":
        return task.attempts > 1
    return event == "failure" and task.state.life_cycle is LifeCycle.WAITING_FOR_RETRY


def _mail(recipients: Sequence[str], notice: Notice) -> None:
    sending.mail(recipients, notice.subject, notice.text)


def _post(destination: str, notice: Notice) -> None:
    sending.post(destination, notice.payload)


class _Background:
    """One thread, which sends notices in their order; it does not keep the process alive."""

    def __init__(self) -> None:
        self._waiting: Queue[tuple[Path, Callable[[], None]]] = Queue()
        self._left = 0
        self._changed = Condition()
        self._thread: Thread | None = None
        self._under_way: Path | None = None

    def add(self, log: Path, send: Callable[[], None]) -> None:
        with self._changed:
            self._left += 1
            self._waiting.put((log, send))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="notices", daemon=True)
                self._thread.start()

    def finish(self, longest_s: float) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._left == 0, longest_s):
                return
            while not self._waiting.empty():
                log, _ = self._waiting.get()
                self._left -= 1
                _tell(log, "A notice was not sent: those before it took too long.")
            if self._under_way:
                _tell(self._under_way, "A notice is perhaps not sent: its server has not answered yet.")

    def _work(self) -> None:
        while True:
            log, send = self._waiting.get()
            self._under_way = log
            try:
                send()
            except LakewardError as error:
                _tell(log, f"A notice was not sent: {str(error).rstrip('.')}.")
            except Exception as error:  # whatever it is, the notices after it must be sent; its text may hold anything
                _tell(log, f"A notice was not sent: {type(error).__name__}.")
            with self._changed:
                self._left -= 1
                self._under_way = None
                self._changed.notify_all()


def _tell(log: Path, text: str) -> None:
    at = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{at} {text}\n")
            # A run in the background has its log for its standard error stream.
            if os.path.samestat(os.fstat(file.fileno()), os.fstat(2)):
                return
    except OSError as error:
        print(f"The run's {log.name} can't be written to ({type(error).__name__}).", file=sys.stderr)
    print(text, file=sys.stderr)


_background = _Background()
atexit.register(finish)
