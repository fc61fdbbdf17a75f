"""What the pages are about: the record of runs, the bundle, the tables, and where the other tools are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from lakeward.jobs.bundle.bundle import Bundle, find_root, load
from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.models import notebook_models
from lakeward.jobs.bundle.reading import state_of
from lakeward.jobs.record.record import Record
from lakeward.jobs.runner.truth import reconcile
from lakeward.workspace.errors import LakewardError

if TYPE_CHECKING:
    from lakeward.workspace.tables import Table


class NotFound(LakewardError):
    """What the address names is not there."""


@dataclass
class Site:
    """What all pages share.

    Parameters
    ----------
    tables : callable
        Gives the declared tables; the roof, which knows the areas, hands it down.
    root : Path or None
        Folder of the bundle; looked for from the current folder if not given.
    target : str or None
        Target of the bundle; its default if not given.
    token : str
        What opens the pages.
    links : mapping of str to str
        The other tools, by name, with their addresses.
    """

    tables: "Callable[[], Sequence[Table]]"
    root: Path | None
    target: str | None
    token: str
    links: Mapping[str, str] = field(default_factory=dict)
    _bundle: tuple[object, Bundle] | None = None
    _lock: Lock = field(default_factory=Lock)

    def record(self) -> Record:
        """Return the record of runs, in which no run that was killed still seems to run."""
        record = Record()
        reconcile(record)
        return record

    def bundle(self) -> Bundle:
        """Return the bundle as its files are now.

        Raises
        ------
        BundleRefused
            If anything is wrong with them.
        """
        with self._lock:
            root = self.root or find_root()
            now = state_of(root)
            if self._bundle is None or self._bundle[0] != now:
                self._bundle = now, load(root, self.target)
            return self._bundle[1]

    def job(self, key: str) -> Job:
        """Return a job of the bundle."""
        jobs = self.bundle().jobs
        if key not in jobs:
            raise NotFound(f"There is no job {key} in the bundle.")
        return jobs[key]

    def models(self, job: Job) -> list[dict[str, Any]]:
        """Return the schemas of the parameters that the job's notebooks take."""
        paths = [Path(task.notebook_task.notebook_path) for task in job.every_task() if task.notebook_task]
        return list(notebook_models(paths).values())

    def table_names(self) -> set[str]:
        """Return the names of the declared tables."""
        return {table.name for table in self.tables()}

    def table(self, name: str) -> "Table":
        """Return a declared table."""
        found = next((table for table in self.tables() if table.name == name), None)
        if found is None:
            raise NotFound(f"There is no table {name}.")
        return found


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


Here = Annotated[Site, Depends(_site)]
