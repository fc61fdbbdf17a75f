"""A trail of a test's own, with a clock that the test sets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event


class Clock:
    """Tells a time that moves on by a second each time it is asked."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trail(home: Path, clock: Clock) -> Trail:
    return Trail(clock=clock)


@pytest.fixture
def event() -> Callable[..., Event]:
    def make(number: int = 0, **fields: object) -> Event:
        given = {"type": "imaging.export.started", "object": f"object-{number}", "reason": "asked for", **fields}
        return Event(**{"details": {"images": number}, **given})

    return make
