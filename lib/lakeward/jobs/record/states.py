"""States as the Databricks Jobs API names them.

Source: Jobs API reference 2.1/2.2, RunLifeCycleState, RunResultState, TerminationCodeCode.
"""

from enum import StrEnum


class LifeCycle(StrEnum):
    """Where a run, a task or an attempt is on its way."""

    QUEUED = "QUEUED"
    """As many runs of the job run as may; it waits for its turn."""
    BLOCKED = "BLOCKED"
    """It waits for the tasks before it."""
    PENDING = "PENDING"
    """Its turn has come, and it starts."""
    RUNNING = "RUNNING"
    WAITING_FOR_RETRY = "WAITING_FOR_RETRY"
    TERMINATING = "TERMINATING"
    """It was told to stop."""
    TERMINATED = "TERMINATED"
    SKIPPED = "SKIPPED"
    """It was never run: as many ran as may, or its condition did not hold."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """The runner, not the work, failed: it was killed, or its machine died."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (LifeCycle.TERMINATED, LifeCycle.SKIPPED, LifeCycle.INTERNAL_ERROR)


class Result(StrEnum):
    """How it ended."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    """The run's last tasks succeeded, though others before them failed."""
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"
    EXCLUDED = "EXCLUDED"
    """Its ``run_if``, or the outcome that it asks for, did not hold."""
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    DISABLED = "DISABLED"


class Code(StrEnum):
    """Why it ended so."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    RUN_EXECUTION_ERROR = "RUN_EXECUTION_ERROR"
    """The notebook or program raised."""
    DRIVER_ERROR = "DRIVER_ERROR"
    """Its process died: killed, out of memory, or crashed."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INVALID_RUN_CONFIGURATION = "INVALID_RUN_CONFIGURATION"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    USER_CANCELED = "USER_CANCELED"
    CANCELED = "CANCELED"
    MAX_CONCURRENT_RUNS_EXCEEDED = "MAX_CONCURRENT_RUNS_EXCEEDED"
    SKIPPED = "SKIPPED"
    DISABLED = "DISABLED"


class Started(StrEnum):
    """What started a run."""

    ONE_TIME = "ONE_TIME"
    PERIODIC = "PERIODIC"
    """A schedule, or a trigger at intervals."""
    FILE_ARRIVAL = "FILE_ARRIVAL"
    TABLE = "TABLE"
    RUN_JOB_TASK = "RUN_JOB_TASK"
    RETRY = "RETRY"


_EXIT_CODES = {
    Result.FAILED: 10,
    Result.TIMEDOUT: 11,
    Result.CANCELED: 12,
    Result.MAXIMUM_CONCURRENT_RUNS_REACHED: 13,
}


def exit_code(result: str) -> int:
    """Return what a command ends with whose run has ended so; 0 for a success, and for what has not ended."""
    return _EXIT_CODES.get(Result(result), 0) if result in set(Result) else 0
