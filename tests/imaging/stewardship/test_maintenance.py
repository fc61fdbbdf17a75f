"""Small files are put together; pixels are copied only where it pays."""

import os
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeward.imaging.pipeline.runs import prepared_session
from lakeward.imaging.stewardship import maintenance
from lakeward.imaging.stewardship.purge import delete
from lakeward.imaging.tables import PIXELS
from lakeward.workspace.rows import add


def _files() -> set[str]:
    return {str(name) for name in pa.table(DeltaTable(str(PIXELS.location)).get_add_actions())["path"].to_pylist()}


def _keeps_log() -> bool:
    return DeltaTable(str(PIXELS.location)).metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def test_large_files_of_pixels_stay_and_small_ones_go_together(
    case: Any, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what no version names any more goes, unless a legal hold keeps a patient."""
    assert case.judged
    monkeypatch.setattr(maintenance, "TABLES", (PIXELS,))
    spark = prepared_session()
    before = _files()
    for size in (1000, 1000, 33 * 1024**2):
        add(PIXELS, [{"pixels_id": "0" * 32, "run_id": "upkeep", "dicom": os.urandom(size)}])
    added = _files() - before
    unused = PIXELS.location / "unused.parquet"
    unused.touch()
    os.utime(unused, (0, 0))
    try:
        with held(case.patients[0]):
            (done,) = maintenance.optimize()
        assert done.kept
        assert unused.exists()
        assert _keeps_log()
        (large,) = [name for name in added if (PIXELS.location / name).stat().st_size > 32 * 1024**2]
        assert (done.files_before, done.files_after) == (len(before) + 3, 2)
        assert large in _files()
        layout = _files()
        maintenance.optimize()
        assert _files() == layout
        assert not unused.exists()
        assert not _keeps_log()
    finally:
        delete(spark, PIXELS, "run_id", {"upkeep"})
