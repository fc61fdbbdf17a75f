"""The trail in Delta: each event once, whoever publishes and whenever they are killed; what must go is gone from it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lakeward.governance.tables import AUDIT
from lakeward.governance.trail import keeping, published
from lakeward.governance.trail import publish as publishing
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.publish import publish
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import verify
from lakeward.workspace.events import Event
from lakeward.workspace.lakehouse import history, query

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Make = Callable[..., Event]

PUBLISH = """
from lakeward.governance.trail import publish
from lakeward.governance.trail.trail import Trail
publish._AT_ONCE = 5
trail = Trail()
print("ready", flush=True)
publish.publish(trail)
"""


def _rows(columns: str = "*") -> list[dict[str, Any]]:
    return query(f"SELECT {columns} FROM {AUDIT.name} ORDER BY sequence", AUDIT).to_pylist()


def _numbers() -> list[int]:
    return [row["sequence"] for row in _rows("sequence")]


def _files(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (home / "governance").rglob("*") if path.is_file())


def test_an_event_is_published_once_with_what_proves_it(trail: Trail, event: Make) -> None:
    trail.append(event(7, actor="ann"))
    assert (publish(trail), publish(trail)) == (2, 0)
    row = _rows()[1]
    with trail.view() as view:
        leaves = list(view.leaves(0, 2))
    assert (row["object"], row["actor"], row["kind"], row["disclosures"]) == ("object-7", "ann", "export", 2)
    assert row["leaf"] == leaves[1].hex()
    assert row["recorded"].tzinfo is not None
    trail.append(event(8))
    assert publish(trail) == 1
    assert _numbers() == [0, 1, 2]


def test_what_can_be_erased_is_never_in_the_table(trail: Trail, event: Make, home: Path) -> None:
    trail.append(event(1, reason="Mrs Smith asked", details={"note": "her brother called"}))
    publish(trail)
    everything = _files(home)
    assert b"object-1" in everything
    assert b"Smith" not in everything
    assert b"brother" not in everything


def test_publishers_that_come_at_once_or_are_killed_publish_each_event_once(trail: Trail, event: Make) -> None:
    trail.append(*(event(number) for number in range(100)))
    publishers = [subprocess.Popen([sys.executable, "-c", PUBLISH], stdout=subprocess.PIPE) for _ in range(3)]
    for publisher in publishers:
        assert publisher.stdout
        publisher.stdout.readline()
    for _ in range(1000):
        if len(list(AUDIT.location.glob("*.parquet"))) > 3:  # the first of them is in the middle
            break
        time.sleep(0.01)
    for publisher in publishers[:2]:
        os.kill(publisher.pid, signal.SIGKILL)
    for publisher in publishers:
        publisher.communicate()
    assert publishers[2].returncode == 0
    publish(trail)
    assert _numbers() == list(range(101))


def test_what_is_retired_leaves_the_table_its_files_and_its_history(
    trail: Trail, clock: Any, event: Make, home: Path
) -> None:
    clock.at = datetime(2015, 1, 1, tzinfo=UTC)
    trail.append(event(1, object="gone-with-its-time"))
    trail.append(event(2, object="held"))
    keeping.hold(trail, "case-1", "Litigation", "held")
    clock.at = datetime(2026, 1, 1, tzinfo=UTC)
    trail.append(event(3))
    publish(trail)
    assert b"gone-with-its-time" in _files(home)
    keeping.retire(trail, datetime(2016, 1, 1, tzinfo=UTC).date(), "Yearly deletion")
    assert publish(trail) == 1
    assert _numbers() == [0, 2, 3, 4, 5]
    assert b"gone-with-its-time" not in _files(home)
    assert len(history(AUDIT)) == 2
    assert publish(trail) == 0


def test_an_event_that_was_changed_is_not_published(trail: Trail, event: Make) -> None:
    trail.append(event(1), event(2))
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET data = replace(data, 'object-2', 'object-9') WHERE sequence = 2")
    with pytest.raises(NotProven, match="Event 2 is not what was hashed"):
        publish(trail)
    assert verify(trail.store).findings != []


def test_another_log_in_the_lakehouse_is_told_apart(trail: Trail, event: Make, tmp_path: Path) -> None:
    trail.append(event(1))
    other = Trail(tmp_path / "other")
    other.append(event(2), event(3))
    assert (publish(trail), publish(other), publish(trail)) == (2, 3, 0)
    assert len({row["log"] for row in _rows()}) == 2


def test_many_events_are_published_in_parts(trail: Trail, event: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_AT_ONCE", 3)
    trail.append(*(event(number) for number in range(7)))
    assert publish(trail) == 8
    assert [commit["rows"] for commit in history(AUDIT) if commit["rows"]] == [2, 3, 3]


def test_with_a_session_of_spark_as_on_databricks_the_table_is_the_same(
    trail: Trail, clock: Any, event: Make, spark: "SparkSession", monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(published, "on_databricks", lambda: True)
        clock.at = datetime(2015, 1, 1, tzinfo=UTC)
        trail.append(event(1))
        clock.at = datetime(2026, 1, 1, tzinfo=UTC)
        trail.append(event(2))
        assert (publish(trail), publish(trail)) == (3, 0)
        keeping.retire(trail, datetime(2016, 1, 1, tzinfo=UTC).date(), "Yearly deletion")
        assert publish(trail) == 1
        by_spark = _rows()
    assert [row["sequence"] for row in by_spark] == [0, 2, 3]
    AUDIT.location.rename(AUDIT.location.with_name("by_spark"))
    publish(trail)
    assert _rows() == by_spark
