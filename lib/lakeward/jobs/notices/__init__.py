"""Notices of runs, by mail and by HTTP, as a job's settings ask for them."""

from lakeward.jobs.notices.notify import finish, notify

__all__ = ["finish", "notify"]
