"""A name is found wherever it is: in text, in a file's own name, in compressed columns and their statistics."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeward.imaging.stewardship.traces import search

PATIENT, UID, HASH = "LWABCDEFGHIJKLMN", "2.25.123456789012345678901234567890123456", "0123456789abcdef" * 4
OTHERS = [f"LWABCDEFGHIJKLM{c}" for c in "OPQR"] + ["2.25.99999999999999999999999999999999999", "f" * 64]


def _parquet(path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"x": column}), path, compression="zstd", write_statistics=False)


@pytest.mark.parametrize("name", [PATIENT, UID, HASH])
def test_every_place_is_looked_into(tmp_path: Path, name: str) -> None:
    text = f'{{"Value":["{name}"]}}'
    (tmp_path / "log.json").write_text(text)
    (tmp_path / f"{name}.txt").touch()
    _parquet(tmp_path / "strings.parquet", pa.array([None, *OTHERS * 50, text]))
    _parquet(tmp_path / "dictionary.parquet", pa.array([*OTHERS, name] * 50))
    _parquet(tmp_path / "nested.parquet", pa.array([[{"a": text}]]))
    _parquet(tmp_path / "map.parquet", pa.array([[(name, "value")]], pa.map_(pa.string(), pa.string())))
    pq.write_table(pa.table({"x": [name[:40]]}), tmp_path / "statistics.parquet", compression="zstd")
    found = search(tmp_path, [name], without=tmp_path / "none").found
    assert found.keys() == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("name", [PATIENT, UID])
def test_objects_are_looked_into_too(tmp_path: Path, name: str) -> None:
    value = bytes(300) + name[:5].encode() + name.encode() + bytes(301)
    _parquet(tmp_path / "dicom.parquet", pa.array([b"", value]))
    _parquet(tmp_path / "enhanced.parquet", pa.array([None, [bytes(9), value]], pa.list_(pa.binary())))
    assert search(tmp_path, [name], without=tmp_path / "none").found.keys() == {"dicom.parquet", "enhanced.parquet"}


def test_what_is_left_out_and_what_others_are_called_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "plan").write_text(PATIENT)
    (tmp_path / "log").write_text("\n".join(OTHERS))
    seen = search(tmp_path, [PATIENT, UID, HASH], without=tmp_path / "plans")
    assert (seen.files, seen.found) == (1, {})
    assert seen.bytes >= (tmp_path / "log").stat().st_size
