"""In Azure Cosmos DB: a commit is one item, and who is slower signs anew."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from azure.cosmos.exceptions import CosmosHttpResponseError

from lakeward.governance.trail import store_cosmos
from lakeward.governance.trail.entries import read
from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.proofs import check, prove
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import keys_of, verify
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

pytestmark = pytest.mark.parametrize("audit_store", ["cosmos"], indirect=True)
Make = Callable[..., Event]
Item = dict[str, Any]


@pytest.fixture
def written(trail: Trail, event: Make) -> Trail:
    """301 events in five items, which begin at 0, 1, 101, 201 and 251."""
    for start, stop in ((0, 100), (100, 200), (200, 250), (250, 300)):
        trail.append(*(event(number) for number in range(start, stop)))
    return trail


def _container(trail: Trail) -> Any:
    with trail.store._reached() as container:  # type: ignore[attr-defined]
        return container


def _objects(trail: Trail) -> list[str]:
    with trail.view() as view:
        return [read(row.data or b"", b"")["object"] for row in view.select(Wanted(kinds=["export"]))]


def _edit(item: Item) -> None:
    item["entries"][9]["entry"]["event"]["object"] = "object-0"


def _edit_number(item: Item) -> None:
    item["entries"][9]["number"] = 1000


def _edit_payload(item: Item) -> None:
    item["entries"][9]["payload"] += "x"


def _add_field(item: Item) -> None:
    item["entries"][9]["entry"]["event"]["extra"] = 1


def _take_out(item: Item) -> None:
    item["entries"][9] |= {"payload": None}
    del item["entries"][9]["entry"]


def _remove(item: Item) -> None:
    del item["entries"][9]


def _swap(item: Item) -> None:
    entries = item["entries"]
    entries[9], entries[12] = {**entries[12], "number": 110}, {**entries[9], "number": 113}


@pytest.mark.parametrize(
    ("change", "fault", "place"),
    [
        (_edit, Fault.EDIT, 110),
        (_edit_number, Fault.REORDER, 110),
        (_edit_payload, Fault.EDIT, 110),
        (_add_field, Fault.EDIT, 110),
        (_take_out, Fault.DELETION, 110),
        (_remove, Fault.DELETION, 110),
        (_swap, Fault.REORDER, 110),
        (lambda item: item["entries"][9].pop("leaf"), Fault.EDIT, 0),
    ],
)
def test_what_was_done_to_an_item_is_found(
    written: Trail, change: Callable[[Item], None], fault: Fault, place: int
) -> None:
    container = _container(written)
    item = container.read_item(f"{101:012d}", "0")
    change(item)
    container.replace_item(item["id"], item)
    found = verify(written.store).findings[0]
    assert (found.fault, found.sequence) == (fault, place)


def test_an_item_that_is_gone_is_found(written: Trail) -> None:
    _container(written).delete_item(f"{101:012d}", "0")
    found = verify(written.store).findings[0]
    assert (found.fault, found.sequence) == (Fault.DELETION, 101)


def test_newest_items_that_are_gone_are_found_by_an_anchored_head(written: Trail) -> None:
    with written.view() as view:
        state = view.state()
    assert state
    _container(written).delete_item(f"{251:012d}", "0")
    other = Trail()
    assert verify(other.store).findings == []
    found = verify(other.store, [state.head]).findings[0]
    assert (found.fault, found.sequence) == (Fault.TRUNCATION, 251)


@pytest.mark.parametrize("reached", [True, False])
def test_an_answer_that_is_lost_appends_neither_twice_nor_never(
    written: Trail, event: Make, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    container = _container(written)
    create = container.create_item

    def lost(item: Item) -> None:
        monkeypatch.undo()
        if reached:
            create(item)
        raise CosmosHttpResponseError(status_code=503)

    monkeypatch.setattr(container, "create_item", lost)
    written.append(event(300))
    assert _objects(written)[299:] == ["object-299", "object-300"]
    assert verify(written.store).findings == []


def test_a_log_goes_on_in_the_next_partition(
    trail: Trail, event: Make, monkeypatch: pytest.MonkeyPatch, clock: Callable[[], datetime]
) -> None:
    monkeypatch.setattr(store_cosmos, "_PARTITION", 256)
    monkeypatch.setattr(store_cosmos, "_MOST", 64)
    for start in range(0, 600, 60):
        trail.append(*(event(number) for number in range(start, start + 60)))
    other = Trail(clock=clock)
    other.append(event(600))
    assert _objects(other) == [f"object-{number}" for number in range(601)]
    assert verify(other.store).findings == []
    with other.view() as view:
        for number in (255, 256, 300, 601):
            assert check(prove(view, str(number)), *keys_of(view))[0]["sequence"] == number


def test_many_events_are_several_items_and_one_that_is_too_large_is_refused(trail: Trail, event: Make) -> None:
    trail.append(*(event(number, details={"text": "x" * 400_000}) for number in range(4)))
    assert _objects(trail) == [f"object-{number}" for number in range(4)]
    with pytest.raises(StoreFailed, match="more than"):
        trail.append(event(4, details={"text": "x" * 1_500_000}))
    assert verify(trail.store).findings == []


def test_a_container_that_is_not_there_is_told(trail: Trail, event: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", f"{settings().audit_store}-none")
    settings.cache_clear()
    with pytest.raises(StoreFailed, match="not found"):
        Trail().append(event())


@pytest.mark.parametrize("address", ["cosmos://account", "cosmos://a:key@account/database/container", "mysql://x/y"])
def test_a_setting_that_is_none_is_refused(trail: Trail, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", address)
    settings.cache_clear()
    with pytest.raises(ConfigurationError) as refused:
        Trail()
    assert "key" not in str(refused.value)
