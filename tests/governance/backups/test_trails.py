"""A trail that is kept in another store than a file is in the backup, too."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from backed_up import Lakehouse
from lakeward.governance.backups.create import create
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.verify import verify
from lakeward.governance.trail.keeping import retire
from lakeward.governance.trail.sink import trail_here, trail_of
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings


@pytest.fixture
def _in_postgresql(home: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", postgresql)
    settings.cache_clear()


@pytest.mark.usefixtures("_in_postgresql")
def test_a_trail_in_postgresql_is_restored_as_a_file(
    home: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Trail(clock=lambda: datetime(2016, 1, 1, tzinfo=UTC))
    old.append(*(Event(type="imaging.export.started", object=f"old-{number}") for number in range(300)))
    lakehouse: Lakehouse = request.getfixturevalue("lakehouse")
    retire(trail_here(), date(2017, 1, 1), "their time is over")
    assert not (lakehouse.home / "events" / "trail.sqlite").exists()
    create()
    lakehouse.tell("more")
    manifest = create().manifest
    assert verify().findings == []
    restore("newest", tmp_path / "back")
    monkeypatch.delenv("LAKEWARD_AUDIT_STORE")
    settings.cache_clear()
    with trail_of(tmp_path / "back" / "events").view() as view:
        state = view.state()
    assert state
    assert state.head == manifest.head
