"""What was backed up comes back: each table at a version that existed, each database whole, the trail verified."""

import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from backed_up import Lakehouse, numbers
from lakeward.governance.backups.create import create
from lakeward.governance.backups.errors import Changed, NoSuchBackup, NotCopied
from lakeward.governance.backups.known import known
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.verify import verify
from lakeward.governance.trail.entries import told_by
from lakeward.governance.trail.sink import trail_here, trail_of
from lakeward.governance.trail.store import Wanted
from lakeward.workspace.errors import ConfigurationError


def test_a_lakehouse_comes_back(lakehouse: Lakehouse, tmp_path: Path) -> None:
    os.mkfifo(lakehouse.home / "governance" / "pipe")
    made, back = create(), tmp_path / "back"
    shutil.rmtree(lakehouse.home / "imaging")
    restore(made.manifest.id, back)
    assert numbers(back / "imaging" / "images") == [1, 2, 3, 4]
    assert numbers(back / "imaging" / "images", version=0) == [1, 2, 3]
    assert numbers(back / "intake" / "files") == [7]
    assert (back / "governance" / "evidence" / "ab12").read_text() == "metrics"
    assert (back / "mlflow" / "artifacts" / "model" / ".gitattributes").exists()
    with closing(sqlite3.connect(back / "mlflow" / "mlflow.db")) as connection:
        assert connection.execute("SELECT id FROM runs").fetchall() == [("one",)]
    with trail_of(back / "events").view() as view:
        state = view.state()
        assert state
        assert state.head == made.manifest.head
    key = next((back / "events").glob("audit-*.key"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((back / "events").stat().st_mode) == 0o700


def test_only_what_is_new_is_sent_and_it_tells_nothing(lakehouse: Lakehouse) -> None:
    first = create().manifest
    before = lakehouse.files("chunks")
    lakehouse.write("imaging.images", 5)
    second = create().manifest
    assert second.sent < first.sent
    databases, new = len(second.databases), len(lakehouse.files("chunks")) - len(before)
    assert 2 <= new <= 2 + databases  # a commit and its file, and the databases that changed
    assert second.previous
    assert second.previous.id == first.id
    everything = b"".join(str(it).encode() + it.read_bytes() for it in lakehouse.files("."))
    everything = everything.replace(str(lakehouse.place).encode(), b"")
    assert not [word for word in (b"imaging", b"row 1", b"parquet", b"SQLite") if word in everything]
    assert verify().ok


def test_a_file_that_is_as_it_was_is_not_read_and_one_that_only_looks_so_is(lakehouse: Lakehouse) -> None:
    file = lakehouse.home / "governance" / "evidence" / "ab12"
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    create(lambda: long_ago)
    times = file.stat()
    file.write_text("METRICS")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    digest = sha256(b"METRICS").hexdigest()
    assert [it.digests for it in create().manifest.items if it.path.endswith("ab12")] == [[digest]]


def test_the_event_names_the_manifest(lakehouse: Lakehouse) -> None:
    made = create()
    assert known().created == {made.manifest.id: made.sha256}


def test_what_others_write_meanwhile_does_not_tear_it(lakehouse: Lakehouse, tmp_path: Path) -> None:
    for number in range(20):  # so that it takes a while to come to the table that is being written
        lakehouse.write(f"imaging.more{number}", number)
    lakehouse.tell("cohort-0")
    lakehouse.write("zone.rows", 0)
    end = threading.Event()

    def busy() -> None:
        number = 1
        while not end.is_set():
            lakehouse.tell(f"cohort-{number}")
            lakehouse.write("zone.rows", number)
            with (lakehouse.home / "log.txt").open("ab") as log:
                log.write(bytes(3 << 20))
            number += 1

    writer = threading.Thread(target=busy)
    writer.start()
    try:
        made = [create().manifest for _ in range(3)]
        done = verify()
    finally:
        end.set()
        writer.join()
    assert done.findings == []
    for manifest in made:
        back = tmp_path / manifest.id
        restore(manifest.id, back)
        version = {it.name: it.version for it in manifest.tables}["zone.rows"]
        there = numbers(back / "zone" / "rows")
        assert there == numbers(lakehouse.home / "zone" / "rows", version)
        # Each row's event was recorded before it was written, so the trail, which is copied last, tells of all.
        with trail_of(back / "events").view() as view:
            told = {it["object"] for row in view.select(Wanted(kinds=["export"])) if (it := told_by(row))}
        assert {f"cohort-{number}" for number in there} <= told


def test_a_table_with_a_checkpoint_and_a_log_cut_short_comes_back(lakehouse: Lakehouse, tmp_path: Path) -> None:
    folder = lakehouse.home / "imaging" / "parts"
    for number in range(3):
        rows = pa.table({"n": [number], "part": [f"ä {number}"]})
        write_deltalake(str(folder), rows, mode="append", partition_by=["part"])
    DeltaTable(str(folder)).create_checkpoint()
    for number in range(2):
        (folder / "_delta_log" / f"{number:020}.json").unlink()
    write_deltalake(str(folder), pa.table({"n": [3], "part": ["b"]}), mode="append")
    (folder / "part-of-nobody.parquet").write_bytes(b"not committed")
    restore(create().manifest.id, tmp_path / "back")
    assert numbers(tmp_path / "back" / "imaging" / "parts") == [0, 1, 2, 3]
    assert not (tmp_path / "back" / "imaging" / "parts" / "part-of-nobody.parquet").exists()


def test_one_table_can_be_restored_alone(lakehouse: Lakehouse, tmp_path: Path) -> None:
    create()
    done = restore("newest", tmp_path / "back", ["imaging.images", "governance/evidence"])
    assert [it.name for it in done.tables] == ["imaging.images"]
    assert sorted(it.name for it in (tmp_path / "back").iterdir()) == ["governance", "imaging"]
    assert numbers(tmp_path / "back" / "imaging" / "images") == [1, 2, 3, 4]
    with pytest.raises(NoSuchBackup, match=r"has no imaging\.pixels; it has the tables imaging\.images, intake\.files"):
        restore("newest", tmp_path / "other", ["imaging.pixels"])
    assert not (tmp_path / "other").exists()


def test_nothing_is_restored_over_something(lakehouse: Lakehouse) -> None:
    create()
    with pytest.raises(ConfigurationError, match="exists"):
        restore("newest", lakehouse.home)


def test_a_table_that_lacks_a_file_is_not_backed_up_in_silence(lakehouse: Lakehouse) -> None:
    next((lakehouse.home / "imaging" / "images").glob("*.parquet")).unlink()
    with pytest.raises(Changed):
        create()
    assert lakehouse.files("manifests") == []
    with trail_here().view() as view:
        last = told_by(view.select(Wanted(types=["governance.backup.failed"]))[-1])
    assert last
    assert last["outcome"] == "failure"


def test_a_database_that_cannot_be_copied_is_named(lakehouse: Lakehouse) -> None:
    (lakehouse.home / "mlflow" / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    with pytest.raises(NotCopied, match=r"mlflow\.db can't be copied"):
        create()


def test_a_link_is_refused_since_what_it_leads_to_would_be_missing(lakehouse: Lakehouse, tmp_path: Path) -> None:
    (lakehouse.home / "imaging" / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="is a link"):
        create()
