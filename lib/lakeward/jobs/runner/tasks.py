"""One task of a run: tries and retries, loops, conditions, other jobs."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lakeward.jobs.bundle.job import BaseTask, ConditionTask, ForEachTask, Task
from lakeward.jobs.bundle.references import resolve
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import Attempt, Failure, Run, State
from lakeward.jobs.record.states import Code, LifeCycle, Result
from lakeward.jobs.runner import tables
from lakeward.jobs.runner.order import Order, environment, label, work
from lakeward.jobs.runner.outcomes import SUCCESS, Ended, holds
from lakeward.jobs.runner.processes import GRACE_S, RUNNERS_GRACE_S, Processes
from lakeward.jobs.runner.slots import Slots
from lakeward.jobs.runner.stop import Stop
from lakeward.jobs.runner.truth import conclude
from lakeward.jobs.runner.values import References
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.processes import replace_text
from lakeward.workspace.scrub import NO_TEXT, told
from lakeward.workspace.settings import settings

RUNNING = State(LifeCycle.RUNNING)
Part = TypeVar("Part", BaseTask, Task)


@dataclass(frozen=True)
class Floor:
    """What all tasks of a run share."""

    record: Record
    run: Run
    order: Order
    stop: Stop
    slots: Slots
    processes: Processes
    archive: Callable[[Attempt], None]
    tell: Callable[[str, str, int | None], None]
    """Tells those who asked for it of an event of a task, by its key, or of an iteration."""


def run_task(floor: Floor, task: Task) -> Ended:
    """Run a task until it has ended, with all its tries, and note how it did."""
    record, run_id = floor.record, floor.run.run_id
    record.set_task(run_id, task.task_key, None, RUNNING, started=now(), ended=None)
    outcome = None
    try:
        if condition := task.condition_task:
            floor.tell("start", task.task_key, None)
            outcome = _outcome(floor, task.task_key, condition)
            state = SUCCESS
        elif loop := task.for_each_task:
            floor.tell("start", task.task_key, None)
            state = _Loop(floor, task, loop).run()
        else:
            state = _Tries(floor, task, None).run()
    except Exception as error:
        state = _broken(error)
    value = {"value": outcome} if task.condition_task else {}
    record.set_task(run_id, task.task_key, None, state, ended=now(), **value)
    floor.tell(_event(state), task.task_key, None)
    return Ended(state, outcome)


def _broken(error: Exception) -> State:
    """Return the state of what could not be run as it is, or where the runner failed: the other tasks go on."""
    if isinstance(error, LakewardError):
        return State(LifeCycle.TERMINATED, Result.FAILED, Code.INVALID_RUN_CONFIGURATION, str(error))
    message = f"The runner failed: {type(error).__name__}, {NO_TEXT}."
    return State(LifeCycle.INTERNAL_ERROR, Result.FAILED, Code.INTERNAL_ERROR, message)


def _event(end: State) -> str:
    return "success" if end.result is Result.SUCCESS else "failure"


def _outcome(floor: Floor, key: str, condition: ConditionTask) -> str:
    look_up = References(floor.record, floor.run, floor.order, key)
    return str(holds(condition, resolve(condition.left, look_up), resolve(condition.right, look_up))).lower()


def _resolved(task: Part, look_up: Callable[[str], str]) -> Part:
    """Return a task with its references replaced by what they stand for."""
    kind = task.kinds[0]
    told = _each_text(getattr(task, kind).model_dump(), lambda text: resolve(text, look_up))
    return task.model_copy(update={kind: type(getattr(task, kind)).model_validate(told)})


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case str():
            return change(value)
        case dict():
            return {key: _each_text(item, change) for key, item in value.items()}
        case list():
            return [_each_text(item, change) for item in value]
        case _:
            return value


class _Loop:
    """The iterations of a ``for_each_task``."""

    def __init__(self, floor: Floor, task: Task, loop: ForEachTask) -> None:
        self._stop = Stop(floor.stop, task.timeout_seconds)
        self._floor = replace(floor, stop=self._stop)
        self._loop = loop
        self._key = task.task_key

    def run(self) -> State:
        """Run all iterations, also after one failed; those that a run before this repair did well stay as they are."""
        look_up = References(self._floor.record, self._floor.run, self._floor.order, self._key)
        inputs = _inputs(resolve(self._loop.inputs, look_up), self._key)
        # A run before this repair may have had more.
        self._floor.record.drop_iterations(self._floor.run.run_id, self._key, len(inputs))
        rows = {row.iteration: row for row in self._floor.record.tasks(self._floor.run.run_id) if row.task == self._key}
        texts = [item if isinstance(item, str) else json.dumps(item) for item in inputs]
        kept = {
            number
            for number, text in enumerate(texts)
            if (row := rows.get(number)) and row.value == text and row.state.result is Result.SUCCESS
        }
        waiting = State(LifeCycle.BLOCKED)
        for number, text in enumerate(texts):
            if number not in kept:
                self._note(number, waiting, value=text, started=None, ended=None)
        with ThreadPoolExecutor(self._loop.concurrency) as pool:
            states = list(
                pool.map(
                    lambda number: SUCCESS if number in kept else self._one(number, inputs[number]), range(len(inputs))
                )
            )
        if reason := self._stop.reason:
            return reason
        failed = sum(state.result is not Result.SUCCESS for state in states)
        if failed:
            message = f"{failed} of {len(states)} iterations were not successful."
            return State(LifeCycle.TERMINATED, Result.FAILED, Code.RUN_EXECUTION_ERROR, message)
        return SUCCESS

    def _one(self, number: int, item: Any) -> State:
        if reason := self._stop.reason:
            state = reason
        else:
            self._note(number, RUNNING, started=now())
            state = self._tried(number, item)
        self._note(number, state, ended=now())
        self._floor.tell(_event(state), self._key, number)
        return state

    def _tried(self, number: int, item: Any) -> State:
        # It is known by the loop's key, whatever its own is.
        inner = self._loop.task.model_copy(update={"task_key": self._key})
        try:
            return _Tries(self._floor, inner, number, item).run()
        except Exception as error:
            return _broken(error)

    def _note(self, number: int, state: State, **columns: Any) -> None:
        self._floor.record.set_task(self._floor.run.run_id, self._key, number, state, **columns)


def _inputs(text: str, key: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise LakewardError(f"The inputs of the loop {key} are no JSON list.")
    return found


class _Tries:
    """The tries at a task, or at an iteration of a loop, whose input is `item`."""

    def __init__(self, floor: Floor, task: BaseTask, iteration: int | None, *item: Any) -> None:
        self._floor = floor
        self._iteration = iteration
        self._task = task
        self._item = item
        self._first = floor.record.tries(floor.run.run_id, task.task_key, iteration)

    def run(self) -> State:
        """Try until it succeeds, or no more tries are left."""
        tries = 0
        while True:
            state, began = self._one(self._first + tries)
            tries += 1
            if not self._again(state, tries):
                return state
            self._note(State(LifeCycle.WAITING_FOR_RETRY, message=state.message), self._first + tries)
            self._floor.tell("failure", self._task.task_key, self._iteration)
            # Documented as the time between the starts of two tries.
            pause = max(0.0, (began + self._task.min_retry_interval_millis - now()) / 1000)
            if not self._floor.stop.pause(pause):
                return self._floor.stop.reason or state

    def _again(self, state: State, tries: int) -> bool:
        if self._floor.stop.reason or (self._task.max_retries != -1 and tries > self._task.max_retries):
            return False
        return state.result is Result.FAILED or (state.result is Result.TIMEDOUT and self._task.retry_on_timeout)

    def _note(self, state: State, attempts: int) -> None:
        key = (self._floor.run.run_id, self._task.task_key, self._iteration)
        self._floor.record.set_task(*key, state, attempts=attempts)

    def _one(self, number: int) -> tuple[State, int]:
        """Try once; return how it ended and when it began."""
        with self._place() as free:
            if not free:
                return self._floor.stop.reason or RUNNING, now()
            of_run = (self._floor.record, self._floor.run, self._floor.order)
            task = _resolved(self._task, References(*of_run, self._task.task_key, *self._item, attempt=number))
            self._note(RUNNING, number + 1)
            self._floor.tell("start", self._task.task_key, self._iteration)
            stop = Stop(self._floor.stop, self._task.timeout_seconds)
            attempt = _Attempt(self._floor, task, self._iteration, number, stop)
            return attempt.run(), attempt.began

    def _place(self) -> AbstractContextManager[bool]:
        """Return a place on this machine; another job takes none itself, since its tasks do."""
        return nullcontext(True) if self._task.run_job_task else self._floor.slots.one(self._floor.stop)


class _Attempt:
    """One try."""

    def __init__(self, floor: Floor, task: BaseTask, iteration: int | None, number: int, stop: Stop) -> None:
        self._floor = floor
        self._task = task
        self._stop = stop
        self._key = (floor.run.run_id, task.task_key, iteration, number)
        self._attempt = self._begin()

    @property
    def began(self) -> int:
        """When it began."""
        return self._attempt.started

    def _begin(self) -> Attempt:
        folder = self._floor.record.attempt_folder(*self._key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        reads = tables.versions(settings().home)
        repair = self._floor.run.repairs
        began = now()
        self._floor.record.set_attempt(*self._key, RUNNING, repair=repair, started=began, reads=reads)
        return Attempt(*self._key, repair, RUNNING, began, None, None, folder, reads=reads)

    def run(self) -> State:
        """Have a process do the work, and note how that ended."""
        try:
            return self._done()
        except Exception as error:
            failure = Failure(type(error).__name__, told(error))
            self._floor.record.set_attempt(*self._key, _broken(error), ended=now(), failure=failure)
            raise

    def _done(self) -> State:
        folder = self._attempt.folder
        replace_text(folder / "task.json", json.dumps(self._told()))
        known = environment(self._floor.run, self._attempt, self._floor.order.memory(self._task))
        grace_s = RUNNERS_GRACE_S if self._task.run_job_task else GRACE_S
        exit_code, stopped = self._floor.processes.run(self._command(), folder / "log.txt", known, self._stop, grace_s)
        name = label(self._attempt)
        writes = tables.written(settings().home, self._attempt.reads, name)
        made = tables.mlflow_runs(settings().home, name)
        state = conclude(self._floor.record, self._attempt, exit_code, stopped, writes=writes, mlflow_runs=made)
        self._floor.archive(self._attempt)
        return state

    def _told(self) -> dict[str, Any]:
        """Return what the process is to do, and what its notebook knows."""
        if self._task.run_job_task:
            return {"parent": [self._attempt.run_id, self._attempt.task], "process": os.getpid()}
        told = work(self._task, self._floor.run.parameters)
        found = self._floor.record.values(self._floor.run.run_id)
        return {
            "parameters": {},
            **told,
            "values": {task: values for (task, iteration), values in found.items() if iteration is None},
            "set_values": str(self._attempt.folder / "values.json"),
            "notebook": told["path"] if told["kind"] == "notebook" else None,
        }

    def _command(self) -> list[str]:
        folder = str(self._attempt.folder)
        if called := self._task.run_job_task:
            return [*self._floor.order.command(called), "--within", folder]
        return ["-m", "lakeward.jobs.runner.child", folder, str(os.getpid())]
