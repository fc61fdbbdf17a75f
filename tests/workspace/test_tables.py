import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from delta.exceptions import ConcurrentAppendException
from deltalake import write_deltalake

from lakeward.governance.trail.catalogue import Kind, kind_of
from lakeward.workspace.errors import EventNotRecorded, TableError
from lakeward.workspace.lakehouse import history, preview, query
from lakeward.workspace.settings import settings
from lakeward.workspace.tables import Column, Table, add_columns, change, ensure
from recorded import recorded, without_event

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

STUDIES = Table(
    name="radiology.studies",
    comment="One row per study; it's made up",
    columns=[
        Column("study", "STRING", "The study's pseudonym"),
        Column("images", "INT", "How many images it has"),
        Column("tags", "ARRAY<STRUCT<tag: STRING, value: STRING>>", "Some of its header", nullable=True),
        Column("at", "TIMESTAMP", "When it came", nullable=True),
    ],
    key=["study"],
    cluster_by=["study"],
    checks={"has_images": "images > 0"},
    properties={"delta.enableDeletionVectors": "true"},
)
INSERT = "INSERT INTO radiology.studies (study, images) VALUES"


def test_a_table_is_made_as_declared_in_one_commit(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    made = spark.table("radiology.studies").schema
    assert [(f.name, f.dataType, f.nullable) for f in made] == [
        (f.name, f.dataType, f.nullable) for f in STUDIES.spark_schema
    ]
    assert [f.metadata["comment"] for f in made] == [c.comment for c in STUDIES.columns]
    detail = spark.sql("DESCRIBE DETAIL radiology.studies").collect()[0]
    assert detail.clusteringColumns == ["study"]
    assert detail.description == STUDIES.comment
    assert len(history(STUDIES)) == 1


def test_a_check_refuses_a_row(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    with pytest.raises(Exception, match="has_images"):
        spark.sql(f"{INSERT} ('s1', 0)")


def test_what_spark_writes_and_deletes_is_read_with_no_jvm(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    spark.sql("INSERT INTO radiology.studies VALUES ('s1', 1, array(named_struct('tag', 'a', 'value', 'b')), now())")
    spark.sql(f"{INSERT} ('s2', 2), ('s3', 3)")
    spark.sql("DELETE FROM radiology.studies WHERE study = 's2'")
    assert [file.suffix for file in STUDIES.location.rglob("deletion_vector*.bin")] == [".bin"]
    assert query("SELECT study FROM radiology.studies ORDER BY study", STUDIES).column("study").to_pylist() == [
        "s1",
        "s3",
    ]
    assert preview(STUDIES).schema.remove_metadata() == STUDIES.arrow_schema
    assert [commit["operation"] for commit in history(STUDIES)] == ["DELETE", "WRITE", "WRITE", "CREATE TABLE"]


def test_a_restricted_area_is_for_its_owner_alone(spark: "SparkSession", home: Path) -> None:
    ensure(spark, replace(STUDIES, name="vault.originals", restricted=True))
    assert (home / "vault").stat().st_mode & 0o077 == 0


def test_who_looks_into_a_restricted_table_is_on_record_else_sees_nothing(home: Path) -> None:
    vault = replace(STUDIES, name="vault.originals", restricted=True)
    for table in (STUDIES, vault):
        row = {"study": "s1", "images": 1, "tags": None, "at": None}
        write_deltalake(str(table.location), pa.Table.from_pylist([row], schema=table.arrow_schema))
        assert preview(table).num_rows == 1
    (event,) = recorded("workspace.restricted.previewed")
    assert (event.object, kind_of(event.type)) == ("vault.originals", Kind.PHI_ACCESS)
    with pytest.raises(EventNotRecorded):
        without_event(event.type, lambda: preview(vault))


def test_a_table_that_differs_from_its_declaration_is_refused_by_column(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    differing = {
        "images": Column("images", "BIGINT", "Wider"),
        "study": Column("study", "STRING", "Nullable", nullable=True),
        "modality": Column("modality", "STRING", "New"),
    }
    for name, declared in differing.items():
        others = [column for column in STUDIES.columns if column.name != name]
        with pytest.raises(TableError, match=rf"radiology\.studies, column '{name}'"):
            ensure(spark, replace(STUDIES, columns=[*others, declared]))
    with pytest.raises(TableError, match=r"column 'at': .* no such column"):
        ensure(spark, replace(STUDIES, columns=STUDIES.columns[:-1]))


def test_a_check_that_the_table_lacks_is_named(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    with pytest.raises(TableError, match="'not_many'"):
        ensure(spark, replace(STUDIES, checks={**STUDIES.checks, "not_many": "images < 9000"}))


def test_a_migration_keeps_the_rows_and_runs_once(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    spark.sql(f"{INSERT} ('s1', 1)")
    modality = Column("modality", "STRING", "CT, MR, ...", nullable=True)
    second = replace(STUDIES, columns=[*STUDIES.columns, modality], version=2, migrations=[add_columns(modality)])
    ensure(spark, second)
    commits = len(history(second))
    ensure(spark, second)
    assert preview(second).to_pylist()[0] == {"study": "s1", "images": 1, "tags": None, "at": None, "modality": None}
    assert len(history(second)) == commits
    with pytest.raises(TableError, match="has version 2, this Lakeward knows 1"):
        ensure(spark, STUDIES)


def test_a_migration_that_was_killed_is_run_again(spark: "SparkSession") -> None:
    ensure(spark, STUDIES)
    modality = Column("modality", "STRING", "CT, MR, ...", nullable=True)
    add = add_columns(modality)

    def killed(spark: "SparkSession", name: str) -> None:
        add(spark, name)
        raise KeyboardInterrupt

    second = replace(STUDIES, columns=[*STUDIES.columns, modality], version=2, migrations=[killed])
    with pytest.raises(KeyboardInterrupt):
        ensure(spark, second)
    ensure(spark, replace(second, migrations=[add]))
    assert preview(second).column_names[-1] == "modality"


NUMBERS = Table(name="race.numbers", comment="", columns=[Column("n", "INT", "")], key=["n"])


@contextmanager
def others_append(seconds: float) -> Iterator[None]:
    """While the block lasts, but no longer than that, another writer adds the number 1 again and again."""
    one = pa.table({"n": [1]}, schema=pa.schema([pa.field("n", pa.int32(), nullable=False)]))
    done = threading.Event()

    def append() -> None:
        while not done.wait(0.1):
            write_deltalake(str(NUMBERS.location), one, mode="append")

    writer, clock = threading.Thread(target=append), threading.Timer(seconds, done.set)
    writer.start()
    clock.start()
    try:
        yield
    finally:
        done.set()
        writer.join()
        clock.cancel()


def test_a_change_that_another_writer_gets_ahead_of_is_made_again(spark: "SparkSession") -> None:
    ensure(spark, NUMBERS)
    double = "UPDATE race.numbers SET n = 2 * n"

    def bare() -> None:
        for _ in range(20):
            spark.sql(double)

    with others_append(60), pytest.raises(ConcurrentAppendException):
        bare()
    before = len(history(NUMBERS))
    with others_append(2):
        change(spark, double)
    operations = [commit["operation"] for commit in history(NUMBERS)][:-before]
    assert operations.count("UPDATE") == 1
    assert "WRITE" in operations


CREATES_SLOWLY = """
import sys, time
from pathlib import Path
import pyarrow as pa
from deltalake import DeltaTable
from lakeward.workspace.locks import exclusive
home = Path(sys.argv[1])
with exclusive(home / ".locks" / "race.numbers.lock"):
    print("creating", flush=True)
    time.sleep(3)
    schema = pa.schema([pa.field("n", pa.int32(), nullable=False)])
    DeltaTable.create(str(home / "race" / "numbers"), schema, mode="error")
"""


def test_a_table_that_another_process_is_creating_is_awaited_not_created_twice(
    spark: "SparkSession", home: Path
) -> None:
    with subprocess.Popen([sys.executable, "-c", CREATES_SLOWLY, str(home)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"creating\n"
        ensure(spark, NUMBERS)
    assert other.returncode == 0
    assert [commit["engine"].partition(":")[0] for commit in history(NUMBERS)] == ["delta-rs"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"key": ["stduy"]}, "stduy"),
        ({"name": "studies"}, "an area and a table"),
        ({"version": 2}, "needs 1 migrations"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(TableError, match=told):
        replace(STUDIES, **wrong)


def test_a_lakehouse_that_has_gone_stands_in_no_other_ones_way(
    spark: "SparkSession", home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move_to(folder: Path) -> None:
        monkeypatch.setenv("LAKEWARD_HOME", str(folder))
        settings.cache_clear()
        ensure(spark, STUDIES)

    move_to(tmp_path / "stays")
    move_to(home)
    shutil.rmtree(home)
    move_to(tmp_path / "stays")
    assert spark.table("radiology.studies").count() == 0
