"""A record of the test's own, and jobs made of notebooks and programs that a test writes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.runner import Runner
from running import order

Write = Callable[..., dict[str, Any]]


@pytest.fixture
def record(home: Path) -> Record:
    return Record()


@pytest.fixture
def notebook(tmp_path: Path) -> Write:
    """Writes a notebook, whose first cell is its parameters, and returns the task that runs it."""

    def write(key: str, parameters: str, *cells: str, given: dict[str, str] | None = None, **task: Any) -> Any:
        first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        path = tmp_path / f"{key}.ipynb"
        nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)]), path)
        kind = {"notebook_path": str(path), "base_parameters": given or {}}
        return {"task_key": key, "notebook_task": kind, **task}

    return write


@pytest.fixture
def program(tmp_path: Path) -> Write:
    """Writes a program, and returns the task that runs it: far quicker than a notebook."""

    def write(key: str, text: str = "", *arguments: str, **task: Any) -> Any:
        path = tmp_path / f"{key}.py"
        path.write_text(text)
        kind = {"python_file": str(path), "parameters": list(arguments)}
        return {"task_key": key, "spark_python_task": kind, **task}

    return write


@pytest.fixture
def run(record: Record) -> Callable[..., Run]:
    """Runs a job of these tasks to its end."""

    def to_the_end(*tasks: dict[str, Any], given: dict[str, str] | None = None, **job: Any) -> Run:
        runner = Runner(record, order(*tasks, **job))
        return runner.run(runner.start(given or {}))

    return to_the_end
