"""Threads append together: one writes for all that wait, and the turn is never lost."""

import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.store import Sealed
from lakeward.governance.trail.together import Together


class Disk:
    """Takes a while, as disks do, and notes what it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.busy = threading.Lock()

    def write(self, events: Sequence[Sealed]) -> None:
        assert self.busy.acquire(blocking=False), "two at once"
        time.sleep(0.005)
        self.batches.append([event for event, _ in events])
        self.busy.release()
        if (b"bad", b"") in events:
            raise StoreFailed("no")


def _event(number: int) -> Sealed:
    return b"%d" % number, b""


def test_what_waits_is_written_together_and_each_once() -> None:
    together, disk = Together(1000), Disk()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: together.append([_event(number)], disk.write), range(200)))
    assert sorted(int(it) for batch in disk.batches for it in batch) == list(range(200))
    assert len(disk.batches) < 100


def test_no_more_is_written_together_than_allowed() -> None:
    together, disk = Together(3), Disk()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: together.append([_event(number % 10)], disk.write), range(60)))
    assert max(map(len, disk.batches)) == 3


def test_a_failure_is_told_to_those_whose_events_it_met() -> None:
    together, disk = Together(1000), Disk()

    def append(number: int) -> bool:
        try:
            together.append([(b"bad", b"") if number == 20 else _event(number)], disk.write)
        except StoreFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(append, range(60)))
    (failed,) = [batch for batch in disk.batches if b"bad" in batch]
    assert [number for number, well in enumerate(told) if not well] == sorted(
        20 if it == b"bad" else int(it) for it in failed
    )


def test_who_works_alone_has_no_other_beside() -> None:
    together, disk = Together(1000), Disk()

    def work(number: int) -> None:
        if number % 3:
            together.append([_event(number)], disk.write)
        else:
            together.alone(lambda: disk.write([_event(number)]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    assert sorted(int(it) for batch in disk.batches for it in batch) == list(range(60))


@pytest.mark.parametrize("led_by_other", [True, False])
def test_the_turn_is_not_lost_with_one_who_is_interrupted(led_by_other: bool) -> None:
    together, disk = Together(1000), Disk()
    go, begun = threading.Event(), threading.Event()

    def slow(events: Sequence[Sealed]) -> None:
        begun.set()
        go.wait(30)

    def interrupt(number: int, frame: object) -> NoReturn:
        raise TimeoutError

    other = threading.Thread(target=together.append, args=([_event(1)], slow))
    if led_by_other:
        other.start()
        begun.wait(30)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(TimeoutError):
            together.append([_event(2)], slow)
    finally:
        signal.signal(signal.SIGALRM, before)
        go.set()
    if led_by_other:
        other.join()
    together.append([_event(3)], disk.write)
    assert disk.batches == [[b"3"]]
