"""The notebook that makes the report, run as its job runs it."""

from pathlib import Path

import pypdf

from furnished import World
from lakeward.workspace.notebooks import execute

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "governance" / "03_compliance_report.ipynb"


def test_it_shows_the_score_and_charts_and_writes_report_and_evidence(world: World, home: Path, tmp_path: Path) -> None:
    ran = execute(NOTEBOOK, tmp_path / "ran.ipynb", {"month": "2026-11"}).read_text()
    assert "November 2026: " in ran
    assert ran.count("<svg") == 3
    report = home / "governance" / "reports" / "compliance-2026-11.pdf"
    assert len(pypdf.PdfReader(report).pages) > 10
    assert (report.parent / f"{report.name}.evidence" / "SHA256SUMS").exists()
