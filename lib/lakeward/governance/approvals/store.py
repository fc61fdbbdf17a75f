"""Requests, what was done to them, and what the aliases were moved to, in SQLite; nothing of it is ever removed."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeward.governance.approvals.errors import RequestRefused, StoreBroken
from lakeward.governance.approvals.evidence import Attached, Kind
from lakeward.governance.approvals.machine import OPEN, Act, State
from lakeward.governance.approvals.policy import DEFAULT, Policy, Risk
from lakeward.governance.approvals.requests import Request
from lakeward.workspace.sqlite import Database
from lakeward.workspace.sqlite import insert as _insert

_SCHEMA = """
CREATE TABLE IF NOT EXISTS policies (
    number INTEGER PRIMARY KEY AUTOINCREMENT, policy TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, version TEXT NOT NULL,
    digest TEXT NOT NULL, risk TEXT NOT NULL, policy TEXT NOT NULL, state TEXT NOT NULL, authors TEXT NOT NULL,
    by TEXT NOT NULL, drafted INTEGER NOT NULL, due INTEGER, emergency TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS of_version ON requests (model, version);
CREATE TABLE IF NOT EXISTS evidence (
    request TEXT NOT NULL, kind TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, by TEXT NOT NULL,
    at INTEGER NOT NULL, PRIMARY KEY (request, kind, sha256)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, act TEXT NOT NULL, state TEXT NOT NULL,
    by TEXT NOT NULL, at INTEGER NOT NULL, record TEXT NOT NULL, details TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS of_request ON acts (request);
CREATE TABLE IF NOT EXISTS moves (
    number INTEGER PRIMARY KEY AUTOINCREMENT, model TEXT NOT NULL, version TEXT, request TEXT NOT NULL,
    what TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS outside (
    move INTEGER NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (move, model, version))
    WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Done:
    """An act, the state after it, and the record as it was then (JSON), which signatures from then are on."""

    act: Act
    state: State
    by: str
    at: int
    record: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Move:
    """What the alias of a model was to be moved to; `version` is None where it was to be taken away.

    Attributes
    ----------
    what : str
        Why: ``promoted``, ``rolled_back`` or ``retired``.
    done : bool
        Whether the alias was moved; if not, who was to move it was killed before.
    """

    number: int
    model: str
    version: str | None
    request: str
    what: str
    by: str
    at: int
    done: bool


class Store:
    """The store of the approvals of a lakehouse: one SQLite file, for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "approvals.sqlite", _SCHEMA)

    # --- policies ----------------------------------------------------------------------------------------------------

    def policy(self) -> Policy:
        """Return the policy in force."""
        rows = self._database.rows("SELECT policy FROM policies ORDER BY number DESC LIMIT 1")
        return _policy(rows[0]["policy"]) if rows else DEFAULT

    def add_policy(self, policy: Policy, by: str, at: int) -> None:
        """Put a policy in force."""
        with self._database.changed() as change:
            _insert(change, "policies", {"policy": policy.model_dump_json(), "by": by, "at": at})

    # --- requests ----------------------------------------------------------------------------------------------------

    def requests(self, model: str | None = None, version: str | None = None) -> list[Request]:
        """Return all requests, those about a model, or those about a version of it, oldest first."""
        given = {name: value for name, value in (("model", model), ("version", version)) if value is not None}
        where = " AND ".join(f"{name} = ?" for name in given) or "1"
        rows = self._database.rows(f"SELECT * FROM requests WHERE {where} ORDER BY number", *given.values())
        return [self._request(row) for row in rows]

    def request(self, id_: str) -> Request:
        """Return a request."""
        return self._request(self._database.rows("SELECT * FROM requests WHERE id = ?", id_)[0])

    def latest(self, model: str, version: str) -> Request:
        """Return the request about a version that is open, else the last one.

        Raises
        ------
        RequestRefused
            If there never was any.
        """
        found = self.requests(model, version)
        if not found:
            raise RequestRefused(f"There is no request about {model} {version}. Begin one: lakeward models draft.")
        return next((it for it in found if it.state in OPEN), found[-1])

    def add(self, request: Request) -> None:
        """Keep a new request."""
        row = {
            "id": request.id,
            "model": request.model,
            "version": request.version,
            "digest": request.digest,
            "risk": request.risk.value,
            "policy": request.policy.model_dump_json(),
            "state": request.state.value,
            "authors": json.dumps(sorted(request.authors)),
            "by": request.by,
            "drafted": request.drafted,
            "emergency": request.emergency,
        }
        with self._database.changed() as change:
            _insert(change, "requests", row)

    def done(self, request: Request, done: Done, **columns: Any) -> Request:
        """Keep what was done to a request, with all that it changed, and return the request as it is then."""
        with self._database.changed() as change:
            self._do(change, request, done, columns)
        return self.request(request.id)

    def attach(self, request: Request, attached: Attached, done: Done) -> Request:
        """Keep what was attached to a request."""
        row = {"request": request.id, "kind": attached.kind.value, "sha256": attached.sha256, "size": attached.size}
        with self._database.changed() as change:
            _insert(change, "evidence", {**row, "by": attached.by, "at": attached.at})
            self._do(change, request, done, {})
        return self.request(request.id)

    def acts(self, request: Request) -> list[Done]:
        """Return what was done to a request, oldest first."""
        sql = "SELECT act, state, by, at, record, details FROM acts WHERE request = ? ORDER BY number"
        return [
            Done(Act(row[0]), State(row[1]), row[2], row[3], row[4], json.loads(row[5]))
            for row in self._database.rows(sql, request.id)
        ]

    # --- the alias ---------------------------------------------------------------------------------------------------

    def moves(self, model: str | None = None) -> list[Move]:
        """Return what the aliases of all models, or of one, were to be moved to, oldest first."""
        where, values = ("model = ?", [model]) if model else ("1", [])
        rows = self._database.rows(f"SELECT * FROM moves WHERE {where} ORDER BY number", *values)
        return [Move(**{**dict(row), "done": bool(row["done"])}) for row in rows]

    def add_move(self, request: Request, done: Done, what: str) -> Move:
        """Keep where an alias is about to be moved, together with the act on the request."""
        version = request.version if done.act is Act.DEPLOY else None
        row = {"model": request.model, "version": version, "request": request.id, "what": what}
        with self._database.changed() as change:
            _insert(change, "moves", {**row, "by": done.by, "at": done.at})
            self._do(change, request, done, {})
        return self.moves(request.model)[-1]

    def finish(self, move: Move) -> None:
        """Keep that an alias was moved."""
        with self._database.changed() as change:
            change.execute("UPDATE moves SET done = 1 WHERE number = ?", (move.number,))

    def outside(self) -> set[tuple[int, str, str]]:
        """Return which aliases were found where no move (0: none at all) had put them: move, model, version."""
        return {(row[0], row[1], row[2]) for row in self._database.rows("SELECT move, model, version FROM outside")}

    def add_outside(self, move: int, model: str, version: str) -> None:
        """Keep that an alias was found elsewhere than a move had put it."""
        with self._database.changed() as change:
            _insert(change, "outside", {"move": move, "model": model, "version": version})

    def _do(self, change: sqlite3.Connection, request: Request, done: Done, columns: Mapping[str, Any]) -> None:
        row = {"request": request.id, "act": done.act.value, "state": done.state.value, "by": done.by, "at": done.at}
        _insert(change, "acts", {**row, "record": done.record, "details": json.dumps(done.details)})
        changed = {"state": done.state.value, **columns}
        sets = ", ".join(f"{name} = ?" for name in changed)
        change.execute(f"UPDATE requests SET {sets} WHERE id = ?", (*changed.values(), request.id))

    def _request(self, row: sqlite3.Row) -> Request:
        sql = "SELECT kind, sha256, size, by, at FROM evidence WHERE request = ? ORDER BY at, kind"
        rows = self._database.rows(sql, row["id"])
        try:
            evidence = tuple(Attached(Kind(it[0]), *it[1:]) for it in rows)
            told: dict[str, Any] = {
                "risk": Risk(row["risk"]),
                "state": State(row["state"]),
                "policy": _policy(row["policy"]),
            }
            authors = frozenset(json.loads(row["authors"]))
        except (ValueError, TypeError):
            raise StoreBroken(f"The request {row['id']} in the store was changed. Restore it from a backup.") from None
        plain = {name: row[name] for name in ("id", "model", "version", "digest", "by", "drafted", "due", "emergency")}
        return Request(**plain, **told, authors=authors, evidence=evidence)


def _policy(text: str) -> Policy:
    try:
        return Policy.model_validate_json(text)
    except ValueError:
        raise StoreBroken("A policy in the store was changed. Restore it from a backup.") from None
