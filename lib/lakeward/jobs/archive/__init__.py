"""What is kept of a run beside its record: where it came from, its pages, its summary; and how two runs differ."""

from lakeward.jobs.archive.finish import finish_attempt, finish_run

__all__ = ["finish_attempt", "finish_run"]
