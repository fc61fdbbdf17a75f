"""Events go into one unbroken log, whoever writes, and whenever a writer is killed."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from types import FrameType

import pytest
import rfc8785

from audit_stores import everywhere
from lakeward.governance.trail import keys
from lakeward.governance.trail.entries import parts, read, sealed
from lakeward.governance.trail.errors import NoSuchEvent, NotProven
from lakeward.governance.trail.keeping import erase
from lakeward.governance.trail.notes import head
from lakeward.governance.trail.queue import Queue
from lakeward.governance.trail.store import Wanted
from lakeward.governance.trail.store_sqlite import SqliteStore
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import keys_of, verify
from lakeward.workspace.events import Event

Make = Callable[..., Event]
Clock = Callable[[], datetime]

WRITE = """
import sys
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event
trail, number = Trail(), 0
while True:
    event = Event(type="jobs.run.started", object=str(number), details={"text": "x" * 50})
    trail.append(event)
    print(event.id, flush=True)
    number += 1
"""


def _all(trail: Trail) -> list[dict[str, object]]:
    with trail.view() as view:
        return [read(row.data or b"", row.payload or b"") for row in view.select()]


@everywhere
def test_an_event_is_kept_as_canonical_json_chained_to_the_one_before(trail: Trail, event: Make) -> None:
    trail.append(event(7))
    with trail.view() as view:
        first, second = view.select()
    assert second.data is not None
    whole = json.loads(second.data)
    assert second.data == rfc8785.dumps(whole)
    assert whole["previous"] == first.leaf.hex()
    assert "asked for" not in second.data.decode()


@everywhere
def test_an_event_is_read_as_it_was_written(trail: Trail, event: Make) -> None:
    written = event(7)
    trail.append(written)
    shown = _all(trail)[1]
    assert (shown["kind"], shown["reason"], shown["details"]) == ("export", "asked for", {"images": 7})
    assert {shown[name] for name in ("id", "actor", "host", "process")} >= {written.id, written.actor, written.process}


@everywhere
def test_numbers_that_others_would_round_are_kept_as_texts(trail: Trail, event: Make) -> None:
    trail.append(event(1, details={"job": [1 << 62, 1, True], "share": 0.5}))
    assert _all(trail)[1]["details"] == {"job": [str(1 << 62), 1, True], "share": 0.5}


def test_a_trail_is_for_its_owner_alone(trail: Trail, event: Make) -> None:
    trail.append(event())
    assert trail.folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in trail.folder.iterdir() if path.stat().st_mode & 0o077 and path.suffix == ".key"] == []


@everywhere
def test_nothing_recorded_is_no_trail(trail: Trail) -> None:
    with pytest.raises(NoSuchEvent), trail.view():
        pass


@everywhere
def test_with_no_private_key_nothing_is_recorded(trail: Trail, event: Make) -> None:
    trail.append(event())
    for file in trail.folder.glob("*.key"):
        file.unlink()
    with pytest.raises(NotProven, match="no head can be signed"):
        Trail().append(event())


@everywhere
def test_threads_write_one_log(trail: Trail, event: Make) -> None:
    threads = [threading.Thread(target=trail.append, args=(event(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {told["object"] for told in _all(trail)[1:]} == {f"object-{number}" for number in range(20)}
    assert verify(trail.store).findings == []


@everywhere
def test_writers_that_come_between_each_other_write_one_log(trail: Trail, event: Make, clock: Clock) -> None:
    both = [trail, Trail(clock=clock)]
    order = [0, 0, 0, 1, 0, 1, 1, 1, 0, 0]
    for number, who in enumerate(order):
        both[who].append(event(number))
    assert [told["object"] for told in _all(trail)[1:]] == [f"object-{number}" for number in range(len(order))]
    assert verify(trail.store).findings == []


@everywhere
def test_what_was_acknowledged_outlives_writers_that_are_killed(audit_store: str) -> None:
    acknowledged: set[str] = set()
    writing = [sys.executable, "-c", WRITE]
    count = 4 if audit_store.startswith("cosmos") else 8  # its client alone takes a second of a processor to start
    for _ in range(1 if audit_store else 2):
        writers = [subprocess.Popen(writing, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        for writer in writers:
            assert writer.stdout
            acknowledged.update(writer.stdout.readline().strip() for _ in range(2))
        time.sleep(0.3)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            acknowledged.update(line for line in writer.communicate()[0].splitlines() if len(line) == 32)
    trail = Trail()
    trail.append()
    told = _all(trail)
    assert len(acknowledged) >= 2 * count
    assert acknowledged <= {str(it["id"]) for it in told}
    assert len({it["id"] for it in told}) == len(told)
    assert verify(trail.store).findings == []


@everywhere
def test_a_trail_is_verified_while_others_write(trail: Trail, event: Make) -> None:
    trail.append(event())
    writer = subprocess.Popen([sys.executable, "-c", WRITE], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout
        writer.stdout.readline()
        sizes = list[int]()
        end = time.monotonic() + 60
        while len(sizes) < 10 or sizes[0] == sizes[-1]:
            assert time.monotonic() < end, "nobody wrote"
            done = verify(trail.store)
            assert done.findings == []
            sizes.append(done.events)
    finally:
        writer.kill()
        writer.communicate()


def test_what_a_killed_process_left_in_the_queue_is_appended_by_the_next(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    queue = trail.folder / "trail.queue"
    with queue.open("ab") as file:
        file.write(b"0badc0de\t{half")
    trail.append(event(2))
    assert [told["object"] for told in _all(trail)[1:]] == ["object-1", "object-2"]


def test_an_event_that_was_damaged_as_it_waited_is_not_acknowledged(trail: Trail, event: Make, clock: Clock) -> None:
    """The clock is asked while a process writes: two others put their events into the queue, and wait."""
    queue = trail.folder / "trail.queue"
    others = [Trail(clock=clock) for _ in range(2)]
    for other in others:
        other.append(event(0))
    with ThreadPoolExecutor(2) as pool:
        waits: list[Future[None]] = []

        def meanwhile() -> datetime:
            for number, other in enumerate(others):
                before = queue.stat().st_size
                waits.append(pool.submit(other.append, event(number, object=f"other-{number}")))
                while queue.stat().st_size == before:
                    time.sleep(0.001)
            queue.write_bytes(queue.read_bytes().replace(b"other-0", b"othei-0"))
            return clock()

        Trail(clock=meanwhile).append(event(1))
        with pytest.raises(NotProven, match="was changed"):
            waits[0].result(30)
        waits[1].result(30)
    assert [told["object"] for told in _all(trail)[-2:]] == ["object-1", "other-1"]
    trail.append(event(2))
    assert verify(trail.store).findings == []


def test_a_queue_that_is_full_is_emptied(trail: Trail, event: Make) -> None:
    long = event(1, details={"text": "x" * 6_000_000})
    for _ in range(4):
        trail.append(long)
    assert (trail.folder / "trail.queue").stat().st_size < 1 << 20
    assert len(_all(trail)) == 5


def test_what_is_erased_leaves_the_queue_though_others_have_queued_since(
    trail: Trail, event: Make, clock: Clock
) -> None:
    queue = Queue(trail.folder / "trail.queue")

    def meanwhile() -> datetime:
        queue.put([sealed(event(3))])
        return clock()

    trail.append(event(1))
    queue.put([sealed(event(2))])
    trail.append()
    with trail.view() as view:
        gone = view.select(Wanted(object="object-2"))[0].payload
    assert gone
    assert gone in (trail.folder / "trail.queue").read_bytes()
    erase(Trail(clock=meanwhile), "2", ["images", "reason"], "Request 17")
    assert not any(part in file.read_bytes() for part in parts(gone) for file in trail.folder.iterdir())
    trail.append(event(4))
    assert [told["object"] for told in _all(trail)[1:]] == ["object-1", "object-2", "2", "object-3", "object-4"]
    assert verify(trail.store).findings == []


def test_what_was_erased_is_gone_though_the_process_was_killed_before_it_had_wiped_it(
    trail: Trail, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Trail()  # as long as one is connected, what is written ahead stays
    trail.append(event(1))
    with trail.view() as view:
        gone = parts(view.select(Wanted(object="object-1"))[0].payload or b"")

    def left() -> bool:
        return any(part in file.read_bytes() for part in gone for file in trail.folder.iterdir())

    with reader.view():
        with monkeypatch.context() as patch:
            patch.setattr(SqliteStore, "_wipe", lambda *_: None)  # killed right before
            erase(trail, "1", ["images", "reason"], "Request 17")
        Trail().append(event(2))
        assert left(), "somebody reads"
    Trail().append(event(3))
    assert not left()
    assert not list(trail.folder.glob("*.unwiped"))
    assert verify(trail.store).findings == []


def test_a_queue_that_is_gone_loses_nothing_that_was_acknowledged(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    (trail.folder / "trail.queue").unlink()
    trail.append(event(2))
    assert len(_all(trail)) == 3


def test_who_wipes_leaves_the_mark_of_another_who_is_about_to(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    anothers = trail.folder / "trail.another.unwiped"
    anothers.touch()
    erase(trail, "1", ["reason"], "Request 17")
    assert [*trail.folder.glob("*.unwiped")] == [anothers]
    Trail().append(event(2))
    assert not anothers.exists()


def test_a_queue_that_was_cut_short_holds_up_nobody(trail: Trail, event: Make) -> None:
    file = trail.folder / "trail.queue"
    trail.append(event(1))
    empty = file.stat().st_size
    Queue(file).put([sealed(event(2))])
    trail.append(event(3))
    os.truncate(file, empty)
    trail.append(event(4))
    assert [told["object"] for told in _all(trail)[1:]] == [f"object-{number}" for number in (1, 2, 3, 4)]


def test_a_trail_that_was_removed_takes_nothing_into_the_void(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    shutil.rmtree(trail.folder)
    trail.append(event(2))
    assert [told["object"] for told in _all(trail)[1:]] == ["object-2"]


FORK = """
import os, subprocess, sys, time
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event
event = Event(type="jobs.run.started", object="1")
trail, parent = Trail(), os.getpid()
trail.append(event)
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
trail.append(event)
subprocess.run([sys.executable, "-c", sys.argv[1], trail.store.path])
trail.append(event)
os._exit(0)  # as if it was killed
"""
OPEN_AND_CLOSE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute('{}').fetchone()); c.close()"


def _sqlite_elsewhere(trail: Trail, sql: str) -> str:
    """Let another process ask and end; who believes itself the last to have the file removes its -wal."""
    program = [sys.executable, "-c", OPEN_AND_CLOSE.format(sql), str(trail.folder / "trail.sqlite")]
    return subprocess.run(program, check=True, capture_output=True, text=True).stdout.strip()


def test_a_process_that_opens_its_trail_twice_loses_nothing_when_another_ends(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    Trail(trail.folder).append(event(2))
    assert _sqlite_elsewhere(trail, "SELECT size FROM state") == "3"
    trail.append(event(3))
    assert _sqlite_elsewhere(trail, "SELECT size FROM state") == "4"


def test_a_child_whose_parent_has_ended_loses_nothing_when_another_ends(trail: Trail) -> None:
    look = OPEN_AND_CLOSE.format("SELECT size FROM state")
    forked = subprocess.run([sys.executable, "-c", FORK, look], check=True, capture_output=True, text=True)
    assert (forked.stdout, _sqlite_elsewhere(trail, "SELECT size FROM state")) == ("3\n", "4")


def test_an_interrupt_as_a_change_begins_holds_up_nobody(trail: Trail, event: Make) -> None:
    trail.append(event(1))

    def interrupt(frame: FrameType, what: str, _: object) -> Callable[..., object]:
        if (frame.f_code.co_name, what) == ("_begun", "return"):
            sys.settrace(None)
            raise KeyboardInterrupt
        return interrupt

    sys.settrace(interrupt)
    with pytest.raises(KeyboardInterrupt):
        trail.append(event(2))
    trail.append(event(3))
    assert _sqlite_elsewhere(trail, "SELECT size FROM state") == "3"


def test_entries_are_found_before_and_after_they_are_indexed(trail: Trail, event: Make) -> None:
    trail.append(*map(event, range(1, 1020)))
    for number in range(1020, 1030):
        trail.append(event(number))
        with trail.view() as view:
            assert [row.sequence for row in view.select(Wanted(object=f"object-{number}"), by_time=True)] == [number]
            assert [row.sequence for row in view.select(Wanted(kinds=["export"]), by_time=True)][-1] == number
            assert [row[0] for block in view.rows() for row in block] == list(range(number + 1))
    assert verify(trail.store).findings == []


def test_a_file_from_before_there_were_recent_entries_is_read_and_continued(trail: Trail, event: Make) -> None:
    trail.append(*map(event, range(1, 1024)))  # which fill up what is recent
    with closing(sqlite3.connect(trail.folder / "trail.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM recent").fetchone() == (0,)
        connection.execute("DROP TABLE recent")
    with trail.view() as view:
        assert len(view.select()) == 1024
    assert verify(trail.store).findings == []
    continued = Trail()
    continued.append(event(1024))
    assert len(_all(continued)) == 1025
    assert verify(continued.store).findings == []


@everywhere
def test_a_new_key_takes_over_with_both_signatures(trail: Trail, event: Make) -> None:
    trail.append(event(1))
    new = trail.rotate_key()
    with trail.view() as view:
        state, known = view.state(), keys_of(view)
    assert state
    assert known[-1] == new
    assert head(state.head, known[0]) == head(state.head, known[1])
    trail.append(event(2))
    assert verify(trail.store).findings == []
    with pytest.raises(NotProven):
        keys.signer_of(known[0], trail.folder)


@everywhere
def test_keys_come_from_secrets_first(trail: Trail, event: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_KEY", "11" * 32)
    trail.append(event(1))
    monkeypatch.setenv("LAKEWARD_AUDIT_KEY_NEXT", "22" * 32)
    trail.rotate_key()
    monkeypatch.setenv("LAKEWARD_AUDIT_KEY", "22" * 32)
    monkeypatch.delenv("LAKEWARD_AUDIT_KEY_NEXT")
    Trail().append(event(2))
    assert list(trail.folder.glob("*.key")) == []
    assert verify(trail.store).findings == []
