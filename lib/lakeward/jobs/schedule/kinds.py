"""Which kind of trigger a job has."""

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.schedule.arrivals import Arrivals
from lakeward.jobs.schedule.times import CronTimes, Interval
from lakeward.jobs.schedule.trigger import Trigger
from lakeward.jobs.schedule.updates import Updates


def trigger_of(job: Job) -> Trigger | None:
    """Return what starts a job by itself, None if nothing does.

    Raises
    ------
    ConfigurationError
        If it is wrong, or means something that is not on this machine.
    """
    if job.schedule:
        return CronTimes(job.schedule)
    if job.trigger and job.trigger.periodic:
        return Interval(job.trigger.periodic)
    if job.trigger and job.trigger.file_arrival:
        return Arrivals(job.trigger.file_arrival)
    if job.trigger and job.trigger.table_update:
        return Updates(job.trigger.table_update)
    return None
