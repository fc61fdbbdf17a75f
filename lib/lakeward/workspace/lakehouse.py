"""Reading the local lakehouse with no JVM: for previews, commands and pages, not for work on many rows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lakeward.workspace.errors import TableError
from lakeward.workspace.tables import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable


def exists(table: Table) -> bool:
    """Whether the table was created yet."""
    from deltalake import DeltaTable

    return DeltaTable.is_deltatable(str(table.location))


def preview(table: Table, limit: int = 10, columns: Sequence[str] | None = None) -> "pa.Table":
    """Return some rows, of all columns or of those named.

    Raises
    ------
    TableError
        If the table does not exist yet, or has no such column.
    """
    known = [column.name for column in table.columns]
    if unknown := [name for name in columns or () if name not in known]:
        raise TableError(f"{table.name} has no column {unknown[0]!r}; it has {', '.join(known)}.")
    names = ", ".join(f'"{name}"' for name in columns or known)
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
            "rows": int(commit.get("operationMetrics", {}).get("numOutputRows", 0)),
            "engine": commit.get("engineInfo", ""),
        }
        for commit in _open(table).history()
    ]


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
