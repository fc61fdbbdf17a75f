"""Names looked for in every byte of the lakehouse: the proof that what was deleted is gone."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from lakeward.workspace.column_types import leaves

_SIGNIFICANT = 32
"""Characters that tell a name from others; Delta's statistics have no more of it."""

# UIDs, patients and other texts; what follows the beginning is only looked at, since another may begin in it.
_TEXT_NAMES = {b"2.25.": re.compile(rb"2\.25\.(?=(\d{20,39}))"), b"LW": re.compile(rb"LW(?=([A-Z2-7]{14}))")}
_HASHES = re.compile(rb"[0-9a-f]{32,64}")  # sources, contents, rows of pixels; never inside an object
_BATCH_BYTES = 64 * 1024**2


class Traces(BaseModel):
    """What a search has seen and found.

    Attributes
    ----------
    files, bytes : int
        Files read, and bytes searched: the files as they are and, of Parquet, the values in them as well.
    found : dict of str to int
        Files that hold a name, as paths in the lakehouse, and how many there are in each.
    """

    model_config = ConfigDict(frozen=True)

    files: int
    bytes: int
    found: dict[str, int]


def search(folder: Path, names: Iterable[str], without: Path) -> Traces:
    """Look for names in all files under a folder, and in the files' own names.

    Parameters
    ----------
    names : iterable of str
        Pseudonyms of patients, UIDs made here, or hashes as hexadecimal digits.
    without : Path
        A folder that is left out.
    """
    wanted = {name[:_SIGNIFICANT].encode() for name in names}
    found: Counter[str] = Counter()
    files = size = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_relative_to(without)):
        files += 1
        for text, hashes in _texts(path):
            size += len(text)
            if hits := sum(token[:_SIGNIFICANT] in wanted for token in _tokens(text, hashes)):
                found[str(path.relative_to(folder))] += hits
    return Traces(files=files, bytes=size, found=dict(found))


def _tokens(text: bytes | memoryview, hashes: bool) -> Iterator[bytes]:
    for beginning, pattern in _TEXT_NAMES.items():
        yield from (beginning + rest for rest in pattern.findall(text))
    if hashes:
        yield from _HASHES.findall(text)


def _texts(path: Path) -> Iterator[tuple[bytes | memoryview, bool]]:
    """Pieces of a file to search, and whether hashes can be in them; of Parquet, its footer and every value too."""
    yield path.name.encode("utf-8", "surrogateescape"), True
    if path.suffix != ".parquet":
        yield path.read_bytes(), True
        return
    with pa.memory_map(str(path)) as content:
        whole = memoryview(content.read_buffer())
        yield whole, False
        footer = int.from_bytes(whole[-8:-4], "little")
        yield whole[-8 - footer :], True
    with pq.ParquetFile(path) as parquet:
        groups = [parquet.metadata.row_group(n) for n in range(parquet.num_row_groups)]
        row_bytes = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
        for batch in parquet.iter_batches(max(1, _BATCH_BYTES // max(1, row_bytes))):
            for column in batch.columns:
                yield from _values(column)


def _values(column: pa.Array) -> Iterator[tuple[bytes | memoryview, bool]]:
    for values in leaves(column):
        if pa.types.is_binary(values.type):
            yield from ((memoryview(value.as_buffer()), False) for value in values if value.is_valid)
        elif pa.types.is_string(values.type):
            yield "\n".join(filter(None, values.to_pylist())).encode(), True
