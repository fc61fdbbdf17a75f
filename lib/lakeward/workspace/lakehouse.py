"""The local lakehouse with no JVM: for previews, commands, pages and a few rows of records, not for work on many."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeward.workspace.errors import Busy, TableError, telling_full_disk
from lakeward.workspace.events import Event, record
from lakeward.workspace.spark import COMMIT_INFO
from lakeward.workspace.tables import VERSION, Table, alone, retried, version

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable


def exists(table: Table) -> bool:
    """Whether the table was created yet."""
    from deltalake import DeltaTable

    return DeltaTable.is_deltatable(str(table.location))


def is_current(table: Table) -> bool:
    """Whether the table was created, and has the version that is declared."""
    return exists(table) and version(_open(table).metadata().configuration) == table.version


def preview(table: Table, limit: int = 10, columns: Sequence[str] | None = None) -> "pa.Table":
    """Return some rows, of all columns or of those named, for somebody to see; of a restricted table that is recorded.

    Whoever reads its files with a program of their own leaves no event here; only the file system's rights stop them.

    Raises
    ------
    TableError
        If the table does not exist yet, or has no such column.
    EventNotRecorded
        If it is restricted, and that can't be recorded.
    """
    known = [column.name for column in table.columns]
    if unknown := [name for name in columns or () if name not in known]:
        raise TableError(f"{table.name} has no column {unknown[0]!r}; it has {', '.join(known)}.")
    names = ", ".join(f'"{name}"' for name in columns or known)
    if table.restricted and exists(table):
        record(Event(type="workspace.restricted.previewed", object=table.name, details={"rows": limit}))
    return query(f"SELECT {names} FROM {table.name} LIMIT {limit:d}", table)


def query(sql: str, *tables: Table) -> "pa.Table":
    """Run a SELECT over tables, which it calls by their two-level names.

    Parameters
    ----------
    sql : str
        In DataFusion's dialect; rows that a deletion vector marks are left out.

    Raises
    ------
    TableError
        If a table does not exist yet, or the statement does not fit the tables.
    """
    result = _execute(sql, tables).read_all()
    return result.cast(_without_view_types(result.schema))


def batches(sql: str, *tables: Table) -> "Iterator[pa.RecordBatch]":
    """Run a SELECT like `query`, and yield the rows batch by batch, for tables that don't fit into memory."""
    for rows in _execute(sql, tables):
        yield rows.cast(_without_view_types(rows.schema))


def _execute(sql: str, tables: Sequence[Table]) -> "pa.RecordBatchReader":
    import pyarrow as pa
    from deltalake import QueryBuilder
    from deltalake.exceptions import DeltaError

    engine = QueryBuilder()
    for area in sorted({table.area for table in tables}):
        engine.execute(f"CREATE SCHEMA {area}").read_all()
    for table in tables:
        engine.register(table.name, _open(table))
    try:
        # Not pa.table(...), which imports pandas, a second of it, to see whether it was given a frame.
        return pa.RecordBatchReader.from_stream(engine.execute(sql))
    except DeltaError as error:
        names = ", ".join(table.name for table in tables)
        raise TableError(f"The query over {names} can't be run: {str(error).splitlines()[0]}") from None


def history(table: Table) -> list[dict[str, Any]]:
    """Return the commits, newest first: version, when, operation, rows written, who wrote.

    Raises
    ------
    TableError
        If the table does not exist yet.
    """
    return [
        {
            "version": commit["version"],
            "at": datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
            "operation": commit["operation"],
            "rows": _rows_written(commit.get("operationMetrics", {})),
            "engine": commit.get("engineInfo", ""),
        }
        for commit in _open(table).history()
    ]


def _rows_written(metrics: Mapping[str, Any]) -> int:
    """Spark and delta-rs count them under names of their own."""
    return int(metrics.get("numOutputRows", metrics.get("num_added_rows", 0)))


def add(table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add a few rows in one commit; what a row lacks is null. The table is created if need be.

    Raises
    ------
    TableError
        If a row breaks a check or a NOT NULL, or the table differs from its declaration; nothing is added then.
    """
    create(table)
    _write(table, rows, mode="append")


def replace(table: Table, condition: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows in the place of those that a condition of SQL holds for, in one commit; it must hold for them, too.

    Raises
    ------
    TableError
        As for `add`.
    """
    _write(table, rows, mode="overwrite", predicate=condition)


def update(table: Table, values: Mapping[str, str], where: str) -> None:
    """Change columns of the rows for which a condition holds, in one commit; again if another came in between.

    Parameters
    ----------
    values : mapping of str to str
        For each column, an expression in DataFusion's dialect.

    Raises
    ------
    TableError
        As for `add`.
    Busy
        If others kept on changing the same files.
    """
    from deltalake.exceptions import CommitFailedError

    def act() -> None:
        _open(table).update(dict(values), predicate=where, commit_properties=commit_properties())

    with _refusing(table):
        retried(act, (CommitFailedError,))


def _write(table: Table, rows: Sequence[Mapping[str, Any]], **how: Any) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    with _refusing(table):
        records = pa.Table.from_pylist(list(rows), table.arrow_schema)
        write_deltalake(str(table.location), records, commit_properties=commit_properties(), **how)


@contextmanager
def _refusing(table: Table) -> Iterator[None]:
    """Say that rows don't fit a table in words of our own: those of delta-rs and Arrow quote values."""
    import pyarrow as pa
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        with telling_full_disk(table.location):
            yield
    except CommitFailedError:
        raise Busy(f"Others kept on changing {table.name} at the same time. Try again.") from None
    except (DeltaError, pa.ArrowException):
        raise TableError(
            f"Rows don't fit {table.name}: its types, its checks, or a value that must be there."
        ) from None


def remove_unnamed(table: Table, pattern: str = "*") -> None:
    """Remove the files in a table's folder that its newest version does not name, and Hadoop's checksums beside them.

    Deletion vectors go too: rewrite the files that have some before.
    """
    live = {Path(uri).name for uri in _open(table).file_uris()}
    for path in table.location.glob(pattern):
        if path.is_file() and path.name.removeprefix(".").removesuffix(".crc") not in live:
            path.unlink()


def forget(table: Table) -> None:
    """Remove the files that the newest version does not name, and the log before it, as if it had been the first.

    Delta's protocol (Metadata Cleanup) allows that once there is a checkpoint. The newest commit itself stays.
    """
    remove_unnamed(table)
    delta = _open(table)
    delta.create_checkpoint()
    for path in sorted((table.location / "_delta_log").iterdir()):
        version = path.name.lstrip(".").partition(".")[0]  # a name with a dot before is a checksum beside
        if version.isdigit() and int(version) < delta.version():
            path.unlink()


def commit_properties() -> "CommitProperties | None":
    """Return what a commit with deltalake carries, so that it tells which task made it, as commits of Spark do."""
    from deltalake import CommitProperties

    text = os.environ.get(COMMIT_INFO)
    return CommitProperties(custom_metadata={"userMetadata": text}) if text else None


def create(table: Table) -> None:
    """Create a table as declared, if it does not exist; for tables without clustering, which needs Spark."""
    import pyarrow as pa
    from deltalake import DeltaTable

    with alone(table):
        if exists(table):
            return
        table.location.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if table.restricted else 0o777)
        unfinished = table.location.with_name(f".{table.location.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        comments = {column.name: {"comment": column.comment} for column in table.columns}
        fields = [field.with_metadata(comments[field.name]) for field in table.arrow_schema]
        made = DeltaTable.create(
            str(unfinished),
            schema=pa.schema(fields),
            description=table.comment,
            configuration={**table.properties, VERSION: str(table.version)},
            raise_if_key_not_exists=False,  # the version's key is ours
            commit_properties=commit_properties(),
        )
        for name, sql in table.checks.items():
            made.alter.add_constraint({name.lower(): sql}, commit_properties=commit_properties())
        unfinished.rename(table.location)


def _open(table: Table) -> "DeltaTable":
    from deltalake import DeltaTable

    if not exists(table):
        raise TableError(f"{table.name} does not exist yet in {table.location.parent}: nothing has written it.")
    return DeltaTable(str(table.location))


def _without_view_types(schema: "pa.Schema") -> "pa.Schema":
    """DataFusion answers with views of strings, which pandas and the declared schemas don't know."""
    import pyarrow as pa

    return pa.schema([field.with_type(_without_views(field.type)) for field in schema])


def _without_views(kind: "pa.DataType") -> "pa.DataType":
    import pyarrow as pa

    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(_without_views(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_without_views(kind.key_type), _without_views(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_without_views(field.type)) for field in kind.fields])
    return kind
