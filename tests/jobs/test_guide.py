"""The guide to jobs, run as a job would run it."""

from pathlib import Path

import pytest

from lakeward.workspace.notebooks import execute

GUIDE = Path(__file__).parents[2] / "notebooks" / "jobs" / "01_write_a_job.ipynb"


@pytest.mark.usefixtures("home")
def test_a_job_is_looked_at_written_refused_and_run(tmp_path: Path) -> None:
    ran = execute(GUIDE, tmp_path / "ran.ipynb", {"bundle": str(GUIDE.parents[2] / "jobs")}).read_text()
    assert "own.job.yml:13: is_polite depends on great" in ran
    assert "own.job.yml:11:" in ran, "the misspelt parameter is told in the same breath"
    assert "SUCCESS after" in ran
    assert "hello MR" in ran
