import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import Event, file_sink, record, use_sink

RELEASED = Event(type="imaging.quarantine.released", object="1f3a", reason="looked at it", details={"n": 1})
WRITE = """
from lakeward.workspace.events import Event, file_sink, record, use_sink
use_sink(file_sink)
for number in range(50):
    record(Event(type="imaging.test", object=str(number)))
"""


@pytest.fixture(autouse=True)
def _to_the_file() -> Iterator[None]:
    """The sink that needs no other area."""
    before = use_sink(file_sink)
    yield
    use_sink(before)


def _lines(home: Path) -> list[str]:
    return (home / "events" / "events.jsonl").read_text().splitlines()


def test_an_event_says_who_when_and_where(home: Path) -> None:
    record(RELEASED)
    (line,) = _lines(home)
    written = json.loads(line)
    assert written["object"] == "1f3a"
    assert all(written[field] for field in ("id", "at", "host", "process"))
    assert written["actor"] == f"os:{pwd.getpwuid(os.geteuid()).pw_name}", "who may not be the person of that name"
    assert Event.model_validate_json(line) == RELEASED


def test_the_environment_makes_nobody_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "ann")
    assert Event(type="imaging.quarantine.released", object="1f3a").actor != "os:ann"


def test_processes_that_write_at_once_lose_nothing(home: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITE]) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len({json.loads(line)["id"] for line in _lines(home)}) == 100


def test_half_a_line_of_a_killed_writer_does_not_swallow_the_next(home: Path) -> None:
    record(RELEASED)
    with (home / "events" / "events.jsonl").open("a") as file:
        file.write('{"type": "imag')
    record(RELEASED)
    assert Event.model_validate_json(_lines(home)[-1]) == RELEASED


def test_others_cannot_read_the_events(home: Path) -> None:
    record(RELEASED)
    assert (home / "events").stat().st_mode & 0o077 == 0
    assert (home / "events" / "events.jsonl").stat().st_mode & 0o077 == 0


def test_what_cannot_be_recorded_must_not_be_done(home: Path) -> None:
    home.mkdir()
    (home / "events").write_text("a file where the folder should be")
    with pytest.raises(EventNotRecorded, match=r"imaging\.quarantine\.released"):
        record(RELEASED)


def test_another_sink_takes_over() -> None:
    seen: list[Event] = []
    before = use_sink(seen.append)
    try:
        record(RELEASED)
    finally:
        use_sink(before)
    assert seen == [RELEASED]


def test_a_type_names_area_and_deed() -> None:
    with pytest.raises(ValidationError):
        Event(type="Released!", object="1f3a")
