"""What every notebook of the project keeps to."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from lakeward.workspace.notebooks import TAG

ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path for path in ROOT.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, 4)


def _code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_short(notebook: nbformat.NotebookNode) -> None:
    assert len(notebook.cells) <= 12
    assert sum(len([line for line in cell.source.splitlines() if line.strip()]) for cell in _code(notebook)) <= 60


def test_its_logic_is_in_the_library(notebook: nbformat.NotebookNode) -> None:
    for cell in _code(notebook):
        assert not re.search(r"^\s*(def|class|async def)\s", cell.source, re.MULTILINE)
        assert not re.search(r"\b(CREATE|ALTER|DROP)\s+(TABLE|SCHEMA)\b", cell.source, re.IGNORECASE)


def test_its_parameters_are_plain_literals_then_bound(notebook: nbformat.NotebookNode) -> None:
    first, second = _code(notebook)[:2]
    assert first.metadata.get("tags") == [TAG]
    for statement in ast.parse(first.source).body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        assert statement.value is not None
        assert ast.literal_eval(statement.value) is not None
    assert "bind(globals()," in second.source
