"""The area's notebooks, run as jobs run them."""

import re
from pathlib import Path

import pytest

from lakeward.governance.trail.trail import Trail
from lakeward.workspace.errors import NotebookFailed
from lakeward.workspace.events import Event
from lakeward.workspace.notebooks import execute

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "governance" / "01_audit.ipynb"


def test_the_audit_trail_is_shown_verified_and_proven(home: Path, tmp_path: Path) -> None:
    Trail().append(Event(type="imaging.export.started", object="cohort-a", reason="asked for"))
    ran = execute(NOTEBOOK, tmp_path / "ran.ipynb", {}).read_text()
    assert "cohort-a" in ran
    assert re.search(r"\d events, 0 anchored heads, 0 findings", ran)
    assert "c2sp.org/tlog-proof@v1" in ran
    assert "Proven: governance.audit.reviewed is event" in ran


def test_it_fails_where_the_key_is_not_the_one_that_is_known(home: Path, tmp_path: Path) -> None:
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(NotebookFailed, match="tampered with"):
        execute(NOTEBOOK, tmp_path / "ran.ipynb", {"key": other})
