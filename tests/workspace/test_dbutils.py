"""``dbutils`` as a notebook knows it: the same answers here, with papermill, and with widgets like Databricks'."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.workspace.dbutils import CONTEXT, LARGEST_VALUE, Dbutils, NotebookExit, NotThere
from lakeward.workspace.errors import NotebookFailed
from lakeward.workspace.notebooks import execute, run, run_in_process

PARAMETERS = 'source = "in"\nlimit = 3\nfast = True\nratio = 0.5\nmodalities = ["CT", "MR"]\nseed = 0'
BIND = """
from pathlib import Path
from lakeward.workspace.notebooks import Parameters, bind
class Model(Parameters):
    source: Path
    limit: int
    fast: bool
    ratio: float
    modalities: list[str]
    seed: int | None
p = bind(globals(), Model)
"""
GIVEN = {"limit": "7", "fast": "false", "modalities": '["US"]', "source": "/data/a b", "seed": "null"}


class DatabricksWidgets:
    """As on Databricks: the job's parameters are set before the notebook runs, and all is text."""

    def __init__(self, passed: dict[str, str]) -> None:
        self._values = dict(passed)

    def text(self, name: str, default: str) -> None:
        assert isinstance(default, str)
        self._values.setdefault(name, default)

    def get(self, name: str) -> str:
        return self._values[name]


class DatabricksUtils:
    def __init__(self, passed: dict[str, str]) -> None:
        self.widgets = DatabricksWidgets(passed)


@pytest.mark.usefixtures("home")
def test_a_notebook_gets_the_same_parameters_from_databricks_and_from_papermill(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    cells = [PARAMETERS, BIND, f"Path({str(told)!r}).write_text(p.model_dump_json())"]
    there: dict[str, Any] = {"dbutils": DatabricksUtils(GIVEN)}
    exec("\n".join(cells), there)
    on_databricks = json.loads(told.read_text())
    told.unlink()
    first = new_code_cell(cells[0], metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells[1:])]), tmp_path / "n.ipynb")
    execute(tmp_path / "n.ipynb", tmp_path / "ran.ipynb", GIVEN)
    assert json.loads(told.read_text()) == on_databricks
    assert on_databricks == {**json.loads(json.dumps(GIVEN)), "limit": 7, "fast": False, "ratio": 0.5,
                             "modalities": ["US"], "seed": None}  # fmt: skip


def context(monkeypatch: pytest.MonkeyPatch, folder: Path, **told: Any) -> Dbutils:
    path = folder / "task.json"
    path.write_text(json.dumps({"set_values": str(folder / "values.json"), **told}))
    monkeypatch.setenv(CONTEXT, str(path))
    return Dbutils({"mine": 5, "both": "cell"})


def test_a_widget_gives_what_the_job_passed_else_the_variable_else_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widgets = context(monkeypatch, tmp_path, parameters={"both": "job"}).widgets
    widgets.dropdown("other", "a", ["a", "b"])
    assert (widgets.get("both"), widgets.get("mine"), widgets.get("other")) == ("job", "5", "a")
    assert widgets.getAll() == {"both": "job", "other": "a"}
    assert widgets.getArgument("none", "x") == "x"
    with pytest.raises(KeyError, match="InputWidgetNotDefined"):
        widgets.get("none")
    with pytest.raises(ValueError, match="choices"):
        widgets.dropdown("third", "c", ["a"])


def test_task_values_are_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = context(monkeypatch, tmp_path, values={"before": {"n": [1]}}).jobs.taskValues
    assert values.get("before", "n") == [1]
    assert values.get("before", "m", default=2) == 2
    with pytest.raises(ValueError, match="'before' has set no value 'm'"):
        values.get("before", "m")
    values.set("a", 1)
    values.set("b", {"c": None})
    assert json.loads((tmp_path / "values.json").read_text()) == {"a": 1, "b": {"c": None}}
    with pytest.raises(ValueError, match="49,"):
        values.set("large", "x" * LARGEST_VALUE)
    with pytest.raises(ValueError, match="JSON"):
        values.set("odd", object())


def test_outside_a_job_a_value_is_what_one_debugs_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONTEXT, raising=False)
    values = Dbutils({}).jobs.taskValues
    values.set("a", 1)
    assert values.get("before", "n", debugValue=3) == 3
    with pytest.raises(TypeError, match="debugValue"):
        values.get("before", "n", default=3)


def test_what_only_databricks_has_is_refused_by_name() -> None:
    with pytest.raises(NotThere, match=r"dbutils\.fs is not there outside Databricks.*notebook.*widgets"):
        _ = Dbutils({}).fs
    with pytest.raises(NotThere, match=r"dbutils\.notebook\.entry_point"):
        _ = Dbutils({}).notebook.entry_point
    with pytest.raises(NotebookExit, match="done"):
        Dbutils({}).notebook.exit("done")


@pytest.mark.usefixtures("home")
def test_a_notebook_ends_itself_with_a_value_and_runs_another(tmp_path: Path) -> None:
    first = new_code_cell("n = 1", metadata={"tags": ["parameters"]})
    inner = [first, new_code_cell("dbutils.notebook.exit(12 // int(n))"), new_code_cell("raise OSError")]
    nbformat.write(new_notebook(cells=inner), tmp_path / "inner.ipynb")
    call = f"dbutils.notebook.exit(dbutils.notebook.run({str(tmp_path / 'inner')!r}, 60, {{'n': '4'}}))"
    nbformat.write(new_notebook(cells=[new_code_cell(call)]), tmp_path / "outer.ipynb")
    assert run(tmp_path / "outer.ipynb", tmp_path / "ran.ipynb", {}) == "3"
    with pytest.raises(NotebookFailed, match=r"inner\.ipynb, cell 2: ZeroDivisionError"):
        run_in_process(tmp_path / "inner.ipynb", {"n": "0"})
