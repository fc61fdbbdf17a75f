"""A folder that grows, taken file by file as they come."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeward.imaging.pipeline import ingest as pipeline
from lakeward.imaging.pipeline import streaming
from lakeward.imaging.pipeline.discovery import Original
from lakeward.imaging.pipeline.ingest import ingest
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake
from lakeward.imaging.tables import FILES, IMAGES
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.lakehouse import query

Build = Callable[..., bytes]


class Killed(Exception):
    pass


class Growing:
    """A folder in which files arrive, and what runs over it tell."""

    def __init__(self, folder: Path, build: Build, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        names = ("1", "a b%20c#d?e.dcm", "müller/12:30", "2", "3", "4")
        self.contents = {name: build(500 + n) for n, name in enumerate(names)}
        self.contents |= {"text": b"no DICOM", "equal": self.contents["1"]}

    def arrive(self, *names: str) -> None:
        for name in names:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(self.contents[name])

    def take(self, *, of_all: bool = False) -> tuple[int, int, int, int]:
        """Ingest what is new; files that were found, known, stored, set aside."""
        report = ingest(self.folder, self.recipe, incremental=not of_all)
        return report.found, report.known, report.stored, report.quarantined

    def assert_each_was_processed_once(self) -> None:
        names = [self.recipe.pseudonyms.source(content) for name, content in self.contents.items() if name != "text"]
        images = query(f"SELECT source_hmac FROM {IMAGES.name}", IMAGES)["source_hmac"].to_pylist()
        assert Counter(name for name in images if name in names) == dict.fromkeys(names, 1)
        paths = query(f"SELECT path FROM {FILES.name} WHERE path LIKE '{self.folder}/%'", FILES)["path"].to_pylist()
        assert len(paths) == len(set(paths)) == 11


def _die_after_the_run(patch: pytest.MonkeyPatch) -> None:
    run = pipeline.run

    def run_and_die(*work: Any, **more: Any) -> None:
        run(*work, **more)
        raise Killed

    patch.setattr(pipeline, "run", run_and_die)


def _die_before_the_checkpoint(patch: pytest.MonkeyPatch) -> None:
    to = streaming._to

    def write_and_die(lists: str) -> Callable[..., None]:
        def write(*batch: Any) -> None:
            to(lists)(*batch)
            raise Killed

        return write

    patch.setattr(streaming, "_to", write_and_die)


def test_whatever_is_killed_each_file_that_comes_is_processed_once(
    lakehouse: Path, build: Build, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(tmp_path / "in", build, recipe)
    growing.arrive("1", "a b%20c#d?e.dcm", "müller/12:30", "text")
    assert growing.take() == (4, 0, 3, 1)

    growing.arrive("2", "equal")
    os.utime(growing.folder / "2", ns=(1, 1))  # copied with its time, which is long ago
    with monkeypatch.context() as patch:
        _die_after_the_run(patch)
        with pytest.raises(Killed):
            growing.take()
    assert growing.take() == (2, 2, 0, 0)

    growing.arrive("3")
    with monkeypatch.context() as patch:
        _die_before_the_checkpoint(patch)
        with pytest.raises(Exception, match="Killed"):
            growing.take()
    growing.arrive("4")
    assert growing.take() == (2, 0, 2, 0)

    os.mkfifo(growing.folder / "pipe")  # what streams pass over is left to a run over all
    (growing.folder / "_hidden").write_bytes(build(507))
    (growing.folder / os.fsdecode(b"M\xfcller")).write_bytes(build(508))
    assert growing.take() == (0, 0, 0, 0)
    assert growing.take(of_all=True) == (11, 8, 2, 1)
    growing.assert_each_was_processed_once()
    assert (intake() / "streams").stat().st_mode & 0o077 == 0


def test_a_listed_file_that_has_vanished_is_accounted_for_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    pq.write_table(pa.table({"path": [f"file:{tmp_path}/gone"]}), tmp_path / "0" / "part-0.parquet")
    assert streaming._listed(tmp_path) == [Original(f"{tmp_path}/gone", 0, 0)]


def test_a_path_that_spark_would_read_as_a_pattern_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "in[1]").mkdir()
    with pytest.raises(ConfigurationError, match="pattern"):
        ingest(tmp_path / "in[1]", recipe, incremental=True)


def test_known_files_are_no_new_files(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ConfigurationError, match="choose one"):
        ingest(tmp_path, recipe, incremental=True, reprocess=True)
