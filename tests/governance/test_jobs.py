"""The area's jobs, run as the schedule runs them; their notebooks are run in test_notebooks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lakeward.governance.tables import AUDIT
from lakeward.governance.trail.trail import Trail
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.states import Result
from lakeward.jobs.runner.order import order_of
from lakeward.jobs.runner.runner import Runner
from lakeward.workspace import lakehouse
from lakeward.workspace.events import Event

BUNDLE = Path(__file__).parents[2] / "jobs"


def test_the_daily_audit_fails_and_publishes_nothing_where_the_trail_was_changed(home: Path) -> None:
    trail = Trail()
    trail.append(Event(type="imaging.export.started", object="cohort-a"))
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET data = replace(data, 'cohort-a', 'cohort-b')")
    runner = Runner(Record(), order_of(load(BUNDLE, "dev"), "governance_audit", {}))
    ended = runner.run(runner.start({}))
    assert ended.state.result is Result.FAILED
    assert not lakehouse.exists(AUDIT)
