"""A trail of a test's own, with a clock that the test sets, in whichever store."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.cosmos import CosmosClient, PartitionKey

from azure_emulators import cosmos_db
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

EMULATOR_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""That all emulators have, as Microsoft published it."""


class Clock:
    """Tells a time that moves on by a second each time it is asked."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture(scope="session")
def cosmos() -> Iterator[str]:
    """Host and port of the emulator that COSMOS_EMULATOR names, else of Vercel's."""
    if emulator := os.environ.get("COSMOS_EMULATOR"):
        yield emulator
        return
    with cosmos_db() as address:
        yield address


@pytest.fixture
def audit_store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The setting of a store with nothing in it: SQLite, or what a test is marked with."""
    name = getattr(request, "param", "sqlite")
    address = ""
    if name == "postgresql":
        address = request.getfixturevalue("postgresql")
    elif name == "cosmos":
        address = _made(request.getfixturevalue("cosmos"))
        monkeypatch.setenv("LAKEWARD_AUDIT_STORE_KEY", EMULATOR_KEY)
        monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # about the emulator's certificate, in other processes
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", address)
    settings.cache_clear()
    return address


def _made(place: str) -> str:
    name = uuid4().hex
    client = CosmosClient(f"https://{place}/", EMULATOR_KEY)
    database = client.create_database_if_not_exists("lakeward")
    database.create_container(name, PartitionKey("/block"))
    return f"cosmos://{place}/lakeward/{name}"


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
