from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml

from lakeward.jobs.bundle.bundle import Bundle, load
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.daemon import Daemon

NOTEBOOK = {"task_key": "a", "notebook_task": {"notebook_path": "a.ipynb"}}


class Setting:
    """A bundle with one job, what was told of it, and a daemon whose runs are rows in the record and nothing more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = Record()
        self.told: list[Mapping[str, Any]] = []
        folder.mkdir()
        (folder / "a.ipynb").write_text("{}")
        (folder / "databricks.yml").write_text("bundle:\n  name: house\ninclude:\n  - '*.job.yml'\n")

    def job(self, **settings: Any) -> "Setting":
        text = yaml.safe_dump({"jobs": {"a": {"name": "A", "tasks": [NOTEBOOK], **settings}}})
        (self.folder / "a.job.yml").write_text("resources:\n" + indent(text, "  "))
        return self

    def bundle(self) -> Bundle:
        return load(self.folder)

    def launch(self, bundle: Bundle, job: str, started_by: Started) -> int:
        run = self.record.add_run(
            job, bundle.settings[job], {}, target=bundle.target, started_by=started_by, user="ward", provenance={}
        )
        return run.run_id

    def daemon(self, launch: Callable[[Bundle, str, Started], int] | None = None) -> Daemon:
        return Daemon(self.bundle, launch or self.launch, self.record, self.told.append)

    def runs(self) -> list[Started]:
        return [run.started_by for run in self.record.runs("a", limit=1000)]

    def events(self) -> list[str]:
        return [str(told["event"]) for told in self.told]


def looks(daemon: Daemon, *times: int) -> None:
    for at in times:
        daemon.look(at)
        daemon.wait()


@pytest.fixture
def setting(home: Path, tmp_path: Path) -> Setting:
    return Setting(tmp_path / "jobs")
