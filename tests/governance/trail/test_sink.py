"""The trail is where the event port's events go, and every type of them has its kind."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import lakeward
from lakeward.governance.trail.catalogue import Kind, kind_of
from lakeward.governance.trail.entries import read
from lakeward.governance.trail.sink import trail_of, write
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.verify import verify
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import SINKS, Event, file_sink, record, use_sink

LIB = Path(lakeward.__file__).parent
EVENT = Event(type="imaging.export.started", object="1")


def _types() -> set[str]:
    texts = [file.read_text() for file in LIB.rglob("*.py")]
    return {
        found
        for text in texts
        for found in re.findall(r'[="]((?:imaging|jobs|governance|training|workspace)\.[a-z_]+\.[a-z_]+)"', text)
    }


def _objects(home: Path) -> list[str]:
    with trail_of(home / "events").view() as view:
        return [read(row.data or b"", b"")["object"] for row in view.select(Wanted(kinds=["export"]))]


def test_every_type_in_the_library_has_a_kind() -> None:
    types = _types()
    assert "imaging.crosswalk.looked_up" in types
    assert {it for it in types if kind_of(it) is Kind.OTHER} == set()


def test_the_distribution_names_the_sink() -> None:
    named = re.search(
        rf'entry-points."{re.escape(SINKS)}"\]\n(\w+) = "(.+)"', (LIB.parents[1] / "pyproject.toml").read_text()
    )
    assert named
    assert EntryPoint(named[1], named[2], SINKS).load() is write


def test_recorded_events_are_in_the_trail(home: Path) -> None:
    before = use_sink(write)
    try:
        record(EVENT)
    finally:
        use_sink(before)
    assert _objects(home) == ["1"]


def test_what_the_trail_cannot_take_must_not_be_done(home: Path) -> None:
    home.mkdir()
    (home / "events").write_text("a file where the folder should be")
    before = use_sink(write)
    try:
        with pytest.raises(EventNotRecorded):
            record(EVENT)
    finally:
        use_sink(before)


def test_events_of_a_file_are_taken_over_once(home: Path) -> None:
    for number in range(3):
        file_sink(EVENT.model_copy(update={"object": str(number)}))
    with (home / "events" / "events.jsonl").open("a") as file:
        file.write('{"half')
    write(EVENT.model_copy(update={"object": "3"}))
    assert _objects(home) == ["0", "1", "2", "3"]
    trail_of.cache_clear()
    write(EVENT.model_copy(update={"object": "4"}))
    assert _objects(home) == ["0", "1", "2", "3", "4"]
    assert verify(trail_of(home / "events").store).findings == []
    assert not (home / "events" / "events.jsonl").exists()
