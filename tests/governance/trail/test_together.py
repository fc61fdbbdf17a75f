"""What threads append while another writes is written together."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.store import Sealed
from lakeward.governance.trail.together import Together


class Disk:
    """Takes what is written; the first write lasts until it is let go."""

    def __init__(self) -> None:
        self.written: list[list[bytes]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.broken = False

    def write(self, events: Sequence[Sealed]) -> None:
        self.written.append([event for event, _ in events])
        self.begun.set()
        assert self.go_on.wait(10)
        if self.broken and len(self.written) > 1:
            raise StoreFailed("no room")


def _append(together: Together, disk: Disk, count: int, size: int = 1) -> list[BaseException | None]:
    """One event, then others while it is being written; what each thread met with."""
    with ThreadPoolExecutor(count) as pool:
        first = pool.submit(together.append, [(b"0" * size, b"")], disk.write)
        assert disk.begun.wait(10)
        others = [pool.submit(together.append, [(b"%d" % it * size, b"")], disk.write) for it in range(1, count)]
        while len(together._waiting) < count - 1:
            pass
        disk.go_on.set()
        return [it.exception() for it in [first, *others]]


def test_those_that_wait_are_written_at_once() -> None:
    disk = Disk()
    assert _append(Together(most=1000), disk, 6) == [None] * 6
    assert [sorted(part) for part in disk.written] == [[b"0"], [b"1", b"2", b"3", b"4", b"5"]]


def test_but_not_more_than_fits() -> None:
    disk = Disk()
    assert _append(Together(most=250), disk, 6, size=100) == [None] * 6
    assert [len(part) for part in disk.written] == [1, 2, 2, 1]


def test_a_failure_is_told_to_all_that_it_befell() -> None:
    together, disk = Together(most=1000), Disk()
    disk.broken = True
    errors = _append(together, disk, 4)
    assert errors[0] is None
    assert [str(it) for it in errors[1:]] == ["no room"] * 3
    with pytest.raises(StoreFailed):
        together.append([(b"9", b"")], disk.write)
    disk.broken = False
    together.append([(b"10", b"")], disk.write)
    assert disk.written[-1] == [b"10"]
