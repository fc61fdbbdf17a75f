"""The area's notebooks, run as jobs run them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakeward.governance.tables import AUDIT
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.errors import NotebookFailed
from lakeward.workspace.events import Event
from lakeward.workspace.lakehouse import query
from lakeward.workspace.notebooks import execute

NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "governance"
AUDIT_NOTEBOOK = NOTEBOOKS / "01_audit.ipynb"


def test_the_audit_trail_is_shown_verified_and_proven(home: Path, tmp_path: Path) -> None:
    Trail().append(Event(type="imaging.export.started", object="cohort-a", reason="asked for"))
    heads = tmp_path / "heads"
    heads.mkdir()
    ran = execute(AUDIT_NOTEBOOK, tmp_path / "ran.ipynb", {"anchor_in": str(heads)}).read_text()
    assert "cohort-a" in ran
    assert len(list(heads.iterdir())) == 1
    assert re.search(r"\d events, 0 anchored heads, 0 findings", ran)
    assert "c2sp.org/tlog-proof@v1" in ran
    assert "Proven: governance.audit.reviewed is event" in ran
    assert "cohort-a" in query(f"SELECT object FROM {AUDIT.name}", AUDIT)["object"].to_pylist()


def test_it_fails_where_the_key_is_not_the_one_that_is_known(home: Path, tmp_path: Path) -> None:
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(NotebookFailed, match="tampered with"):
        execute(AUDIT_NOTEBOOK, tmp_path / "ran.ipynb", {"key": other})


def test_the_heartbeat_is_in_the_trail_and_a_silence_is_shown(home: Path, tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=5)
    Trail(clock=lambda: long_ago).append(Event(type="imaging.export.started", object="cohort-a"))
    ran = execute(NOTEBOOKS / "05_heartbeat.ipynb", tmp_path / "ran.ipynb", {}).read_text()
    assert f"{long_ago:%Y-%m-%d %H:%M:%S}" in ran
    with trail_here().view() as view:
        assert len(view.select(Wanted(kinds=["heartbeat"]))) == 1


def test_a_model_is_approved_promoted_and_moved_by_nobody_else(home: Path, tmp_path: Path) -> None:
    ran = execute(NOTEBOOKS / "02_approvals.ipynb", tmp_path / "ran.ipynb", {}).read_text()
    assert "high risk: 3 approvers in 14 days" in ran
    assert "needs evidence that is not attached" in ran
    assert "does not say subgroup; add that" in ran
    assert "nobody decides on their own work" in ran
    assert "The request is in_review, so that this is not possible: promote" in ran
    assert "cat -> approved" in ran
    assert "alias_changed_outside" in ran
    assert "put right: {'masses': '1'} []" in ran
    assert not home.exists(), "all of it was in a lakehouse of its own"
