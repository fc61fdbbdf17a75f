"""Checks of backups: whether they are made, and whether they would bring anything back."""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from lakeward.governance.backups.delta import fixed
from lakeward.governance.backups.errors import Changed
from lakeward.governance.backups.known import CREATED, FAILED, known, without
from lakeward.governance.backups.parallel import each
from lakeward.governance.backups.restore import read
from lakeward.governance.backups.sealing import CHUNK, backup_keys
from lakeward.governance.backups.vault import vault
from lakeward.governance.backups.verify import VERIFIED
from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores, Told
from lakeward.workspace.settings import settings


@check("A backup was made on each day, from the first backup of all on.")
def backups_daily(stores: Stores) -> Seen:
    """Look for days of the period, up to yesterday, with no backup, as `lakeward backup verify` does."""
    ever = stores.ever(CREATED)
    if not ever:
        return nothing("No backup was ever made.")
    since = _day(ever[0])
    days = [day for day in stores.period.days(stores.now) if day >= since]
    if not days:
        return nothing("No day is over since the first backup.")
    told = stores.of(CREATED, VERIFIED, FAILED)
    made = {_day(it) for it, after in zip_longest(told, told[1:]) if it["type"] == CREATED and not _broke(after)}
    missing = without(days, made, since)
    counted = f"{len(days) - len(missing)} of {len(days)} days have a backup"
    detail = f"{counted}; the first of all was made on {since}"
    gone = [day.isoformat() for day in missing]
    return seen(not missing, detail, days=len(days), since=since.isoformat(), missing=gone)


@check("What a table uses, and the last verified backup has, is still as it was then: no file was altered or removed.")
def tables_unaltered(stores: Stores) -> Seen:
    """Compare the hashes of the tables' files with those in the manifest that the trail tells of; reads them all."""
    verified = [it for it in stores.ever(VERIFIED) if it["outcome"] == "success" and it["object"] != "backup/none"]
    if not verified:
        return nothing("No backup was ever verified.")
    id_ = verified[-1]["object"].removeprefix("backup/")
    manifest, digest = read(vault(), backup_keys(), id_)
    if known().vouched.get(id_) != digest:
        return nothing(f"The manifest of the backup {id_} is not the one that the audit trail tells of.")
    was = {item.path: item.digests for item in manifest.items}
    found = {table.path: _unlike(table.path, was) for table in manifest.tables}
    wrong = {path: unlike for path, (_, unlike) in found.items() if unlike}
    files = {path: count for path, (count, _) in found.items()}
    compared = f"{many(sum(files.values()), 'file')} of {many(len(files), 'table')} compared with the backup {id_}"
    detail = f"{compared}, {sum(wrong.values())} of them altered or gone"
    return seen(not wrong, detail, backup=id_, manifest=digest, files=files, wrong=wrong)


def _unlike(path: str, was: Mapping[str, list[str]]) -> tuple[int, int]:
    """Return how many files of a table are in a backup, and how many of these are not as they were."""
    home = settings().home
    try:
        _, files = fixed(home / path, path)
    except (Changed, OSError):
        return 1, 1  # its log can't be read
    shared = [it for it in files if it.relative_to(home).as_posix() in was]
    same = each(lambda file: _digests(file) == was[file.relative_to(home).as_posix()], shared)
    return len(shared), sum(not it for it in same)


def _digests(file: Path) -> list[str]:
    """Return the hash of each chunk, as a manifest has them; no hash for a file that is gone, or can't be read."""
    try:
        with file.open("rb") as opened:
            return [sha256(chunk).hexdigest() for chunk in iter(lambda: opened.read(CHUNK), b"")]
    except OSError:
        return ["gone"]


def _day(event: Told) -> date:
    return date.fromisoformat(event["recorded"][:10])


def _broke(after: Told | None) -> bool:
    """Whether what comes after the event of a backup, which is recorded before it is done, says that it failed."""
    return after is not None and after["type"] == FAILED and after["object"] == "backup"


@check("Backups were verified by restoring them in the period, and the last verification found nothing wrong.")
def backups_verified(stores: Stores) -> Seen:
    """Look at the period's verifications and failures."""
    if not stores.ever(CREATED, VERIFIED, FAILED):
        return nothing("No backup was ever made.")
    tried = stores.of(VERIFIED, FAILED)
    good = [it["sequence"] for it in tried if it["type"] == VERIFIED and it["outcome"] == "success"]
    bad = [it["sequence"] for it in tried if it["sequence"] not in good]
    holds = bool(good) and max(good) > max(bad, default=-1)
    return seen(holds, f"{len(good)} verified, {len(bad)} failed", verified=good, failed=bad)
