"""Parameters against the models of the notebooks that get them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.jobs.bundle import models
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.bundle.faults import BundleRefused
from lakeward.jobs.bundle.models import judge, notebook_models
from lakeward.jobs.runner.order import work
from lakeward.workspace.errors import ParameterError

Write = Callable[..., Path]
NotebookOf = Callable[[str, Mapping[str, object]], Path]

NOTEBOOKS = Path(__file__).parents[3] / "notebooks" / "imaging"
INGEST, EXPLORE = NOTEBOOKS / "01_ingest.ipynb", NOTEBOOKS / "02_explore.ipynb"


def _job(*tasks: tuple[str, Path, str], parameters: str = "[]") -> str:
    lines = [f"  - {{task_key: {key}, notebook_task: {{notebook_path: {path}, {rest}}}}}" for key, path, rest in tasks]
    return "\n".join(["name: A", "tasks:", *lines, f"parameters: {parameters}"])


def _refused(root: Path, **options: object) -> list[str]:
    bundle = load(root)
    with pytest.raises(BundleRefused) as refused:
        check(bundle, **options)  # type: ignore[arg-type]
    return [str(fault) for fault in refused.value.faults]


@pytest.mark.usefixtures("home")
def test_a_notebooks_schema_has_the_defaults_of_its_parameters_cell() -> None:
    schemas = notebook_models([INGEST, EXPLORE])
    tiles = schemas[INGEST]["properties"]["tiles"]
    assert (tiles["type"], tiles["minimum"], tiles["maximum"], tiles["default"]) == ("integer", 1, 64, 8)
    assert list(schemas[EXPLORE]["properties"]) == ["condition", "pictures"]


def test_a_notebook_without_a_model_has_the_names_of_its_cell(notebook: NotebookOf) -> None:
    path = notebook("plain", {"day": "", "n": 3})
    assert notebook_models([path])[path]["properties"]["n"] == {"title": "n", "default": 3}


def test_what_was_read_is_kept_until_the_notebook_changes(
    notebook: NotebookOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = notebook("plain", {"n": 3})
    first = notebook_models([path])
    with monkeypatch.context() as patch:
        patch.setattr(models, "_ask", lambda _: pytest.fail("asked again"))
        assert notebook_models([path]) == first
    notebook("plain", {"n": 4})
    assert notebook_models([path])[path]["properties"]["n"]["default"] == 4


@pytest.mark.usefixtures("home")
def test_values_are_judged_by_name_and_the_value_is_not_quoted() -> None:
    sets = [{"tiles": "8", "source": "x"}, {"tiles": "many", "clip_limit": "0", "unknown": "1"}, {"source": "SMITH"}]
    wrong = judge({INGEST: sets})[INGEST].wrong
    assert [sorted(one) for one in wrong] == [[], ["clip_limit", "tiles"], []]
    assert "many" not in json.dumps(wrong[1])


def test_a_model_that_cannot_be_imported_is_told(tmp_path: Path, home: Path) -> None:
    cells = [
        new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("from lakeward.nothing import M\np = bind(globals(), M)"),
    ]
    nbformat.write(new_notebook(cells=cells), path := tmp_path / "a.ipynb")
    with pytest.raises(ParameterError, match=r"a\.ipynb: lakeward\.nothing\.M can't be imported \(ModuleNotFoundError"):
        notebook_models([path])


@pytest.mark.parametrize("content", ["not json", "{}", '{"cells": [{"cell_type": "code", "source": "x"}, 3]}'])
def test_what_is_no_notebook_is_refused(content: str, tmp_path: Path, home: Path) -> None:
    (path := tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(ParameterError, match="is not a notebook"):
        notebook_models([path])


def test_a_task_gets_what_its_notebook_declares_and_the_jobs_value_wins(write: Write, notebook: NotebookOf) -> None:
    path = notebook("plain", {"day": "", "n": 3})
    task = load(write(_job(("t", path, "base_parameters: {n: 1, day: 2024}")))).jobs["a"].tasks[0]
    assert work(task, {"n": "7", "other": "x"})["injected"] == {"n": "7", "day": "2024"}


def test_parameters_that_nobody_declares_are_refused(write: Write, notebook: NotebookOf) -> None:
    path = notebook("plain", {"day": "", "n": 3})
    parameters = "[{name: day, default: x}, {name: dya, default: x}, {name: asked, default: x}]"
    root = write(_job(("t", path, "base_parameters: {m: 1, n: '{{job.parameters.asked}}'}"), parameters=parameters))
    assert _refused(root) == [
        "jobs/a.job.yml:6: plain.ipynb has no parameter m; there is day, n.",
        "jobs/a.job.yml:7: no task asks for the parameter dya; did you mean day?",
    ]


def test_values_that_do_not_fit_are_refused_where_they_are_given(write: Write) -> None:
    explore = ("e", EXPLORE, "base_parameters: {condition: '{{job.run_id}}'}")
    root = write(
        _job(explore, ("f", INGEST, "base_parameters: {tiles: 99}"), parameters="[{name: pictures, default: 0}]")
    )
    assert _refused(root) == [
        "jobs/a.job.yml:7: the parameters do not fit 01_ingest.ipynb: tiles: Input should be less than or equal to 64",
        "jobs/a.job.yml:8: the parameters do not fit 02_explore.ipynb: pictures: "
        "Input should be greater than or equal to 1",
    ]


def test_values_given_for_a_run_are_checked_in_place_of_the_defaults(write: Write) -> None:
    bundle = load(write(_job(("e", EXPLORE, ""), parameters="[{name: pictures, default: 3}]")))
    check(bundle, "a", {"pictures": "100"})
    with pytest.raises(BundleRefused, match="pictures: Input should be less than or equal to 100"):
        check(bundle, "a", {"pictures": "101"})
    with pytest.raises(BundleRefused, match=r"it has no parameter picture; did you mean pictures\?"):
        check(bundle, "a", {"picture": "1"})


def test_sql_and_jobs_that_are_run_take_parameters_too(write: Write, notebook: NotebookOf) -> None:
    path = notebook("plain", {"day": ""})
    root = write(
        _job(("t", path, ""), parameters="[{name: day, default: x}]"),
        b="""
            resources:
              jobs:
                b:
                  name: B
                  tasks:
                    - {task_key: s, sql_task: {warehouse_id: w, file: {path: q.sql}}}
                    - {task_key: r, run_job_task: {job_id: "${resources.jobs.a.id}"}}
                  parameters: [{name: least, default: 1}, {name: day, default: 1}, {name: most, default: 1}]
        """,
        root="bundle: {name: b}\ninclude: ['*.yml']",
    )
    (root / "q.sql").write_text("SELECT 1::int WHERE 1 > :least")
    assert _refused(root) == ["jobs/b.yml:9: no task asks for the parameter most; there is none."]
