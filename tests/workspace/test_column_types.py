import pyarrow as pa
import pytest

from lakeward.workspace.column_types import arrow_type
from lakeward.workspace.errors import TableError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("string", pa.string()),
        ("DECIMAL(10, 2)", pa.decimal128(10, 2)),
        ("ARRAY<BIGINT>", pa.list_(pa.int64())),
        ("MAP<STRING, DECIMAL(3,1)>", pa.map_(pa.string(), pa.decimal128(3, 1))),
        (
            "ARRAY<STRUCT<name: STRING, at: TIMESTAMP>>",
            pa.list_(pa.struct([("name", pa.string()), ("at", pa.timestamp("us", tz="UTC"))])),
        ),
    ],
)
def test_spark_types_become_arrow_types(text: str, expected: pa.DataType) -> None:
    assert arrow_type(text) == expected


@pytest.mark.parametrize("text", ["TEXT", "ARRAY<>", "ARRAY<INT, INT>", "MAP<INT>", "STRUCT<a INT>"])
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(TableError, match="no column type"):
        arrow_type(text)
