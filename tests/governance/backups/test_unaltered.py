"""The report compares the tables with the last verified backup."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backed_up import Lakehouse
from lakeward.governance.backups.create import create
from lakeward.governance.backups.verify import verify
from lakeward.governance.reports.checks.all import run
from lakeward.governance.reports.checks.check import Proof, Result
from lakeward.governance.reports.stores import Period, Stores


def _proof() -> Proof:
    now = datetime.now(UTC)
    return run(Stores(Period(now.date() - timedelta(days=1), now.date()), now))["tables_unaltered"]


def _altered(file: Path) -> None:
    """Change a byte and put its time back, as somebody would who does not want it seen."""
    content, was = file.read_bytes(), file.stat()
    file.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def _unreadable(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [_altered, Path.unlink, _unreadable])
def test_tables_are_held_against_the_last_verified_backup(lakehouse: Lakehouse, damage: Callable[[Path], None]) -> None:
    file = next((lakehouse.home / "imaging" / "images").glob("*.parquet"))
    create()
    assert _proof().result is Result.NONE, "it was not verified"
    assert verify().ok
    lakehouse.write("imaging.images", 5)
    proof = _proof()
    assert (proof.result, "0 of them altered" in proof.detail) == (Result.MET, True), proof.detail
    damage(file)
    assert _proof().result is Result.NOT_MET
