"""The trigger that new data in Delta tables are, told from their logs alone.

Source: Delta transaction log protocol: a commit is ``_delta_log/<version with 20 digits>.json``, an action a line.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from lakeward.jobs.bundle.job import TableUpdate
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.trigger import Cursor, Look, rested
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import settings

_COMMIT = re.compile(r"(\d{20})\.json")


class Updates:
    """New data in any or in all of some tables; a commit that only rearranges files, such as OPTIMIZE's, is none."""

    started_by = Started.TABLE
    every_ms = 10_000
    remembers = True

    def __init__(self, wanted: TableUpdate) -> None:
        self._wanted = wanted
        self._logs = {name: _log(name) for name in wanted.table_names}

    def look(self, cursor: Cursor, last_fired: int | None, now: int) -> Look:
        """Fire once for all updates since the last look that fired."""
        there = {name: _versions(log) for name, log in self._logs.items()}
        newest = {name: max(versions, default=-1) for name, versions in there.items()}
        known: Mapping[str, int] = cursor.get("versions", {})
        if set(known) != set(newest):
            return Look({"versions": newest})
        updated = [name for name in newest if self._has_new_data(name, known[name], there[name])]
        enough = len(updated) == len(newest) if self._wanted.condition == "ALL_UPDATED" else bool(updated)
        changed = max((there[name][newest[name]] for name in updated), default=0)
        quiet = rested(self._wanted.wait_after_last_change_seconds, changed, now)
        if enough and quiet and rested(self._wanted.min_time_between_triggers_seconds, last_fired, now):
            return Look({"versions": newest}, now)
        return Look(cursor)

    def _has_new_data(self, name: str, known: int, versions: Mapping[int, int]) -> bool:
        # A table that was made anew starts again from version 0.
        since = -1 if max(versions, default=-1) < known else known
        unread = sorted(version for version in versions if version > since)
        # Commits that the log no longer has may have been any.
        gone = bool(unread) and unread[0] > since + 1
        return gone or any(_changes_data(self._logs[name], version) for version in unread)


def _log(name: str) -> Path:
    parts = name.split(".")
    if len(parts) not in (2, 3) or any(not re.fullmatch(r"\w+", part) for part in parts):
        raise ConfigurationError(
            f"{name!r} is no table: write area and table, imaging.images, or a catalog before them."
        )
    # The local lakehouse is one catalog, whatever its name elsewhere.
    return settings().home.joinpath(*parts[-2:], "_delta_log")


def _versions(log: Path) -> dict[int, int]:
    """Return the commits that are still in the log, each with its time in milliseconds; none if there is no table."""
    if not log.is_dir():
        return {}
    found = ((_COMMIT.fullmatch(path.name), path) for path in log.iterdir())
    return {int(match[1]): path.stat().st_mtime_ns // 1_000_000 for match, path in found if match}


def _changes_data(log: Path, version: int) -> bool:
    with (log / f"{version:020}.json").open(encoding="utf-8") as commit:
        return any(
            action.get(kind, {}).get("dataChange") for action in map(json.loads, commit) for kind in ("add", "remove")
        )
