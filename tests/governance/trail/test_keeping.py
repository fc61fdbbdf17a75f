"""Events are kept for their time, then only their hashes are; the tree stands throughout."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from audit_stores import everywhere
from lakeward.governance.trail.entries import read
from lakeward.governance.trail.errors import Kept, NoSuchEvent
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.keeping import due, end_hold, erase, erasure, floor, hold, in_force, retire, retirement
from lakeward.governance.trail.proofs import prove
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import verify
from lakeward.workspace.events import Event

Make = Callable[..., Event]
FLOOR = floor(datetime.now(UTC).date())


@pytest.fixture
def aged(trail: Trail, clock: object, event: Make) -> Trail:
    """Three events from before the floor, and two that must be kept."""
    clock.at = datetime.combine(FLOOR, datetime.min.time(), UTC) - timedelta(days=2)  # type: ignore[attr-defined]
    trail.append(event(1), event(2), event(3))
    clock.at += timedelta(days=3)  # type: ignore[attr-defined]
    trail.append(event(4), event(5))
    clock.at = datetime.now(UTC)  # type: ignore[attr-defined]
    return trail


def _objects(trail: Trail) -> list[str]:
    with trail.view() as view:
        found = view.select(Wanted(kinds=["export"]))
        return [read(row.data or b"", row.payload or b"")["object"] for row in found]


def test_the_floor_is_seven_years_to_the_day() -> None:
    assert floor(date(2026, 11, 23)) == date(2019, 11, 23)
    assert floor(date(2028, 2, 29)) == date(2021, 2, 28)


@everywhere
def test_bytes_go_and_hashes_stay(aged: Trail) -> None:
    assert retire(aged, FLOOR, "Yearly deletion") == 3
    assert _objects(aged) == ["object-4", "object-5"]
    assert verify(aged.store).findings == []
    with aged.view() as view, pytest.raises(NoSuchEvent, match="time of keeping"):
        prove(view, "2")


@everywhere
def test_what_must_be_kept_stays(aged: Trail) -> None:
    with pytest.raises(Kept):
        retire(aged, FLOOR + timedelta(days=1), "Too early")
    assert len(_objects(aged)) == 5


@everywhere
def test_a_hold_overrides_the_end_of_keeping(aged: Trail) -> None:
    hold(aged, "all", "Litigation")
    with pytest.raises(Kept, match="all"):
        retire(aged, FLOOR, "Yearly deletion")
    end_hold(aged, "all", "Settled")
    hold(aged, "one", "Litigation", "object-2")
    retire(aged, FLOOR, "Yearly deletion")
    assert _objects(aged) == ["object-2", "object-4", "object-5"]
    assert verify(aged.store).findings == []
    with aged.view() as view:
        assert due(view, FLOOR)["events"] == 0


def test_holds_in_force_are_told_to_those_who_remove_data(home: Path) -> None:
    assert in_force() == {}
    assert not home.exists(), "asking opens no trail"
    trail = trail_here()
    hold(trail, "case-1", "Litigation", "LW1")
    hold(trail, "case-2", "Litigation")
    assert in_force() == {"case-1": "LW1", "case-2": ""}
    end_hold(trail, "case-1", "Settled")
    assert in_force() == {"case-2": ""}


@pytest.mark.parametrize(
    "told", [{}, {"before": 6}, {"before": 6, "day": str(date.today())}, {"before": 6, "events": 2}]
)
def test_a_deletion_that_is_only_told_of_allows_nothing_before_its_time(aged: Trail, told: dict[str, object]) -> None:
    removal = retirement(aged, FLOOR, "Yearly deletion")
    aged.take_out(*removal)
    forged = removal.event.model_copy(update={"id": "0" * 32, "details": {**removal.event.details, **told}})
    aged.take_out(forged, {5: None})
    assert [(it.fault, it.sequence) for it in verify(aged.store).findings] == [(Fault.DELETION, 5)]


def test_no_more_is_gone_than_was_told(aged: Trail) -> None:
    hold(aged, "one", "Litigation", "object-2")
    removal = retirement(aged, FLOOR, "Yearly deletion")
    aged.take_out(*removal)
    assert verify(aged.store).findings == []
    aged.take_out(removal.event.model_copy(update={"id": "0" * 32}), {2: None})
    assert [it.fault for it in verify(aged.store).findings] == [Fault.DELETION]


def test_nothing_goes_that_was_not_agreed_to(aged: Trail) -> None:
    agreed = retirement(aged, FLOOR, "Yearly deletion").event
    hold(aged, "one", "Litigation", "object-2")
    with pytest.raises(Kept, match="signed"):
        retire(aged, FLOOR, "Yearly deletion", agreed)
    agreed = erasure(aged, "4", ["reason"], "Request 17").event
    with pytest.raises(Kept, match="signed"):
        erase(aged, "4", ["images"], "Request 17", agreed)
    assert len(_objects(aged)) == 5
