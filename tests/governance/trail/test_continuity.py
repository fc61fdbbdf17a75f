"""A time with no event is found, and rest is told from silence by heartbeats."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeward.governance.trail.continuity import Gap, Silence, gaps, heartbeat
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event

Make = Callable[..., Event]
HOUR = timedelta(hours=1)
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def at(trail: Trail, clock: Any) -> Callable[..., None]:
    """Appends events at some time of the day, in hours."""

    def append(hours: float, *events: Event) -> None:
        clock.at = DAY + hours * HOUR - timedelta(seconds=1)
        trail.append(*events)

    append(-1)  # begins the log
    return append


def _gaps(trail: Trail, until: float, since: float = 0, longest: timedelta = HOUR) -> list[Gap]:
    with trail.view() as view:
        return gaps(view, DAY + since * HOUR, DAY + until * HOUR, longest)


def test_an_hour_with_an_event_in_it_is_none_of_silence(trail: Trail, at: Callable[..., None], event: Make) -> None:
    for half_hours in range(8):
        at(half_hours / 2, event())
    assert _gaps(trail, 4.4) == []
    assert len(_gaps(trail, 4.4, longest=timedelta(minutes=20))) == 8


def test_heartbeats_before_it_tell_silence_from_rest(trail: Trail, at: Callable[..., None], event: Make) -> None:
    at(1, event())
    at(4, heartbeat())
    at(4.5, event())
    at(6, event())
    found = _gaps(trail, 6.5, since=1)
    assert [(it.since, it.until, it.what) for it in found] == [
        (DAY + HOUR, DAY + 4 * HOUR, Silence.UNKNOWN),
        (DAY + 4.5 * HOUR, DAY + 6 * HOUR, Silence.SILENCED),
    ]


def test_silence_up_to_now_and_with_no_event_at_all_is_found(
    trail: Trail, at: Callable[..., None], event: Make
) -> None:
    at(1, heartbeat())
    assert [it.what for it in _gaps(trail, 3, since=1)] == [Silence.SILENCED]
    assert [(it.after, it.what) for it in _gaps(trail, 9, since=5)] == [(-1, Silence.UNKNOWN)]


def test_a_clock_that_was_put_back_is_found(trail: Trail, at: Callable[..., None], event: Make) -> None:
    at(1, event())
    at(3, event())
    at(1.5, event())
    assert [(it.after, it.what) for it in _gaps(trail, 3.2, since=0.5)] == [
        (1, Silence.UNKNOWN),
        (2, Silence.CLOCK),
        (3, Silence.UNKNOWN),
    ]
