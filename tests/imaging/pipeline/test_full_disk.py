"""A lakehouse, and a folder of new files, whose disk runs full."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lakeward.cli import main
from lakeward.imaging.pipeline import files
from lakeward.imaging.pipeline.files import deidentify_folder
from lakeward.imaging.pipeline.process import deidentify, process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE, RUNS
from lakeward.workspace.errors import StorageFull
from lakeward.workspace.lakehouse import query
from lakeward.workspace.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted, which only root can do: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_run_that_fills_the_disk_says_so_and_the_next_ends_like_an_undisturbed_one(
    disk: Path,
    spark: "SparkSession",
    build: Callable[..., bytes],
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAKEWARD_HOME", str(disk / "lakehouse"))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", recipe.key.hex())
    settings.cache_clear()
    source = tmp_path / "in"
    source.mkdir()

    def ingest() -> tuple[int, dict[str, int]]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "imaging", "ingest", str(source), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), json.loads(capsys.readouterr().out)

    (source / "first").write_bytes(build(700))
    assert ingest()[0] == 0
    large = {"Rows": 256, "Columns": 256, "PixelData": np.random.default_rng(7).bytes(2 * 256**2)}
    contents = [build(700), *(build(701 + n, **large) for n in range(9))]
    for n, content in enumerate(contents[1:]):
        (source / str(n)).write_bytes(content)
    (source / "us").write_bytes(build(720, modality="US"))

    for left in (600_000, 0):  # the pixels do not fit; not even a lock's holder can be noted
        size = shutil.disk_usage(disk).free - left
        (disk / "ballast").write_bytes(bytes(size))
        code, told = ingest()
        assert (code, told["error"]) == (6, "StorageFull")
        (disk / "ballast").unlink()
        assert len(query(f"SELECT * FROM {FILES.name}", FILES)) == 1

    code, report = ingest()
    assert (code, report["known"], report["stored"], report["duplicates"], report["quarantined"]) == (0, 1, 9, 0, 1)
    rows = query(f"SELECT dicom FROM {IMAGES.name} JOIN {PIXELS.name} USING (pixels_id)", IMAGES, PIXELS)
    assert sorted(rows["dicom"].to_pylist()) == sorted(process(content, recipe).dicom for content in contents)
    assert len(query(f"SELECT * FROM {PIXELS.name}", PIXELS)) == len(contents)
    assert len(query(f"SELECT * FROM {QUARANTINE.name}", QUARANTINE)) == 1
    assert list((intake() / "runs").iterdir()) == []
    states = query(f"SELECT state FROM {RUNS.name} ORDER BY started_at", RUNS)["state"].to_pylist()
    assert states == ["SUCCESS", "FAILED", "SUCCESS"]


@pytest.mark.usefixtures("home")
def test_a_folder_that_fills_the_disk_holds_whole_files_alone(
    disk: Path, build: Callable[..., bytes], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_BATCH", 4)
    (tmp_path / "in").mkdir()
    contents = [build(number, Rows=512, Columns=512, PixelData=os.urandom(2 * 512**2)) for number in range(40)]
    for number, content in enumerate(contents):
        (tmp_path / "in" / f"{number}.dcm").write_bytes(content)
        if number == 3:  # else the disk may be full before the first files of all have their names
            assert deidentify_folder(tmp_path / "in", disk / "out", recipe).written == 4
    with pytest.raises(StorageFull):
        deidentify_folder(tmp_path / "in", disk / "out", recipe)
    expected = {deidentify(content, recipe).dicom for content in contents}
    left = [path for path in (disk / "out").rglob("*") if path.is_file()]
    assert set() < {path.read_bytes() for path in left} < expected
    assert ".parts" not in {path.name for path in (disk / "out").iterdir()}
