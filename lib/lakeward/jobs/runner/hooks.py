"""What else happens at the start and the end of runs and tasks: notifications and archives.

They come after the record and change nothing of what it tells of a run: what fails here is told on the standard error
stream, which is the run's log if it was launched in the background, and the run goes on.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from lakeward.jobs.bundle.job import Job

_log = logging.getLogger("lakeward.jobs")


class Hooks:
    """Does these things one after the other, beside the tasks."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1)

    def notify(self, event: str, job: Job, *about: Any) -> None:
        """Tell those who asked for it."""
        if job.heard:
            self._worker.submit(_safely, "lakeward.jobs.notices", "notify", event, job, *about)

    def archive(self, folder: Path) -> None:
        """Make the page of an attempt."""
        self._worker.submit(_safely, "lakeward.jobs.archive.finish", "finish_attempt", folder)

    def finish(self, *told: Any) -> None:
        """Complete the archive of a run, and wait until all is done."""
        self._worker.submit(_safely, "lakeward.jobs.archive.finish", "finish_run", *told)
        self._worker.shutdown()


def _safely(module: str, name: str, *told: Any) -> None:
    try:
        hook: Callable[..., None] = getattr(import_module(module), name)
        hook(*told)
    except Exception as error:
        _log.warning("%s.%s failed: %s", module, name, type(error).__name__)
