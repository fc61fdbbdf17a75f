"""The notebooks, run as jobs run them, over pydicom's own files."""

import re
from pathlib import Path

import nbformat

from lakeward.imaging.cli import _screen
from lakeward.imaging.demo import Demonstration
from lakeward.imaging.pipeline.discovery import find
from lakeward.imaging.samples import sample_folder
from lakeward.workspace.notebooks import execute
from lakeward.workspace.report import write_report


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
