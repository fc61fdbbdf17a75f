"""Canceling a run from another process: by the record, so that no wrong process is ever hit."""

import getpass
import time

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.processes import GRACE_S, RUNNERS_GRACE_S
from lakeward.jobs.runner.truth import reconcile
from lakeward.workspace.errors import Busy, LakewardError
from lakeward.workspace.events import Event
from lakeward.workspace.events import record as record_event

_LONGEST_S = RUNNERS_GRACE_S + GRACE_S


class AlreadyEnded(LakewardError):
    """A run has ended, so there is nothing to cancel."""

    exit_code = 2


def cancel(record: Record, run_id: int, wait_s: float = _LONGEST_S) -> Run:
    """Ask the process that runs a run to cancel it, wait until it has ended, and return it.

    Parameters
    ----------
    wait_s : float
        Longest time to wait; 0 to return at once.

    Raises
    ------
    AlreadyEnded
        If it had ended before.
    Busy
        If it has not ended by then; it is still asked to.
    EventNotRecorded
        If that could not be written; then nobody is asked.
    """
    reconcile(record)
    run = record.run(run_id)
    if run.ended is None:
        record_event(Event(type="jobs.run.canceled", object=f"{run.job}/{run_id}"))
    if not record.ask_to_stop(run_id, f"Canceled by {getpass.getuser()}."):
        raise AlreadyEnded(f"The run {run_id} has ended already: {record.run(run_id).state}.")
    end = time.monotonic() + wait_s
    while (run := record.run(run_id)).ended is None and wait_s:
        if time.monotonic() > end:
            raise Busy(f"The run {run_id} was asked to stop and has not yet. lakeward jobs show {run_id} tells when.")
        time.sleep(0.1)
        reconcile(record)
    return run
