"""The notebooks, run as jobs run them, over pydicom's own files."""

import re
from pathlib import Path

import nbformat
import pytest

from lakeward.imaging.cli import _screen
from lakeward.imaging.demo import Demonstration
from lakeward.imaging.pipeline.discovery import find
from lakeward.imaging.samples import sample_folder
from lakeward.imaging.tables import IMAGES
from lakeward.workspace.lakehouse import query
from lakeward.workspace.notebooks import execute
from lakeward.workspace.report import write_report
from lakeward.workspace.settings import settings


def test_every_sample_is_accounted_for(demonstration: Demonstration) -> None:
    assert demonstration.found == len(find(sample_folder()))
    assert demonstration.found == demonstration.known + demonstration.stored + demonstration.quarantined
    assert sum(demonstration.by_reason.values()) == demonstration.quarantined
    assert demonstration.stored > 50
    assert not demonstration.throw_away_key


def test_it_is_told_on_one_screen(demonstration: Demonstration) -> None:
    screen = _screen(demonstration.model_dump())
    assert len(screen.splitlines()) <= 24
    assert demonstration.report in screen
    assert re.search(r"\d files a second", screen)


def test_the_report_is_one_page_that_loads_nothing(demonstration: Demonstration) -> None:
    page = Path(demonstration.report).read_text(encoding="utf-8")
    loaded = re.findall(r"<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=[\"']([^\"']{0,30})", page)
    assert loaded
    assert {source.partition(",")[0] for source in loaded} == {"data:image/png;base64"}
    assert len(loaded) >= 20
    assert page.count("plotly.js v") == 1
    assert page.count("Plotly.newPlot(") >= 4
    assert len(page) < 8_000_000


def test_the_notebooks_ran_to_their_end(demonstration: Demonstration) -> None:
    for path in demonstration.notebooks:
        notebook = nbformat.read(path, 4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        errors = [output for cell in code for output in cell.outputs if output.output_type == "error"]
        assert errors == []


def test_a_report_of_notebooks_without_charts_needs_no_script(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Quiet")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    page = write_report([tmp_path / "a.ipynb"], "A title", tmp_path / "a.html").read_text()
    assert "<title>A title</title>" in page
    assert "plotly" not in page


def test_the_guide_to_profiles_shows_what_one_does(home: Path, tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "notebooks" / "imaging" / "05_write_a_profile.ipynb"
    ran = execute(guide, tmp_path / "ran.ipynb", {"file": "MR_small.dcm"}).read_text()
    assert "research-pixels" in ran
    assert "clean_descriptors" in ran
    assert "retain_modified_dates" in ran.split("What yours does to one object")[1]


class DatabricksUtils:
    """What Databricks gives a notebook: a job's parameters, as text, before its own defaults."""

    def __init__(self, **passed: str) -> None:
        self._values, self.widgets = passed, self

    def text(self, name: str, default: str) -> None:
        self._values.setdefault(name, default)

    def get(self, name: str) -> str:
        return self._values[name]


@pytest.mark.usefixtures("_one_session")
def test_with_the_widgets_of_databricks_the_notebook_gives_the_same_tables(
    demonstration: Demonstration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = f"SELECT source_hmac, patient_id, sop_instance_uid, content_sha256, changes FROM {IMAGES.name}"
    with_papermill = {tuple(row.values()) for row in query(asked, IMAGES).to_pylist()}
    monkeypatch.setenv("LAKEWARD_HOME", str(tmp_path))
    settings.cache_clear()
    notebook = nbformat.read(demonstration.notebooks[0], 4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    own = [text for text in cells if not text.startswith("# Parameters")]
    there = {"dbutils": DatabricksUtils(source="samples", profile="research"), "display": lambda *shown: None}
    exec("\n".join(own).replace(".show()", ""), there)
    on_databricks = {tuple(row.values()) for row in query(asked, IMAGES).to_pylist()}
    settings.cache_clear()
    assert len(on_databricks) == demonstration.stored
    assert on_databricks <= with_papermill
