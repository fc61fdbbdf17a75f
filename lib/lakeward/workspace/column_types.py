"""Types of columns: as Spark SQL writes them, turned into Arrow's without a JVM; and what nested ones hold."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lakeward.workspace.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_type(text: str) -> "pa.DataType":
    """Translate a type, for example ``ARRAY<STRUCT<name: STRING, value: DOUBLE>>``.

    Parameters
    ----------
    text : str
        As in Spark's DDL (https://spark.apache.org/docs/latest/sql-ref-datatypes.html), in any case of letters.

    Raises
    ------
    TableError
        If there is no such type.
    """
    import pyarrow as pa

    nested = re.fullmatch(r"\s*(\w+)\s*<(.*)>\s*", text, re.DOTALL)
    if nested is None:
        return _atom(text)
    parts = _split(nested[2])
    match nested[1].upper(), len(parts):
        case "ARRAY", 1:
            return pa.list_(arrow_type(parts[0]))
        case "MAP", 2:
            return pa.map_(arrow_type(parts[0]), arrow_type(parts[1]))
        case "STRUCT", _:
            fields = [part.partition(":") for part in parts]
            return pa.struct([pa.field(name.strip(), arrow_type(kind)) for name, _, kind in fields])
    raise TableError(f"There is no column type {text!r}.")


def leaves(array: "pa.Array") -> "Iterator[pa.Array]":
    """Yield what a nested array is made of in the end: arrays of values that hold no others."""
    import pyarrow as pa

    if pa.types.is_struct(array.type):
        parts = array.flatten()
    elif pa.types.is_map(array.type):
        parts = [array.keys, array.items]
    elif pa.types.is_list(array.type):
        parts = [array.flatten()]
    else:
        yield array
        return
    for part in parts:
        yield from leaves(part)


def _atom(text: str) -> "pa.DataType":
    import pyarrow as pa

    if decimal := re.fullmatch(r"\s*DECIMAL\((\d+), *(\d+)\)\s*", text, re.IGNORECASE):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    atoms = {
        "STRING": pa.string(),
        "BINARY": pa.binary(),
        "BOOLEAN": pa.bool_(),
        "TINYINT": pa.int8(),
        "SMALLINT": pa.int16(),
        "INT": pa.int32(),
        "BIGINT": pa.int64(),
        "FLOAT": pa.float32(),
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    }
    try:
        return atoms[text.strip().upper()]
    except KeyError:
        raise TableError(f"There is no column type {text!r}; known are {', '.join(atoms)}.") from None


def _split(inner: str) -> list[str]:
    """Split at the commas that are inside no other brackets."""
    parts, depth = [""], 0
    for char in inner:
        depth += (char in "<(") - (char in ">)")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts
