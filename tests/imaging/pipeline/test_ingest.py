"""What a run does with a folder; the steps of the story are in conftest.py, since each costs seconds of Spark."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from deltalake import DeltaTable

from lakeward.imaging.pipeline.ingest import Report, ingest
from lakeward.imaging.pipeline.process import deidentify, process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake, intake_lock, prepared_session, run_folder
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE, RUNS
from lakeward.workspace.errors import Busy, ConfigurationError, EventNotRecorded
from lakeward.workspace.lakehouse import history, query
from lakeward.workspace.leases import Lease
from lakeward.workspace.tables import Table, add_columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Build = Callable[..., bytes]


def rows(table: Table, report: Report, columns: str = "*") -> list[dict[str, Any]]:
    """Rows that a run has written."""
    return query(f"SELECT {columns} FROM {table.name} WHERE run_id = '{report.run_id}'", table).to_pylist()


def orphans() -> list[dict[str, Any]]:
    images = f"SELECT pixels_id FROM {IMAGES.name}"
    return query(f"SELECT run_id FROM {PIXELS.name} WHERE pixels_id NOT IN ({images})", PIXELS, IMAGES).to_pylist()


def states() -> list[str]:
    """States of the runs, the newest last."""
    return [row["state"] for row in query(f"SELECT state FROM {RUNS.name} ORDER BY started_at", RUNS).to_pylist()]


def test_every_file_is_stored_or_set_aside(story: Any) -> None:
    report = story.first
    assert (report.found, report.known, report.stored, report.duplicates, report.quarantined) == (17, 0, 9, 1, 8)
    assert report.by_reason == {"burned_in_risk": 3, "not_accessible": 2, "not_dicom": 2, "truncated": 1}
    (run,) = rows(RUNS, report)
    assert run["state"] == "SUCCESS"
    assert run["found"] == run["known"] + run["stored"] + run["quarantined"]
    assert len(rows(FILES, report)) == 17
    assert len(rows(IMAGES, report)) == len(rows(PIXELS, report)) == 8
    assert len(rows(QUARANTINE, report)) == 7  # equal files are one object


def test_a_row_is_what_processing_the_file_gives_however_the_work_is_cut(story: Any) -> None:
    for report, recipe in ((story.first, story.recipe), (story.reprocessed, story.other)):
        cleaned = []
        for path in story.source.rglob("*"):
            if path.is_file() and not path.name.startswith(("ultrasound", "new")):
                try:
                    cleaned.append(process(path.read_bytes(), recipe))
                except Quarantined:
                    continue
        expected = {file.columns["content_sha256"]: file for file in cleaned}
        pixels = {row["pixels_id"]: row for row in rows(PIXELS, report)}
        images = {row["content_sha256"]: row for row in rows(IMAGES, report)}
        assert expected.keys() <= images.keys()
        for sha256, file in expected.items():
            assert {name: images[sha256][name] for name in file.columns} == file.columns
            stored = pixels[images[sha256]["pixels_id"]]
            assert (stored["dicom"], stored["enhanced"]) == (file.dicom, file.enhanced)


def test_a_file_that_was_only_touched_adds_nothing(story: Any) -> None:
    report = story.touched
    assert (report.found, report.known) == (18, 14)
    assert (report.stored, report.duplicates, report.quarantined) == (3, 2, 1)  # released once is released
    assert len(rows(IMAGES, report)) == len(rows(PIXELS, report)) == 1  # the new one
    assert rows(QUARANTINE, report) == []
    assert len(rows(FILES, report)) == 4


def test_a_second_run_waits_for_the_first_and_then_adds_nothing(story: Any) -> None:
    report = story.again
    assert (report.found, report.known, report.stored, report.quarantined) == (18, 18, 0, 0)
    assert story.states["while locked"] == story.states["before again"]
    written = {name for name, n in story.states["after again"].items() if n != story.states["before again"][name]}
    assert written == {RUNS.name}


NOTHING_NEW = """
import sys
from lakeward.cli import main
try:
    main()
finally:
    print("pyspark" in sys.modules, file=sys.stderr)
"""


def test_where_nothing_is_new_no_spark_is_started(story: Any) -> None:
    assert story.again
    command = [sys.executable, "-c", NOTHING_NEW, "imaging", "ingest", str(story.source), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert (report["found"], report["known"]) == (18, 18)
    assert done.stderr.endswith("False\n")


def test_another_key_takes_files_again_on_request_only(story: Any) -> None:
    report = story.seen_by_other
    assert (report.found, report.known, report.stored, report.other_recipe) == (18, 18, 0, 18)
    report = story.reprocessed
    assert (report.known, report.stored, report.duplicates, report.quarantined) == (0, 10, 1, 8)
    assert len(rows(IMAGES, report)) == len(rows(PIXELS, report)) == 9
    assert orphans() == []


def test_what_is_set_aside_under_another_key_closes_what_was_before(story: Any) -> None:
    old, new = story.first, story.reprocessed
    held = rows(QUARANTINE, old, "status, resolution, closed_by")
    by_run = {"status": "closed", "resolution": f"processed again by run {new.run_id}", "closed_by": "ingest"}
    assert held.count(by_run) == 6  # those that could not be read, too, which are named by their paths
    assert len(rows(QUARANTINE, new)) == 7


def test_the_restricted_zone_is_for_its_owner_alone(story: Any, build: Build) -> None:
    assert story.first
    for folder in (intake(), intake() / "quarantine", intake() / "runs"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    copies = list((intake() / "quarantine").iterdir())
    assert build(90, modality="US") in [copy.read_bytes() for copy in copies]
    assert {stat.S_IMODE(copy.stat().st_mode) for copy in copies} == {0o600}
    assert list((intake() / "runs").iterdir()) == []


def test_nothing_is_processed_if_the_run_can_not_be_recorded(
    story: Any, build: Build, tmp_path: Path, lakehouse: Path
) -> None:
    assert story.first
    (tmp_path / "a").write_bytes(build(10))
    events, runs = lakehouse / "events", history(RUNS)
    events.rename(lakehouse / "away")
    events.touch()
    try:
        with pytest.raises(EventNotRecorded):
            ingest(tmp_path, story.recipe)
    finally:
        events.unlink()
        (lakehouse / "away").rename(events)
    assert history(RUNS) == runs
    assert list((intake() / "runs").iterdir()) == []


def test_a_run_that_fails_says_so_and_names_no_file(story: Any, build: Build, tmp_path: Path, marker: str) -> None:
    assert story.first
    (tmp_path / f"{marker}.dcm").write_bytes(build(11, modality="US"))
    aside = intake() / "quarantine"
    aside.rename(intake() / "away")
    aside.symlink_to(tmp_path / "no such disk")  # so that copies can't be kept
    try:
        with pytest.raises(Exception, match="Errno") as failure:
            ingest(tmp_path, story.recipe)
    finally:
        aside.unlink()
        (intake() / "away").rename(aside)
    assert marker not in str(failure.value)
    assert states()[-1] == "FAILED"


class _Deadly(Recipe):
    """A recipe under which one file ends the process that works on it, as a decoder in C may."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Deadly, (self.profile, self.key)

    @property
    def everyday(self) -> Any:
        def process_or_die(content: bytes) -> Any:
            if b"DEADLY" in content:
                os.kill(os.getpid(), signal.SIGKILL)
            return Recipe(self.profile, self.key).everyday(content)

        return process_or_die


def test_a_file_that_kills_its_process_is_set_aside_and_all_others_are_stored(
    story: Any, build: Build, tmp_path: Path
) -> None:
    from pyspark import cloudpickle

    assert story.first
    contents = [build(400 + n) for n in range(5)] + [build(405, ImageComments="DEADLY")]
    for n, content in enumerate(contents):
        (tmp_path / f"{n}.dcm").write_bytes(content)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers can't import a test
    report = ingest(tmp_path, _Deadly(story.recipe.profile, story.recipe.key))
    assert (report.found, report.stored, report.by_reason) == (6, 5, {"crashed": 1})
    files = {path.name for path in PIXELS.location.glob(f"{report.run_id}-*.parquet")}
    assert files
    assert files <= {Path(uri).name for uri in DeltaTable(str(PIXELS.location)).file_uris()}  # nothing is left over


def test_a_lakehouse_of_an_older_version_is_migrated_and_ingestion_goes_on(
    spark: "SparkSession", build: Build, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = next(column for column in IMAGES.columns if column.name == "patient_age_years")
    older = [column for column in IMAGES.columns if column is not newest]
    (tmp_path / "old").write_bytes(build(1))
    with monkeypatch.context() as patch:
        patch.setitem(vars(IMAGES), "columns", older)
        assert ingest(tmp_path, recipe).stored == 1
    assert newest.name not in DeltaTable(str(IMAGES.location)).schema().to_arrow().names

    with monkeypatch.context() as patch:
        patch.setitem(vars(IMAGES), "version", 2)
        patch.setitem(vars(IMAGES), "migrations", [add_columns(newest)])
        (tmp_path / "new").write_bytes(build(2))
        report = ingest(tmp_path, recipe)
        assert (report.known, report.stored) == (1, 1)
    ages = query(f"SELECT patient_age_years AS age FROM {IMAGES.name} ORDER BY ingested_at", IMAGES)["age"]
    assert ages.to_pylist() == [None, 45]


def test_a_folder_must_be_named(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ConfigurationError, match="No folder at"):
        ingest(tmp_path / "nowhere", recipe)


PART = 40
INGEST_WHEN_TOLD = f"""
from lakeward.cli import main
from lakeward.imaging.pipeline import ingest
from lakeward.workspace.spark import session
ingest.PART_FILES = {PART}
session(), input(), main()
"""


def _ready(source: Path) -> "subprocess.Popen[bytes]":
    """Another process that has its Spark and waits to be told, so that several can start together."""
    command = [sys.executable, "-c", INGEST_WHEN_TOLD, "imaging", "ingest", str(source)]
    environment = os.environ | {"SPARK_LOCAL_DIRS": str(source.parent / "spark")}  # which a killed Spark leaves behind
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, **quiet)


def _kill_when(reached: Callable[[], bool], running: "subprocess.Popen[bytes]") -> None:
    """Let it ingest, and kill driver, JVM and Python workers when a point is reached."""
    assert running.stdin
    running.stdin.write(b"\n")
    running.stdin.close()
    while running.poll() is None and not reached():
        time.sleep(0.002)
    assert running.poll() is None, "it ended before it could be killed"
    tree = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for member in tree:
            with suppress(psutil.NoSuchProcess):  # a worker may end by itself meanwhile
                act(member)
    running.wait()


def test_of_two_machines_that_begin_at_once_neither_puts_away_the_others_run(spark: "SparkSession", home: Path) -> None:
    with intake_lock():
        theirs = run_folder("theirs")
        Lease(intake() / "ingest.lease").renew()
        with pytest.raises(Busy, match="has taken over"):
            prepared_session()
    assert theirs.exists()


def test_a_run_that_is_killed_again_and_again_ends_like_an_undisturbed_one(
    story: Any, build: Build, tmp_path: Path, recipe: Recipe
) -> None:
    assert story.first
    source = tmp_path / "in"
    source.mkdir()
    contents = {f"{n}": build(300 + n) for n in range(60)}
    for name, content in (contents | {"us": build(360, modality="US"), "equal": contents["0"]}).items():
        (source / name).write_bytes(content)
    before = states()
    processes = [_ready(source) for _ in range(3)]

    def committed(table: Table) -> Callable[[], bool]:
        log = table.location / "_delta_log"
        version = history(table)[0]["version"]
        return lambda: (log / f"{version + 1:020}.json").exists()

    _kill_when(lambda: any(path.stat().st_size for path in intake().glob("runs/*/*/_*.count")), processes[0])
    _kill_when(committed(PIXELS), processes[1])  # images are not there yet; the second part is on its way
    _kill_when(committed(IMAGES), processes[2])  # the files are not known yet
    report = ingest(source, recipe)

    assert states() == [*before, "INTERRUPTED", "INTERRUPTED", "INTERRUPTED", "SUCCESS"]
    assert (report.found, report.known, report.stored, report.quarantined) == (62, 0, 61, 1)
    assert report.duplicates == PART + 1  # the third run had got as far as the images of one part; and the equal one
    names = ", ".join(f"'{recipe.pseudonyms.source(path.read_bytes())}'" for path in source.iterdir())
    stored = query(
        f"SELECT p.dicom FROM {PIXELS.name} p JOIN {IMAGES.name} i USING (pixels_id) WHERE i.source_hmac IN ({names})",
        PIXELS,
        IMAGES,
    )
    assert sorted(stored["dicom"].to_pylist()) == sorted(deidentify(c, recipe).dicom for c in contents.values())
    held = query(f"SELECT status FROM {QUARANTINE.name} WHERE source_hmac IN ({names})", QUARANTINE).to_pylist()
    assert held == [{"status": "open"}]
    assert orphans() == []
    assert list((intake() / "runs").iterdir()) == []
    assert not [path.name for path in (intake() / "quarantine").iterdir() if path.name.startswith("_")]
