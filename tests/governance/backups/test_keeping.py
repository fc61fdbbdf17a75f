"""How long backups are kept, and who may change their place."""

import json
import os
import time
from pathlib import Path

import pytest

from backed_up import Lakehouse
from lakeward.governance.backups.create import create
from lakeward.governance.backups.errors import BackupDamaged
from lakeward.governance.backups.keeping import due, remove_old
from lakeward.governance.backups.lease import Lease, leased
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.vault import LEASE, vault
from lakeward.governance.backups.verify import verify
from lakeward.governance.trail.errors import Kept
from lakeward.governance.trail.keeping import end_hold, hold
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.errors import Busy


def test_what_is_older_than_its_time_goes_with_what_only_it_needs(lakehouse: Lakehouse, tmp_path: Path) -> None:
    (lakehouse.home / "only-the-first").write_bytes(os.urandom(1000))
    old = create().manifest
    (lakehouse.home / "only-the-first").unlink()
    newer = create(lakehouse.at(50)).manifest
    newest = create(lakehouse.at(100)).manifest
    chunks = len(lakehouse.files("chunks"))
    assert due(lakehouse.at(100)) == [old.id]
    removed, gone = remove_old(lakehouse.at(100))
    assert removed == [old.id]
    assert gone == chunks - len(lakehouse.files("chunks")) >= 1
    assert [it.name for it in lakehouse.files("manifests")] == [newer.id, newest.id]
    # The one before is gone by a recorded event, so nothing is found wrong.
    assert verify(1, lakehouse.at(100)).ok
    restore(newer.id, tmp_path / "newer")
    assert remove_old(lakehouse.at(100)) == ([], 0)


def test_no_chunk_goes_on_the_word_of_a_manifest_that_was_changed(lakehouse: Lakehouse) -> None:
    made = create().manifest
    create()
    manifest = lakehouse.place / "manifests" / made.id
    text = manifest.read_bytes()
    manifest.write_bytes(text.replace(made.key.encode(), b"0" * 16))
    chunks = lakehouse.files("chunks")
    with pytest.raises(BackupDamaged):
        remove_old()
    assert lakehouse.files("chunks") == chunks


def test_the_newest_stays_however_old_it_is(lakehouse: Lakehouse) -> None:
    create()
    assert due(lakehouse.at(1000)) == []


def test_a_legal_hold_keeps_backups_too(lakehouse: Lakehouse) -> None:
    create()
    create(lakehouse.at(100))
    hold(trail_here(), "case-1", "litigation")
    with pytest.raises(Kept, match="case-1"):
        remove_old(lakehouse.at(100))
    assert len(lakehouse.files("manifests")) == 2
    end_hold(trail_here(), "case-1", "settled")
    assert len(remove_old(lakehouse.at(100))[0]) == 1


def test_only_one_changes_a_place_at_a_time(lakehouse: Lakehouse) -> None:
    with leased(vault()), pytest.raises(Busy):
        create()
    create()


@pytest.mark.parametrize(
    ("holder", "until", "busy"), [("elsewhere:/lake", 600, True), ("elsewhere:/lake", -1, False), (None, 600, False)]
)
def test_who_died_or_was_too_slow_loses_the_place(
    lakehouse: Lakehouse, holder: str | None, until: float, busy: bool
) -> None:
    with leased(vault()):
        held = json.loads((lakehouse.place / LEASE).read_text())
    told = {**held, "holder": holder or held["holder"], "token": "theirs", "until": time.time() + until}
    (lakehouse.place / LEASE).write_text(json.dumps(told))
    if busy:
        with pytest.raises(Busy, match="elsewhere:/lake is changing the backups"):
            create()
    else:
        create()
        assert not (lakehouse.place / LEASE).exists()


def test_who_was_overtaken_does_not_go_on(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeward.governance.backups.lease._RENEW_S", 0.0)
    theirs = b'{"holder": "elsewhere", "token": "theirs", "until": 9e9}'
    lease = Lease(vault())
    lease.renew()
    vault().put(LEASE, theirs)
    for act in (lease.renew, lease.end):
        with pytest.raises(Busy, match="taken over"):
            act()
    assert vault().get(LEASE) == theirs
