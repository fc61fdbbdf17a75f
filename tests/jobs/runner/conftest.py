"""A record of the test's own, and jobs made of notebooks that a test writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.order import Order
from lakeward.jobs.runner.runner import Runner


@pytest.fixture
def record(home: Path) -> Record:
    return Record()


@pytest.fixture
def notebook(tmp_path: Path) -> Callable[..., str]:
    """Writes a notebook; the first cell is its parameters."""

    def write(name: str, parameters: str, *cells: str) -> str:
        first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)]), path)
        return str(path)

    return write


def order(*tasks: dict[str, Any], **job: Any) -> Order:
    settings = {"name": "A job", "tasks": list(tasks), **job}
    return Order("a_job", Job.model_validate(settings), settings)


@pytest.fixture
def run(record: Record) -> Callable[..., Run]:
    """Runs a job of these tasks to its end."""

    def to_the_end(*tasks: dict[str, Any], given: dict[str, str] | None = None, **job: Any) -> Run:
        runner = Runner(record, order(*tasks, **job))
        return runner.run(runner.start(given or {}))

    return to_the_end
