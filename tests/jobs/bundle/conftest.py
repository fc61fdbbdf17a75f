"""Bundles of a test's own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

Write = Callable[..., Path]
ROOT = "bundle: {name: b}\ninclude: ['*.job.yml']\n"


@pytest.fixture
def write(tmp_path: Path, home: Path) -> Write:
    """Write files into a folder ``jobs`` and return it; a job file is given by its job's content alone."""

    def written(job: str = "", root: str = ROOT, **files: str) -> Path:
        folder = tmp_path / "jobs"
        folder.mkdir(exist_ok=True)
        (folder / "databricks.yml").write_text(dedent(root))
        if job:
            text = "resources:\n  jobs:\n    a:\n" + "".join(f"      {line}\n" for line in dedent(job).splitlines())
            (folder / "a.job.yml").write_text(text)
        for name, text in files.items():
            (folder / f"{name}.yml").write_text(dedent(text))
        return folder

    return written


@pytest.fixture
def notebook(tmp_path: Path, home: Path) -> Callable[[str, Mapping[str, object]], Path]:
    """Write a notebook without a model beside ``jobs``, with the given parameters."""

    def written(name: str, parameters: Mapping[str, object]) -> Path:
        cell = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
        path = tmp_path / f"{name}.ipynb"
        cells = [new_code_cell(cell, metadata={"tags": ["parameters"]}), new_code_cell("%matplotlib inline")]
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return written
