"""What stands in names, identifiers, private elements and paths is found nowhere outside the intake zone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.imaging.demo import Demonstration
from lakeward.imaging.pipeline.export import export
from lakeward.imaging.tables import FILES


def _texts(path: Path) -> Iterator[bytes]:
    """A file's bytes and, of Parquet, every value of every column."""
    yield path.read_bytes()
    yield str(path).encode()
    if path.suffix == ".parquet" and path.read_bytes().endswith(b"PAR1"):  # a killed writer leaves half files
        table = pq.read_table(path, partitioning=None)
        yield str(table.schema).encode()
        for column in table.columns:
            values = column.to_pylist()
            yield b"|".join(values) if pa.types.is_binary(column.type) and None not in values else repr(values).encode()


def _holding(text: str, folder: Path, *, without: Path) -> list[Path]:
    forms = {form(text).encode(code) for form in (str.upper, str.lower, str.title) for code in ("ascii", "utf-16-le")}
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(without)
        if any(form in found for found in _texts(path) for form in forms)
    ]


def test_no_marker_is_in_the_lakehouse_outside_the_intake_zone(
    story: Any, demonstration: Demonstration, lakehouse: Path, marker: str, tmp_path: Path
) -> None:
    assert story.retried
    assert Path(demonstration.report).is_relative_to(lakehouse)  # as are the notebooks that ran
    assert _holding(marker, FILES.location, without=tmp_path)  # what is searched for would be found
    assert _holding(marker, lakehouse, without=lakehouse / "intake") == []
    assert _holding(str(story.source.parent), lakehouse / "imaging", without=tmp_path) == []


def test_no_marker_is_in_what_is_exported(story: Any, marker: str, tmp_path: Path) -> None:
    assert story.retried
    assert export(tmp_path / "out").written > 8
    assert _holding(marker, tmp_path, without=tmp_path / "none") == []
