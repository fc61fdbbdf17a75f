"""A backup that is killed is no backup, and the next one makes up for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from backed_up import Lakehouse
from lakeward.governance.backups.create import create
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.verify import verify

KILLED = """
import itertools, os, sys
from lakeward.cli import main
from lakeward.governance.backups.vault import Vault
put, numbers, last = Vault.put, itertools.count(), int(sys.argv[1])
def put_or_die(vault, path, data):
    if path.startswith("chunks/") and next(numbers) == last:
        os.kill(os.getpid(), 9)
    put(vault, path, data)
Vault.put = put_or_die
sys.argv = ["lakeward", "backup", "create"]
main()
"""
"""Begins a backup, and is killed when it has sent so many chunks, or some less that are on their way."""


def test_whenever_it_is_killed_what_counts_is_whole(lakehouse: Lakehouse, tmp_path: Path) -> None:
    for number in range(300):
        (lakehouse.home / f"file-{number}").write_bytes(os.urandom(20_000))
    environment = {**os.environ, "LAKEWARD_HOME": str(lakehouse.home)}
    for sent in (5, 60, 200):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(sent)], env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert lakehouse.files("manifests") == []
    there = len(lakehouse.files("chunks"))
    assert there > 250
    assert create().manifest.sent < (350 - there) * 20_000
    assert lakehouse.files("unfinished") == []
    assert not (lakehouse.home / ".backup").exists()
    assert verify().ok


def test_a_backup_that_was_recorded_and_not_named_yet_is_finished(lakehouse: Lakehouse, tmp_path: Path) -> None:
    create()
    made = create().manifest
    # What a kill leaves right after the event.
    (lakehouse.place / "manifests" / made.id).rename(lakehouse.place / "pending" / made.id)
    assert "it is not there" in verify().findings[0].detail
    create()
    restore(made.id, tmp_path / "back")
    assert verify().ok


def test_a_backup_that_was_not_recorded_does_not_count(lakehouse: Lakehouse) -> None:
    made = create().manifest
    (lakehouse.place / "pending" / "20261101T000000Z").write_bytes(
        (lakehouse.place / "manifests" / made.id).read_bytes()
    )
    create()
    assert "20261101T000000Z" not in [it.name for it in lakehouse.files(".")]
