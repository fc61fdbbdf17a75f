"""Versions of the lakehouse's Delta tables, and who made them, read from their logs with no JVM.

Source: Delta Transaction Log Protocol, section Commit Provenance Information (``commitInfo``, ``userMetadata``).
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

_LOG = "_delta_log"
_DIGITS = 20


def versions(home: Path) -> dict[str, int]:
    """Return the last version of each table under a lakehouse, by its two-level name."""
    return {
        f"{log.parent.parent.name}.{log.parent.name}": last
        for log in home.glob(f"*/*/{_LOG}")
        if (last := max(_commits(log), default=None)) is not None
    }


def written(home: Path, before: Mapping[str, int], attempt: str) -> dict[str, int]:
    """Return the tables that an attempt has written since these versions, with the last version that is its own."""
    found = {}
    for table, last in versions(home).items():
        log = home.joinpath(*table.split("."), _LOG)
        mine = [v for v in range(last, before.get(table, -1), -1) if _author(log / f"{v:0{_DIGITS}}.json") == attempt]
        if mine:
            found[table] = mine[0]
    return found


def mlflow_runs(home: Path, attempt: str) -> list[str]:
    """Return the ids of the MLflow runs that an attempt has made in the lakehouse's own store."""
    store = home / "mlflow" / "mlflow.db"
    if not store.exists():
        return []
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as connection:
        try:
            sql = "SELECT run_uuid FROM tags WHERE key = 'lakeward.task' AND value = ? ORDER BY run_uuid"
            return [run for (run,) in connection.execute(sql, (attempt,))]
        except sqlite3.OperationalError:  # the store is being made
            return []


def _commits(log: Path) -> list[int]:
    return [int(path.stem) for path in log.glob("*.json") if path.stem.isdigit() and len(path.stem) == _DIGITS]


def _author(commit: Path) -> str | None:
    """Return the attempt that made a commit, if one did."""
    try:
        lines = commit.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # cleaned away since
        return None
    for line in lines:
        if '"commitInfo"' in line:
            return _told(json.loads(line).get("commitInfo", {}))
    return None


def _told(info: Mapping[str, Any]) -> str | None:
    try:
        told = json.loads(info.get("userMetadata") or "{}")
    except ValueError:
        return None
    return told.get("lakeward.task") if isinstance(told, dict) else None
