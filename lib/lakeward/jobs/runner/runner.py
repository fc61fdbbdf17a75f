"""One run of a job, by one process from its beginning to its end."""

import getpass
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any

from lakeward.jobs.archive.provenance import provenance
from lakeward.jobs.bundle.job import Task
from lakeward.jobs.bundle.references import resolve
from lakeward.jobs.record.record import Record, States, Turn, now
from lakeward.jobs.record.rows import Attempt, Run, State, TaskRun
from lakeward.jobs.record.states import LifeCycle, Result, Started
from lakeward.jobs.runner.hooks import Hooks
from lakeward.jobs.runner.order import Order
from lakeward.jobs.runner.outcomes import Ended, decide, result_of
from lakeward.jobs.runner.processes import Processes
from lakeward.jobs.runner.slots import Slots
from lakeward.jobs.runner.stop import CANCELED, Stop
from lakeward.jobs.runner.tasks import Floor, run_task
from lakeward.jobs.runner.truth import NEVER_RAN, claim, reconcile
from lakeward.jobs.runner.values import References
from lakeward.workspace.errors import Busy, LakewardError
from lakeward.workspace.events import Event
from lakeward.workspace.events import record as record_event
from lakeward.workspace.settings import settings

_TICK_S = 0.1
_LOOK_S = 0.5
"""How often the record is asked whether somebody wants the run to stop."""
_FINISHING_S = 60.0
"""Longest time that a repair waits for the process of a run that has ended."""
_THREADS = 128

Show = Callable[[Run, list[TaskRun]], None]
"""Shows how far a run is."""


class NotRepairable(LakewardError):
    """A run can't be repaired."""

    exit_code = 2


class Runner:
    """Runs a job once.

    Attributes
    ----------
    show : callable or None
        Called now and then with the run and its tasks, to show them.
    """

    def __init__(self, record: Record, order: Order) -> None:
        self.show: Show | None = None
        self._record = record
        self._order = order
        self._hooks = Hooks()
        self._processes = Processes()
        self._stop = Stop()
        self._lock: IO[bytes] | None = None
        self._ended: dict[str, Ended] = {}
        self._warned: set[str | None] = set()
        self._run_id = 0
        self._began = 0

    def cancel(self) -> None:
        """Stop the run and what it has started; safe to call from a signal's handler."""
        self._stop.tell(CANCELED)

    def start(
        self,
        given: Mapping[str, str],
        started_by: Started = Started.ONE_TIME,
        parent: tuple[int, str] | None = None,
    ) -> Run:
        """Note the run, and say to those who keep the books that it is about to begin; nothing runs yet.

        Raises
        ------
        ParameterError
            If the job has no such parameter.
        EventNotRecorded
            If that could not be written; then there is no run.
        """
        parameters = self._order.parameters(given)
        reconcile(self._record)
        self._tell("jobs.run.started", self._order.key, started_by=started_by.value)
        return self._record.add_run(
            self._order.key,
            self._order.settings,
            parameters,
            target=self._order.target,
            started_by=started_by,
            user=getpass.getuser(),
            provenance=self._provenance(),
            parent=parent,
            turn=Turn(self._order.job.max_concurrent_runs, self._order.job.queue.enabled),
            claim=self._claim,
        )

    def start_repair(self, run_id: int, given: Mapping[str, str]) -> Run:
        """Note that a run is repaired: what did not succeed is to run again, and what depends on it; the rest stays.

        Raises
        ------
        NotRepairable
            If the run succeeded, or never ran.
        Busy
            If it runs, or as many runs of the job as may.
        EventNotRecorded
            If that could not be written; then nothing changes.
        """
        reconcile(self._record)
        self._claim_ended(self._record.run(run_id))
        try:
            run = self._record.run(run_id)
            if not run.repairable:
                raise NotRepairable(f"The run {run_id} is {run.state}: there is nothing to repair.")
            parameters = self._order.parameters({**_known(run.parameters, self._order), **given})
            again = _again(self._order, self._record.tasks(run_id))
            self._tell("jobs.run.repaired", f"{self._order.key}/{run_id}", tasks=sorted(again))
            now_is = (self._order.settings, parameters, self._provenance())
            if not self._record.begin_repair(
                run_id, *now_is, limit=self._order.job.max_concurrent_runs, tasks=_blocked(again)
            ):
                raise Busy(f"As many runs of the job {self._order.key} as may are running. Wait for one to end.")
        except BaseException:
            self._release()
            raise
        return self._record.run(run_id)

    def run(self, run: Run) -> Run:
        """Run what `start` or `start_repair` has noted, and return the run as it ended."""
        try:
            if run.state.life_cycle is LifeCycle.SKIPPED:
                return self._finish(run.run_id, run.state)
            if not self._turn(run):
                return self._finish(run.run_id, self._stop.reason or CANCELED)
            return self._go(run.run_id)
        finally:
            self._release()

    # --- its parts -----------------------------------------------------------------------------------------------

    def _provenance(self) -> dict[str, Any]:
        return {**provenance(self._order.bundle or Path.cwd()), "variables": dict(self._order.variables)}

    def _claim(self, folder: Path) -> None:
        self._lock = claim(folder)

    def _claim_ended(self, run: Run) -> None:
        """Claim a run that has ended; its process may need a moment more for the archive and the notifications."""
        end = time.monotonic() + _FINISHING_S
        while True:
            try:
                return self._claim(run.folder)
            except Busy:
                if self._record.run(run.run_id).ended is None or time.monotonic() > end:
                    raise
            time.sleep(_TICK_S)

    def _release(self) -> None:
        if self._lock:
            self._lock.close()

    def _tell(self, kind: str, what: str, **details: Any) -> None:
        record_event(Event(type=kind, object=what, details={"target": self._order.target, **details}))

    def _turn(self, run: Run) -> bool:
        """Wait for the run's turn; False if it is stopped before."""
        limit = self._order.job.max_concurrent_runs
        while self._record.run(run.run_id).state.life_cycle is LifeCycle.QUEUED:
            if self._stop.reason:
                return False
            reconcile(self._record)
            if not self._record.take_turn(run.run_id, run.job, limit):
                self._stop.pause(_LOOK_S)
        if run.state.life_cycle is LifeCycle.RUNNING:
            return True
        return self._record.begin(run.run_id, _blocked(task.task_key for task in self._order.job.tasks))

    def _go(self, run_id: int) -> Run:
        """Run the tasks that are not ended yet, each as soon as those before it have."""
        self._stop = Stop(self._stop, self._order.job.timeout_seconds)
        run, self._run_id = self._filled(self._record.run(run_id)), run_id
        self._began = now()
        self._hooks.notify("start", self._order.job, run, None)
        slots = Slots(self._record.folder / "slots", settings().parallel_tasks)
        floor = Floor(self._record, run, self._order, self._stop, slots, self._processes, self._archive, self._notify)
        rows = {row.task: row for row in self._record.tasks(run_id) if row.iteration is None}
        self._ended = {key: Ended(row.state, row.value) for key, row in rows.items() if row.state.life_cycle.ended}
        with ThreadPoolExecutor(_THREADS) as pool:
            self._schedule(floor, pool)
        states = {task.task_key: self._ended[task.task_key].state for task in self._order.job.tasks}
        return self._finish(run_id, self._stop.reason or result_of(self._order.job, states))

    def _filled(self, run: Run) -> Run:
        """Put what they stand for in place of the references in a run's parameters, once for all of its tasks."""
        look_up = References(self._record, run, self._order, "")
        self._record.set_parameters(run.run_id, {k: resolve(text, look_up) for k, text in run.parameters.items()})
        return self._record.run(run.run_id)

    def _schedule(self, floor: Floor, pool: ThreadPoolExecutor) -> None:
        left = {task.task_key: task for task in self._order.job.tasks if task.task_key not in self._ended}
        going_on: dict[Future[Ended], str] = {}
        looked = 0.0
        while left or going_on:
            for task in self._ready(left, floor.run):
                going_on[pool.submit(run_task, floor, task)] = task.task_key
            self._shown(floor.run)
            done, _ = wait(going_on, timeout=_TICK_S, return_when=FIRST_COMPLETED)
            self._processes.tick()
            for future in done:
                self._ended[going_on.pop(future)] = future.result()
            if time.monotonic() - looked > _LOOK_S:
                looked = time.monotonic()
                self._look(floor.run.run_id)
                self._warn(floor.run, self._record.tasks(floor.run.run_id))

    def _ready(self, left: dict[str, Task], run: Run) -> list[Task]:
        """Take the tasks whose turn has come out of those left; end those that won't run."""
        ready: list[Task] = []
        settled = True
        while settled:
            settled = False
            for key, task in list(left.items()):
                if not all(dependency.task_key in self._ended for dependency in task.depends_on):
                    continue
                del left[key]
                state = NEVER_RAN if self._stop.reason else decide(task, self._ended)
                if state is None:
                    ready.append(task)
                    continue
                self._record.set_task(run.run_id, key, None, state, ended=now())
                self._ended[key] = Ended(state)
                settled = True
        return ready

    def _look(self, run_id: int) -> None:
        """Learn from the record that the run is to stop, or note it there: whoever finds it killed knows why."""
        state = self._record.run(run_id).state
        if state.life_cycle is LifeCycle.TERMINATING:
            self._stop.tell(State(CANCELED.life_cycle, CANCELED.result, CANCELED.code, state.message))
        elif reason := self._stop.reason:
            self._record.ask_to_stop(run_id, reason.message)

    def _warn(self, run: Run, rows: list[TaskRun]) -> None:
        """Tell once of a run or a task that takes longer than its health allows."""
        tasks = {task.task_key: task for task in self._order.job.tasks}
        going_on = [row for row in rows if row.started and row.ended is None and row.iteration is None]
        late = [row for row in going_on if tasks[row.task].health.exceeded((now() - (row.started or 0)) / 1000)]
        for row in late:
            if row.task not in self._warned:
                self._hooks.notify("duration_warning", self._order.job, run, row)
        whole = self._order.job.health.exceeded((now() - self._began) / 1000)
        if whole and None not in self._warned:
            self._hooks.notify("duration_warning", self._order.job, run, None)
        self._warned |= {*(row.task for row in late), *([None] if whole else [])}

    def _notify(self, event: str, task: str, iteration: int | None) -> None:
        if not self._order.job.heard:
            return
        run = self._record.run(self._run_id)
        row = self._record.task(run.run_id, task, iteration)
        self._hooks.notify(event, self._order.job, run, row)

    def _shown(self, run: Run) -> None:
        # A loop may have thousands of iterations: they are read only if somebody looks.
        if self.show:
            self.show(run, self._record.tasks(run.run_id))

    def _archive(self, attempt: Attempt) -> None:
        self._hooks.archive(attempt.folder)

    def _finish(self, run_id: int, state: State) -> Run:
        self._record.set_run(run_id, state, ended=now())
        run = self._record.run(run_id)
        good = state.result in (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES)
        self._tell("jobs.run.ended", f"{run.job}/{run_id}", result=str(state))
        self._hooks.notify("success" if good else "failure", self._order.job, run, None)
        self._shown(run)
        self._hooks.finish(self._record, run_id)
        return run


def _blocked(tasks: Iterable[str]) -> States:
    return {(task, None): State(LifeCycle.BLOCKED) for task in tasks}


def _known(parameters: Mapping[str, str], order: Order) -> dict[str, str]:
    """Return those of a run's parameters that the job still has."""
    names = {parameter.name for parameter in order.job.parameters}
    return {name: value for name, value in parameters.items() if name in names}


def _again(order: Order, rows: list[TaskRun]) -> set[str]:
    """Return the tasks that a repair runs: those that did not succeed, and all that come after them."""
    good = {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES, Result.EXCLUDED}
    done = {row.task for row in rows if row.iteration is None and row.state.result in good}
    again: set[str] = set()
    more = True
    while more:
        more = False
        for task in order.job.tasks:
            before = {dependency.task_key for dependency in task.depends_on}
            if task.task_key not in again and (task.task_key not in done or before & again):
                again.add(task.task_key)
                more = True
    return again
