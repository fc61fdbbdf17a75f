"""What keeps the record true: who runs a run holds a lock, which the system drops when that process ends."""

import fcntl
import json
from pathlib import Path
from typing import IO, Any

from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import Attempt, Failure, Run, State
from lakeward.jobs.record.states import Code, LifeCycle, Result
from lakeward.jobs.runner.outcomes import SUCCESS
from lakeward.jobs.runner.processes import end_all
from lakeward.jobs.runner.stop import CANCELED
from lakeward.workspace.errors import Busy, death

_LOCK = "runner.lock"
OUTCOME = "outcome.json"
"""What the process of an attempt writes last."""
LOST = State(
    LifeCycle.INTERNAL_ERROR, Result.FAILED, Code.INTERNAL_ERROR, "The runner was killed, or its machine went down."
)
NEVER_RAN = State(LifeCycle.SKIPPED, Result.CANCELED, Code.SKIPPED, "It had not begun when the run ended.")


def claim(folder: Path) -> IO[bytes]:
    """Become the one process that runs a run, for as long as the returned file is open.

    Raises
    ------
    Busy
        If another process runs it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (folder / _LOCK).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy(f"The run {folder.name} is running. Wait for it, or cancel it: lakeward jobs cancel.") from None
    return file


def reconcile(record: Record) -> list[int]:
    """End the runs whose process has ended without saying how; return their numbers.

    What an attempt's own process wrote at its end counts: it stands whether or not the runner lived to read it.
    """
    lost = []
    for run in record.runs(limit=-1, going_on=True):
        try:
            file = claim(run.folder)
        except Busy:
            continue
        with file:
            # The state of before the claim may be old.
            if record.run(run.run_id).ended is None:
                _close(record, record.run(run.run_id))
                lost.append(run.run_id)
    return lost


def _close(record: Record, run: Run) -> None:
    # The processes of its attempts have ended with it; those that they have started may not.
    end_all(run.folder)
    canceled = run.state.life_cycle is LifeCycle.TERMINATING
    ended = {}
    for attempt in record.attempts(run.run_id):
        if attempt.ended is None:
            state = conclude(record, attempt, None, CANCELED if canceled else None)
            ended[attempt.task, attempt.iteration] = state
    for task in record.tasks(run.run_id):
        if not task.state.life_cycle.ended:
            began = task.started is not None and task.state.life_cycle is not LifeCycle.BLOCKED
            state = ended.get((task.task, task.iteration), (CANCELED if canceled else LOST) if began else NEVER_RAN)
            record.set_task(run.run_id, task.task, task.iteration, state, ended=now())
    record.set_run(run.run_id, CANCELED if canceled else LOST, ended=now())


def conclude(record: Record, attempt: Attempt, exit_code: int | None, stopped: State | None, **columns: Any) -> State:
    """Note how an attempt ended, by what its process wrote and its exit code, and return the state.

    Parameters
    ----------
    exit_code : int or None
        None if nobody has seen the process end.
    stopped : State or None
        The state that it was stopped with, if it was: it stands unless the work was done by then.
    """
    outcome = _outcome(attempt.folder)
    state, failure = _judged(outcome, exit_code, stopped)
    told = exit_code if outcome is None or outcome.get("code") is None else outcome["code"]
    record.set_values(attempt.run_id, attempt.task, attempt.iteration, _values(attempt.folder))
    record.set_attempt(
        attempt.run_id,
        attempt.task,
        attempt.iteration,
        attempt.number,
        state,
        ended=now(),
        exit_code=told,
        failure=failure,
        **columns,
    )
    return state


def _judged(
    outcome: dict[str, Any] | None, exit_code: int | None, stopped: State | None
) -> tuple[State, Failure | None]:
    if outcome and outcome["success"] and not exit_code:
        return SUCCESS, None
    failure = Failure(**outcome["failure"]) if outcome and outcome.get("failure") else None
    if stopped:
        return stopped, failure
    if failure:
        code = Code.RUN_EXECUTION_ERROR if failure.error else Code.DRIVER_ERROR
        return State(LifeCycle.TERMINATED, Result.FAILED, code, _one_line(failure)), failure
    if exit_code is None:
        return LOST, None
    failure = Failure("", death(exit_code))
    return State(LifeCycle.TERMINATED, Result.FAILED, Code.DRIVER_ERROR, _one_line(failure)), failure


def _one_line(failure: Failure) -> str:
    text = failure.message.partition("\n")[0]
    return ": ".join(filter(None, [f"cell {failure.cell}" if failure.cell else "", failure.error, text]))


def _outcome(folder: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((folder / OUTCOME).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _values(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "values.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
