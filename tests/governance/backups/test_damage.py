"""Whatever is done to backups is found: a flipped byte anywhere, what is gone, what stands in another's place."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backed_up import Lakehouse
from lakeward.governance.backups.create import create
from lakeward.governance.backups.errors import BackupDamaged, WrongKey
from lakeward.governance.backups.examination import faults
from lakeward.governance.backups.keeping import remove_old
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.sealing import backup_keys
from lakeward.governance.backups.vault import chunk_path
from lakeward.governance.backups.verify import Finding, verify
from lakeward.governance.trail import anchors
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.errors import ConfigurationError, EventNotRecorded

Damage = Callable[[Lakehouse], None]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), data=st.data())
def test_a_flipped_bit_anywhere_is_found(lakehouse: Lakehouse, place: float, bit: int, data: st.DataObject) -> None:
    if not lakehouse.place.exists():
        create()
    files = [*lakehouse.files("manifests"), *lakehouse.files("chunks")]
    file = data.draw(st.sampled_from(files))
    whole = file.read_bytes()
    # Headers and tags are as likely as all that lies between them.
    offset = data.draw(st.sampled_from([0, 1, 12, 13, int(place * len(whole)), len(whole) - 16, len(whole) - 1]))
    file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << bit]) + whole[offset + 1 :])
    assert not verify().ok
    file.write_bytes(whole)


def test_what_was_mended_is_found_whole(lakehouse: Lakehouse) -> None:
    [item] = [it for it in create().manifest.items if it.path == "governance/evidence/ab12"]
    keys = backup_keys().now
    file = lakehouse.place / chunk_path(keys.id, keys.name(bytes.fromhex(item.digests[0])))
    file.write_bytes(file.read_bytes()[:-1])
    damaged = verify().findings
    assert "Remove that file" in damaged[0].detail
    assert file.name in damaged[0].detail
    file.unlink()
    assert not verify().ok
    create()
    assert verify().ok


def _lose_chunk(lakehouse: Lakehouse) -> None:
    lakehouse.files("chunks")[3].unlink()


def _cut_short(lakehouse: Lakehouse) -> None:
    file = max(lakehouse.files("chunks"), key=lambda it: it.stat().st_size)
    file.write_bytes(file.read_bytes()[:-100])


def _empty(lakehouse: Lakehouse) -> None:
    lakehouse.files("chunks")[0].write_bytes(b"")


def _swap_chunks(lakehouse: Lakehouse) -> None:
    one, other = lakehouse.files("chunks")[:2]
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)


def _lose_manifest(lakehouse: Lakehouse) -> None:
    lakehouse.files("manifests")[-1].unlink()


def _older_manifest_in_its_place(lakehouse: Lakehouse) -> None:
    older, newer = lakehouse.files("manifests")
    newer.write_bytes(older.read_bytes())


def _fork(lakehouse: Lakehouse) -> None:
    """The trail in use is another than the one in the backups, though it tells of them."""
    with closing(sqlite3.connect(trail_here().folder / "trail.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET leaf = zeroblob(32) WHERE sequence = 1")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_lose_chunk, "has lost the file chunks/"),
        (_cut_short, "is not as it was written"),
        (_empty, "is not as it was written"),
        (_swap_chunks, "is not as it was written"),
        (_lose_manifest, "it is not there"),
        (_older_manifest_in_its_place, "is not the one that the audit trail tells of"),
        (_fork, "the trail in use does not go on where it ends"),
    ],
)
def test_damage_is_found_and_named(lakehouse: Lakehouse, damage: Damage, told: str) -> None:
    create()
    lakehouse.tell("between")
    create()
    assert verify().ok
    damage(lakehouse)
    (lakehouse.place / "manifests" / "notes.txt").write_text("no backup")
    found = verify()
    assert not found.ok
    assert told in " ".join(it.detail for it in found.findings)


def test_a_day_with_no_backup_is_named(lakehouse: Lakehouse) -> None:
    for day in (0, 1, 3):
        create(lakehouse.at(day))
    missing = verify(4, lakehouse.at(3)).findings
    assert missing == [Finding(lakehouse.at(2)().date().isoformat(), "There is no backup of this day.")]
    assert verify(1, lakehouse.at(3)).ok
    assert not verify(1, lakehouse.at(4)).ok


def test_days_before_the_first_backup_need_none(lakehouse: Lakehouse) -> None:
    assert verify(30).findings == [Finding(lakehouse.start.date().isoformat(), "There is no backup of this day.")]
    create()
    assert verify(30).ok


def test_the_wrong_key_is_told_from_damage(
    lakehouse: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create()
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY", "a5" * 32)
    assert "was made with the key" in verify().findings[0].detail
    with pytest.raises(WrongKey):
        restore("newest", tmp_path / "back")
    with pytest.raises(WrongKey, match="as backup_key_before"):
        create()
    assert len(lakehouse.files("manifests")) == 1
    # Replaced on purpose: everything is sent anew, and the backups before stay readable with their key.
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY_BEFORE", "5a" * 32)
    create()
    restore("newest", tmp_path / "back")
    assert verify().ok
    monkeypatch.delenv("LAKEWARD_BACKUP_KEY_BEFORE")
    create()
    assert "was made with the key" in verify().findings[0].detail
    monkeypatch.setenv("LAKEWARD_BACKUP_KEY_BEFORE", "5a" * 32)
    chunks = len(lakehouse.files("chunks"))
    assert remove_old(lakehouse.at(200))[0]
    assert len(lakehouse.files("chunks")) < chunks
    assert verify().ok


def test_another_manifest_than_the_trail_tells_of_is_not_restored(lakehouse: Lakehouse, tmp_path: Path) -> None:
    made = create().manifest
    forged = replace(made, items=[it for it in made.items if "evidence" not in it.path])
    file = lakehouse.place / "manifests" / made.id
    file.write_bytes(backup_keys().now.seal_manifest(made.id, forged.text()))
    with pytest.raises(BackupDamaged, match="not the one that the audit trail tells of"):
        restore("newest", tmp_path / "back")
    assert not (tmp_path / "back").exists()
    shutil.rmtree(lakehouse.home)
    restore("newest", tmp_path / "back")  # a lakehouse that lost its trail has nothing to compare with


def test_nothing_is_left_of_a_restore_that_failed(lakehouse: Lakehouse, tmp_path: Path) -> None:
    create()
    _swap_chunks(lakehouse)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BackupDamaged, match="Nothing was restored"):
        restore("newest", tmp_path / "back")
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_wrong_with_a_restored_lakehouse_is_told(lakehouse: Lakehouse, tmp_path: Path) -> None:
    manifest = create().manifest
    back = tmp_path / "back"
    restore("newest", back)
    assert list(faults(manifest, back)) == []
    for file in (back / "imaging" / "images").glob("*.parquet"):
        file.unlink()
    (back / "mlflow" / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    with closing(sqlite3.connect(back / "events" / "trail.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE recent SET data = replace(data, 'cohort-a', 'cohort-b')")
    told = " ".join(faults(manifest, back))
    assert "The table imaging.images can't be read" in told
    assert "The database mlflow/mlflow.db: DatabaseError" in told
    assert "The audit trail: edit at event" in told


def test_the_restored_trail_is_held_against_the_heads_that_were_anchored(lakehouse: Lakehouse, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    head = Path(anchors.anchor(trail_here(), str(heads)))
    create()
    anchors.anchor(trail_here(), str(heads))  # later than the backup
    assert verify().ok
    text = head.read_text()
    head.write_text(text.replace(text.split("\n")[2], "A" * 43 + "="))
    assert "anchored head" in verify().findings[0].detail


def test_a_place_of_another_lakehouse_is_refused(lakehouse: Lakehouse) -> None:
    create()
    shutil.rmtree(lakehouse.home / "events")
    lakehouse.tell("another trail")
    with pytest.raises(ConfigurationError, match="backups of another lakehouse"):
        create()


@pytest.mark.parametrize("events", [True, False])
def test_a_lakehouse_that_was_restored_goes_on(lakehouse: Lakehouse, tmp_path: Path, events: bool) -> None:
    if not events:
        shutil.rmtree(lakehouse.home / "events")
    create()
    shutil.rmtree(lakehouse.home)
    restore("newest", tmp_path / "back")
    shutil.rmtree(lakehouse.home)
    (tmp_path / "back").rename(lakehouse.home)
    create()
    assert verify().ok


def test_where_no_event_can_be_written_there_is_no_backup(lakehouse: Lakehouse) -> None:
    trail = trail_here()
    create()
    key = next(trail.folder.glob("audit-*.key"))
    key.unlink()
    trail_here.__globals__["trail_of"].cache_clear()
    with pytest.raises(EventNotRecorded):
        create()
    assert len(lakehouse.files("manifests")) == 1
