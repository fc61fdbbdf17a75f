"""What is asked of a large trail is answered from an index."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from lakeward.governance.trail.query import query
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event

Make = Callable[..., Event]


def _steps(trail: Trail, **asked: str) -> int:
    """How many thousand steps SQLite takes to answer."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    with trail.view() as view:
        view._connection.set_progress_handler(counted, 1000)
        assert len(query(view, limit=10, **asked)) == 1  # type: ignore[arg-type]
    return count


@pytest.mark.parametrize("asked", [{"actor": "ann"}, {"object_": "object-7"}])
def test_an_actor_or_object_is_found_without_reading_all(trail: Trail, event: Make, asked: dict[str, str]) -> None:
    trail.append(event(7, actor="ann"), *(event(number, actor="ben") for number in range(100, 3000)))
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX by_actor")
        connection.execute("DROP INDEX by_object")
    assert _steps(trail, **asked) > 10
    Trail().append(event(5000))  # a trail from before there were these indices gets them when it is next written
    assert _steps(trail, **asked) < 2
    assert trail.store.faults() == []
