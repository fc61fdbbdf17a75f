"""A Delta table at one version: which files that is, and how many rows they have.

Source: Delta Transaction Log Protocol, sections Delta Log Entries, Checkpoints, Deletion Vectors.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lakeward.governance.backups.errors import Changed
from lakeward.governance.backups.manifest import TableState
from lakeward.workspace.errors import ConfigurationError

if TYPE_CHECKING:
    from deltalake import DeltaTable

LOG = "_delta_log"
_OF_VERSION = re.compile(r"(\d{20})(?:\.(\d{20})\.compacted)?\.")
_VECTORS = "deletion_vector*.bin"


def fixed(folder: Path, path: str) -> tuple[TableState, list[Path]]:
    """Fix a table at its newest version: return the files that this names, with the log up to it.

    ``_last_checkpoint``, a hint that readers do without, may name a later one, so it is left out.

    Parameters
    ----------
    path : str
        The folder's place in the lakehouse.

    Raises
    ------
    Changed
        If the version can't be read.
    ConfigurationError
        If it names files of another table.
    """
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    log = folder / LOG
    listed = sorted(path for path in log.rglob("*") if path.is_file())
    version = max((int(it.stem) for it in listed if re.fullmatch(r"\d{20}\.json", it.name)), default=-1)
    if version < 0:
        raise Changed(f"The table in {folder} has no version.")
    try:
        table = DeltaTable(str(folder), version=version)
        live = [_inside(folder, uri) for uri in table.file_uris()]
        rows = _rows(table)
    except (DeltaError, OSError) as error:
        raise Changed(f"Version {version} of the table in {folder} can't be read: {type(error).__name__}.") from None
    of_log = [file for file in listed if _up_to(version, file)]
    return TableState(path, version, rows), [*of_log, *live, *folder.rglob(_VECTORS)]


def rows_of(folder: Path, version: int) -> int:
    """Return how many rows a version of a table has, as its files themselves tell, not what its log tells of them."""
    import pyarrow.parquet as pq
    from deltalake import DeltaTable

    table = DeltaTable(str(folder), version=version)
    stored: int = sum(pq.read_metadata(_inside(folder, uri)).num_rows for uri in table.file_uris())
    return stored - sum(kept.count(False) for kept in _vectors(table))


def _vectors(table: "DeltaTable") -> Iterator[list[bool]]:
    """Yield for each file with a deletion vector which of its rows are there still."""
    import pyarrow as pa

    for batch in table.deletion_vectors():
        yield from pa.record_batch(batch)["selection_vector"].to_pylist()


def _rows(table: "DeltaTable") -> int:
    import pyarrow as pa
    from deltalake import QueryBuilder

    engine = QueryBuilder()
    engine.register("t", table)
    counted = pa.RecordBatchReader.from_stream(engine.execute("SELECT count(*) AS n FROM t")).read_all()
    return int(counted["n"][0].as_py())


def _inside(folder: Path, uri: str) -> Path:
    file = Path(uri.removeprefix("file://"))
    if not file.is_relative_to(folder):
        raise ConfigurationError(f"The table in {folder} is a shallow clone: it names files of another. Copy it whole.")
    return file


def _up_to(version: int, file: Path) -> bool:
    """Whether a file of the log belongs to a version or one before: names begin with the version, in 20 digits."""
    if file.parent.name == "_sidecars":
        return True  # of checkpoints; which one's is in those
    found = _OF_VERSION.match(file.name)
    return found is not None and int(found[2] or found[1]) <= version
