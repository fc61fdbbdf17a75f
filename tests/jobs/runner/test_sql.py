"""Files of SQL: how they are taken apart, and one run by Spark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.sql import filled, statements
from lakeward.workspace.lakehouse import add
from lakeward.workspace.tables import Column, Table
from running import states

Go = Callable[..., Run]

FILE = """-- what there is; and no more
SELECT 'a;b' AS x, "c"";d", `e;f` /* ;
; */ ; ;

INSERT INTO some.rows VALUES (int(:n)), (1 - -1);
SELECT sum(n) AS total FROM some.rows"""


def test_a_statement_ends_at_a_semicolon_that_is_in_no_text_or_comment() -> None:
    assert [line for line, _ in statements(FILE)] == [2, 5, 6]
    assert [text.split()[0] for _, text in statements(FILE)] == ["SELECT", "INSERT", "SELECT"]


def test_parameters_stand_for_text_but_not_within_one() -> None:
    statement = "SELECT ':n', `:n`, :n, :name, a::int, :other FROM IDENTIFIER(:t)"
    told = filled(statement, {"n": "it's", "name": "\\", "t": "some.rows", "int": "x"})
    assert told == r"SELECT ':n', `:n`, 'it\'s', '\\', a::int, :other FROM IDENTIFIER('some.rows')"


@pytest.mark.slow
def test_a_file_of_sql_runs_on_the_lakehouses_tables(record: Record, run: Go, tmp_path: Path) -> None:
    add(Table(name="some.rows", comment="", columns=[Column("n", "BIGINT", "")], key=["n"]), [{"n": 40}])
    file = tmp_path / "rows.sql"
    file.write_text(FILE[FILE.index("INSERT") :] + ";\nSELECT 'Doe' FROM some.thing")
    sql = {"warehouse_id": "w", "file": {"path": str(file)}, "parameters": {"n": "3"}}
    ended = run({"task_key": "it", "sql_task": sql})
    assert states(record, ended) == {"it": "FAILED"}
    [attempt] = record.attempts(ended.run_id)
    log = (attempt.folder / "log.txt").read_text()
    assert "\n total\n    45\n" in log
    assert "Doe" not in log
    assert (attempt.reads, attempt.writes) == ({"some.rows": 1}, {"some.rows": 2})
    assert attempt.failure is not None
    assert attempt.failure.message == "rows.sql, the statement at line 3: AnalysisException [TABLE_OR_VIEW_NOT_FOUND]"
