"""Tables, declared once: schema, comments, keys, clustering and checks; the DDL comes from here.

A table is created once, under a lock, then changed only by its migrations; each session registers it by location,
with no schema (the same DDL from two processes kills one of them, and fails once a check was added).
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lakeward.workspace.column_types import arrow_type
from lakeward.workspace.errors import TableError
from lakeward.workspace.locks import exclusive
from lakeward.workspace.settings import on_databricks, settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

VERSION = "lakeward.version"
_CHECK = "delta.constraints."
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)

Migration = Callable[["SparkSession", str], None]
"""Brings a table from one version to the next, given its name. A crash may make it run again: it must bear that."""


@dataclass(frozen=True)
class Column:
    """A column; its type is written as in Spark SQL."""

    name: str
    type: str
    comment: str
    nullable: bool = False

    @property
    def ddl(self) -> str:
        """The column as CREATE TABLE wants it."""
        return f"`{self.name}` {self.type}{'' if self.nullable else ' NOT NULL'} COMMENT {quoted(self.comment)}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A Delta table.

    Parameters
    ----------
    name : str
        Area and table, ``imaging.images``, in both worlds.
    key : sequence of str
        Columns that identify a row.
    cluster_by : sequence of str
        Columns that Delta lays the files out by (liquid clustering).
    checks : mapping of str to str
        Name and SQL condition that every row must meet. Delta quotes the row in the error of one that does not.
    properties : mapping of str to str
        Delta's table properties.
    restricted : bool
        Whether its area's folder is for the owner alone.
    version : int
        Raised with every change of the declaration, together with one more migration.
    migrations : sequence of Migration
        The first leads from version 1 to 2, and so on.
    """

    name: str
    comment: str
    columns: Sequence[Column]
    key: Sequence[str]
    cluster_by: Sequence[str] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    restricted: bool = False
    version: int = 1
    migrations: Sequence[Migration] = ()

    def __post_init__(self) -> None:
        if unknown := {*self.key, *self.cluster_by} - {column.name for column in self.columns}:
            raise TableError(f"{self.name} has no column {min(unknown)!r}, which its key or clustering names.")
        if self.name.count(".") != 1:
            raise TableError(f"{self.name!r} must be an area and a table, such as imaging.images.")
        if len(self.migrations) != self.version - 1:
            raise TableError(f"{self.name} has version {self.version}, so it needs {self.version - 1} migrations.")

    @property
    def area(self) -> str:
        """The first half of the name."""
        return self.name.split(".")[0]

    @property
    def location(self) -> Path:
        """The table's folder in the local lakehouse."""
        return settings().home.joinpath(*self.name.split("."))

    @property
    def arrow_schema(self) -> "pa.Schema":
        """The declared columns as an Arrow schema."""
        import pyarrow as pa

        return pa.schema([pa.field(c.name, arrow_type(c.type), c.nullable) for c in self.columns])

    @property
    def spark_schema(self) -> "StructType":
        """The declared columns as a Spark schema."""
        from pyspark.sql.pandas.types import from_arrow_schema

        return from_arrow_schema(self.arrow_schema, prefer_timestamp_ntz=False)

    @property
    def ddl(self) -> str:
        """The statement that creates the table; its checks too, so that creation is one commit."""
        properties = {**self.properties, **{_CHECK + name.lower(): sql for name, sql in self.checks.items()}}
        properties[VERSION] = str(self.version)
        return "\n".join(
            [
                f"CREATE TABLE IF NOT EXISTS {self.name} (",
                ",\n".join(f"  {column.ddl}" for column in self.columns),
                ") USING DELTA",
                f"CLUSTER BY ({', '.join(self.cluster_by)})" if self.cluster_by else "",
                f"COMMENT {quoted(self.comment)}",
                f"TBLPROPERTIES ({', '.join(f'{quoted(k)} = {quoted(v)}' for k, v in properties.items())})",
                "" if on_databricks() else f"LOCATION {quoted(str(self.location))}",
            ]
        )


def add_columns(*columns: Column) -> Migration:
    """Migration that adds columns, which must be nullable, where they are missing."""

    def migrate(spark: "SparkSession", name: str) -> None:
        there = spark.table(name).columns
        for column in columns:
            if column.name not in there:
                spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({column.ddl})")

    return migrate


def ensure(spark: "SparkSession", *tables: Table) -> None:
    """Make sure that tables exist as declared, and that this session knows them by name.

    Raises
    ------
    TableError
        If a table differs from its declaration, or is newer.
    Busy
        If another process is creating or migrating a table for minutes.
    """
    for table in tables:
        properties = _found(spark, table)
        if version(properties) != table.version:
            with alone(table):
                _bring_up_to_date(spark, table)
            properties = _found(spark, table)
        _compare(spark, table, properties or {})


def append(rows: "DataFrame", table: Table) -> None:
    """Add rows to a table that `ensure` has made known; each must have all columns of the declaration."""
    rows.write.format("delta").mode("append").saveAsTable(table.name)


def change(spark: "SparkSession", statement: str) -> None:
    """Run an UPDATE or DELETE, and run it again if another writer has committed in between: then it has done nothing.

    Appends need no such care: what they add depends on nothing that they would have read.
    """
    from delta import exceptions  # importing it makes pyspark raise them

    # In Python they have no common base, other than in Scala.
    conflicts = (
        exceptions.ConcurrentAppendException,
        exceptions.ConcurrentDeleteReadException,
        exceptions.ConcurrentDeleteDeleteException,
        exceptions.ConcurrentWriteException,
        exceptions.MetadataChangedException,
    )
    retried(lambda: spark.sql(statement), conflicts)


def retried(act: Callable[[], object], conflicts: tuple[type[Exception], ...]) -> None:
    """Do something; again, after longer and longer pauses, if it conflicts with what another writer does."""
    for pause in (*_PAUSES_S, None):
        try:
            act()
            return
        except conflicts:
            if pause is None:
                raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two writers part


def _bring_up_to_date(spark: "SparkSession", table: Table) -> None:
    found = version(_found(spark, table))
    if found > table.version:
        raise TableError(f"{table.name} has version {found}, this Lakeward knows {table.version}. Update Lakeward.")
    if found == 0:
        _create(spark, table)
        return
    for number, migrate in enumerate(table.migrations[found - 1 :], start=found + 1):
        migrate(spark, table.name)
        spark.sql(f"ALTER TABLE {table.name} SET TBLPROPERTIES ('{VERSION}' = '{number}')")


def _create(spark: "SparkSession", table: Table) -> None:
    _create_area(spark, table)
    if not on_databricks():
        # Nothing is at its location, so a table of that name in this session is another lakehouse's: forget the name.
        spark.sql(f"DROP TABLE IF EXISTS {table.name}")
    spark.sql(table.ddl)


def _create_area(spark: "SparkSession", table: Table) -> None:
    place = ""
    if not on_databricks():
        folder = table.location.parent
        folder.mkdir(parents=True, exist_ok=True)
        if table.restricted:
            folder.chmod(0o700)
        place = f"LOCATION {quoted(str(folder))}"
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {table.area} {place}")


def _found(spark: "SparkSession", table: Table) -> dict[str, str] | None:
    """Properties of the table, None where there is no table; locally, tells this session where it lies.

    Not by DESCRIBE DETAIL: that reads the whole log to count files, seconds for a new session.
    """
    if on_databricks():
        if not spark.catalog.tableExists(table.name):
            return None
        return {row.key: row.value for row in spark.sql(f"SHOW TBLPROPERTIES {table.name}").collect()}
    from deltalake import DeltaTable

    if not DeltaTable.is_deltatable(str(table.location)):
        return None
    _create_area(spark, table)
    register = f"CREATE TABLE IF NOT EXISTS {table.name} USING DELTA LOCATION {quoted(str(table.location))}"
    spark.sql(register)
    if _registered_location(spark, table) != table.location:
        # Registered for another lakehouse. The table is external, so that only its name is dropped.
        spark.sql(f"DROP TABLE {table.name}")
        spark.sql(register)
    return dict(DeltaTable(str(table.location)).metadata().configuration)


def _registered_location(spark: "SparkSession", table: Table) -> Path | None:
    """Return where this session looks for a table; None where nothing is there any more."""
    from pyspark.errors import AnalysisException

    try:
        described = spark.sql(f"DESCRIBE TABLE EXTENDED {table.name}").collect()
    except AnalysisException:
        return None
    location = next(row.data_type for row in described if row.col_name == "Location")
    return Path("/", location.removeprefix("file:").lstrip("/"))


def version(properties: Mapping[str, str] | None) -> int:
    """Version that a table has by its properties, 0 for no table; one that was not made here counts as the first."""
    return 0 if properties is None else int(properties.get(VERSION, "1"))


def _compare(spark: "SparkSession", table: Table, properties: Mapping[str, str]) -> None:
    """Refuse a table whose columns or checks are not those declared."""
    real = {f.name: f for f in spark.table(table.name).schema.fields}
    declared = {f.name: f for f in table.spark_schema.fields}
    for name in [*declared, *real]:
        want, have = declared.get(name), real.get(name)
        if want is None or have is None or (want.dataType, want.nullable) != (have.dataType, have.nullable):
            raise TableError(
                f"{table.name}, column {name!r}: declared as {_shown(want)}, but the table has {_shown(have)}. "
                "Raise the declaration's version and add a migration."
            )
    for name in table.checks:
        if _CHECK + name.lower() not in properties:
            raise TableError(f"{table.name}: the check {name!r} is declared, but the table lacks it. Add a migration.")


def _shown(column: "object | None") -> str:
    from pyspark.sql.types import StructField

    if not isinstance(column, StructField):
        return "no such column"
    return f"{column.dataType.simpleString()}{'' if column.nullable else ' not null'}"


def alone(table: Table) -> AbstractContextManager[None]:
    """Lock out other processes of this machine; on Databricks, Unity Catalog itself lets one of two creators win."""
    if on_databricks():
        return nullcontext()
    return exclusive(settings().home / ".locks" / f"{table.name}.lock", wait_s=180)


def literals(texts: Iterable[str]) -> str:
    """Return texts as literals of SQL, with commas between, for ``IN (...)``."""
    return ", ".join(map(quoted, sorted(texts)))


def quoted(text: str) -> str:
    """Return a text as a literal of Spark SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
