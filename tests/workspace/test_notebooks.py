import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pydantic import Field

from lakeward.workspace.errors import NotebookFailed, ParameterError
from lakeward.workspace.notebooks import Parameters, bind, execute, parameter_names


class Ingest(Parameters):
    source: Path
    limit: int = Field(ge=1)
    fast: bool
    ratio: float
    modalities: list[str]


CELL = {"source": "in", "limit": 3, "fast": True, "ratio": 0.5, "modalities": ["CT", "MR"]}


class DatabricksWidgets:
    """As on Databricks: text in, text out; what a job passes wins over the notebook's default."""

    def __init__(self, passed: dict[str, str]) -> None:
        self.values = dict(passed)

    def text(self, name: str, default: str) -> None:
        assert isinstance(default, str)
        self.values.setdefault(name, default)

    def get(self, name: str) -> str:
        return self.values[name]


class DatabricksUtils:
    def __init__(self, **passed: str) -> None:
        self.widgets = DatabricksWidgets(passed)


def test_a_notebooks_literals_become_typed_parameters() -> None:
    p = bind({**CELL}, Ingest)
    assert p == Ingest(source=Path("in"), limit=3, fast=True, ratio=0.5, modalities=["CT", "MR"])


def test_on_databricks_what_the_job_passes_wins() -> None:
    dbutils = DatabricksUtils(limit="7", fast="false", modalities='["US"]')
    p = bind({**CELL, "dbutils": dbutils}, Ingest)
    assert (p.limit, p.fast, p.modalities, p.ratio) == (7, False, ["US"], 0.5)


def test_a_cell_that_is_edited_and_run_again_gives_the_new_values() -> None:
    notebook: dict[str, Any] = {**CELL}
    bind(notebook, Ingest)
    notebook["limit"] = 4
    assert bind(notebook, Ingest).limit == 4


@pytest.mark.parametrize(
    ("name", "value"), [("limit", 0), ("limit", "many"), ("fast", "perhaps"), ("modalities", "SMITH^JOHN")]
)
def test_a_wrong_value_is_refused_by_name_and_not_quoted(name: str, value: object) -> None:
    with pytest.raises(ParameterError, match=name) as refused:
        bind({**CELL, name: value}, Ingest)
    assert "SMITH" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_parameter_that_the_cell_lacks_is_named() -> None:
    with pytest.raises(ParameterError, match="lacks fast, which Ingest declares"):
        bind({name: value for name, value in CELL.items() if name != "fast"}, Ingest)


BIND = """
from lakeward.workspace.notebooks import Parameters, bind
p = bind(globals(), type("Divide", (Parameters,), {"__annotations__": {"n": int}}))
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        new_markdown_cell("# Divide"),
        new_code_cell("n: int = 1", metadata={"tags": ["parameters"]}),
        new_code_cell(BIND),
        new_code_cell("import sys\nprint(sys.executable, 12 // p.n)"),
    ]
    path = tmp_path / "divide.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.mark.usefixtures("home")
def test_a_notebook_runs_in_this_python_with_the_given_parameters(notebook: Path, tmp_path: Path) -> None:
    ran = execute(notebook, tmp_path / "ran" / "divide.ipynb", {"n": 4})
    assert nbformat.read(ran, 4).cells[-1].outputs[0].text == f"{sys.executable} 3\n"


@pytest.mark.usefixtures("home")
def test_a_failing_cell_is_told_and_the_notebook_is_kept(notebook: Path, tmp_path: Path) -> None:
    output = tmp_path / "ran.ipynb"
    with pytest.raises(
        NotebookFailed, match=r"divide\.ipynb, cell 4: ZeroDivisionError: its text is withheld"
    ) as failed:
        execute(notebook, output, {"n": 0})
    assert (failed.value.cell, failed.value.source) == (4, "print(sys.executable, 12 // p.n)")
    assert "ZeroDivisionError" in output.read_text()


def test_an_unknown_parameter_is_refused_before_anything_runs(notebook: Path, tmp_path: Path) -> None:
    assert parameter_names(notebook) == ["n"]
    with pytest.raises(ParameterError, match="no parameter 'm'; it has n"):
        execute(notebook, tmp_path / "ran.ipynb", {"n": 1, "m": 2})
    assert not (tmp_path / "ran.ipynb").exists()


@pytest.mark.parametrize("content", [None, "not json", "{}"])
def test_what_is_no_notebook_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ParameterError, match="notebook"):
        execute(path, tmp_path / "ran.ipynb", {})
