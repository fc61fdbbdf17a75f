"""The same work on many things, a few at a time, in as much memory as these few need."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_WORKERS = 4
"""Hashing and sealing leave Python to other threads, and a store far away answers late."""

_AHEAD = 16

Thing = TypeVar("Thing")
Done = TypeVar("Done")


def each(work: Callable[[Thing], Done], things: Iterable[Thing]) -> Iterator[Done]:
    """Yield what the work on each thing returns, in their order; the first error ends it."""
    rest = iter(things)
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: deque[Future[Done]] = deque(pool.submit(work, thing) for thing in islice(rest, _AHEAD))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, thing) for thing in islice(rest, 1))
        finally:
            pool.shutdown(cancel_futures=True)
