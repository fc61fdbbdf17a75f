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


def test_whatever_is_killed_each_file_that_comes_is_processed_once(
    lakehouse: Path, build: Build, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in"
    contents = {name: build(500 + n) for n, name in enumerate(("1", "a b%20c#d?e.dcm", "müller/12:30", "2", "3", "4"))}
    contents |= {"text": b"no DICOM", "equal": contents["1"]}

    def arrive(*names: str) -> None:
        for name in names:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(contents[name])

    def counts(*, of_all: bool = False) -> tuple[int, int, int, int]:
        report = ingest(source, recipe, incremental=not of_all)
        return report.found, report.known, report.stored, report.quarantined

    arrive("1", "a b%20c#d?e.dcm", "müller/12:30", "text")
    assert counts() == (4, 0, 3, 1)

    arrive("2", "equal")
    os.utime(source / "2", ns=(1, 1))  # copied with its time, which is long ago
    with monkeypatch.context() as patch:
        run = pipeline.run

        def run_and_die(*work: Any, **more: Any) -> None:
            run(*work, **more)
            raise Killed

        patch.setattr(pipeline, "run", run_and_die)
        with pytest.raises(Killed):
            counts()
    assert counts() == (2, 2, 0, 0)

    arrive("3")
    with monkeypatch.context() as patch:
        to = streaming._to

        def write_and_die(lists: str) -> Callable[..., None]:
            def write(*batch: Any) -> None:
                to(lists)(*batch)
                raise Killed

            return write

        patch.setattr(streaming, "_to", write_and_die)
        with pytest.raises(Exception, match="Killed"):
            counts()
    arrive("4")
    assert counts() == (2, 0, 2, 0)

    os.mkfifo(source / "pipe")  # what streams pass over is left to a run over all
    (source / "_hidden").write_bytes(build(507))
    (source / os.fsdecode(b"M\xfcller")).write_bytes(build(508))
    assert counts() == (0, 0, 0, 0)
    assert counts(of_all=True) == (11, 8, 2, 1)

    names = [recipe.pseudonyms.source(content) for name, content in contents.items() if name != "text"]
    images = query(f"SELECT source_hmac FROM {IMAGES.name}", IMAGES)["source_hmac"].to_pylist()
    assert Counter(name for name in images if name in names) == dict.fromkeys(names, 1)
    paths = query(f"SELECT path FROM {FILES.name} WHERE path LIKE '{source}/%'", FILES)["path"].to_pylist()
    assert len(paths) == len(set(paths)) == 11
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
