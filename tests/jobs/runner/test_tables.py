"""What an attempt is said to have written: the commits that carry its name, whoever made them."""

from collections.abc import Callable
from typing import Any

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run

Write = Callable[..., dict[str, Any]]
Go = Callable[..., Run]

TABLES = """
from lakeward.workspace.tables import Column, Table
ROWS = Table(name="some.rows", comment="", columns=[Column("n", "BIGINT", "")], key=["n"], checks={"more": "n > 0"})
"""
ADD = f"""{TABLES}
from lakeward.workspace.lakehouse import add
add(ROWS, [{{"n": 1}}])
add(ROWS, [{{"n": 2}}])
"""
FILES = f"""{TABLES}
import pyarrow as pa, pyarrow.parquet as pq
from lakeward.imaging.pipeline.sinks import FileSink
from lakeward.workspace.lakehouse import create
create(ROWS)
path = ROWS.location / "mine.parquet"
pq.write_table(pa.table({{"n": pa.array([3], pa.int64())}}, ROWS.arrow_schema), path)
FileSink(str(ROWS.location)).commit([{{"path": path.name, "bytes": path.stat().st_size, "stats": "{{}}"}}])
"""
NOBODY = f"""{TABLES}
import os
os.environ.pop("LAKEWARD_COMMIT_INFO")
from lakeward.workspace.lakehouse import add
add(ROWS, [{{"n": 9}}])
"""


def test_tables_that_are_written_with_no_jvm_are_noted(record: Record, program: Write, run: Go) -> None:
    after = [{"depends_on": [{"task_key": key}]} for key in ("add", "nobody")]
    run(program("add", ADD), program("nobody", NOBODY, **after[0]), program("files", FILES, **after[1]))
    add, nobody, files = record.attempts(1)
    assert (add.reads, add.writes) == ({}, {"some.rows": 3})
    assert (nobody.reads, nobody.writes) == ({"some.rows": 3}, {})
    assert (files.reads, files.writes) == ({"some.rows": 4}, {"some.rows": 5})
