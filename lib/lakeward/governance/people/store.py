"""People and signatures in SQLite. What was signed stays; a person is never removed, and a name never given again."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeward.governance.people.roles import Role
from lakeward.workspace.sqlite import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    user TEXT PRIMARY KEY, name TEXT NOT NULL, roles TEXT NOT NULL, password TEXT NOT NULL, earlier TEXT NOT NULL,
    sealed_key BLOB NOT NULL, vkey TEXT NOT NULL, sealed_totp BLOB, totp_used INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1, failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0,
    password_set INTEGER NOT NULL, must_change INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (vkey TEXT PRIMARY KEY, user TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signatures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, sha256 TEXT NOT NULL,
    note TEXT NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS signed ON signatures (kind, id);
"""


@dataclass(frozen=True)
class Person:
    """A person; times are seconds since 1970-01-01 UTC.

    Attributes
    ----------
    user : str
        Identity, one of the two components of a signature.
    name : str
        Printed name (21 CFR 11.50(a)(1)).
    vkey : str
        Public key that the person signs with now, as signed notes name it.
    """

    user: str
    name: str
    roles: frozenset[Role]
    password: str
    earlier: tuple[str, ...]
    sealed_key: bytes
    vkey: str
    sealed_totp: bytes | None
    totp_used: int
    active: bool
    failures: int
    locked_until: int
    password_set: int
    must_change: bool


class PeopleStore:
    """The governance store of a lakehouse: one SQLite file, for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "people.sqlite", _SCHEMA)

    def person(self, user: str) -> Person | None:
        """Return a person, None if there is none of that identity."""
        return next(iter(self._people("WHERE user = ?", user)), None)

    def people(self) -> list[Person]:
        """Return all people, also those who are not active any more."""
        return self._people("ORDER BY user")

    def vkeys(self, user: str) -> list[tuple[str, int, int | None]]:
        """Return the public keys that a person has signed with: key, since when, until when."""
        return [tuple(row) for row in self._database.rows("SELECT vkey, since, until FROM keys WHERE user = ?", user)]

    def notes(self, kind: str, id: str) -> list[str]:  # noqa: A002 - the record's own word
        """Return the signatures on a record, of whatever state it was in then, oldest first."""
        sql = "SELECT note FROM signatures WHERE kind = ? AND id = ? ORDER BY number"
        return [row["note"] for row in self._database.rows(sql, kind, id)]

    def add(self, person: Mapping[str, Any], vkey: str, now: int) -> None:
        """Add a person with a first key."""
        with self._database.changed() as change:
            _insert(change, "people", person)
            _insert(change, "keys", {"vkey": vkey, "user": person["user"], "since": now})

    def set(self, user: str, **columns: Any) -> None:
        """Change a person."""
        with self._database.changed() as change:
            _update(change, user, columns)

    def set_key(self, user: str, vkey: str, now: int, **columns: Any) -> None:
        """Give a person another key; the old one stays known for what it has signed."""
        with self._database.changed() as change:
            change.execute("UPDATE keys SET until = ? WHERE user = ? AND until IS NULL", (now, user))
            _insert(change, "keys", {"vkey": vkey, "user": user, "since": now})
            _update(change, user, {"vkey": vkey, **columns})

    def take_code(self, user: str, counter: int) -> bool:
        """Use a one-time code up; False if it, or a later one, was used before."""
        with self._database.changed() as change:
            sql = "UPDATE people SET totp_used = ? WHERE user = ? AND totp_used < ?"
            return change.execute(sql, (counter, user, counter)).rowcount == 1

    def add_signature(self, kind: str, id: str, sha256: str, note: str) -> None:  # noqa: A002
        """Keep a signature."""
        with self._database.changed() as change:
            _insert(change, "signatures", {"kind": kind, "id": id, "sha256": sha256, "note": note})

    def _people(self, rest: str, *values: Any) -> list[Person]:
        return [_person(row) for row in self._database.rows(f"SELECT * FROM people {rest}", *values)]


def _person(row: sqlite3.Row) -> Person:
    plain: dict[str, Any] = dict(row)
    plain |= {"roles": frozenset(map(Role, json.loads(row["roles"]))), "earlier": tuple(json.loads(row["earlier"]))}
    return Person(**plain | {"active": bool(row["active"]), "must_change": bool(row["must_change"])})


def _insert(change: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join("?" * len(row))
    change.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))


def _update(change: sqlite3.Connection, user: str, columns: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{name} = ?" for name in columns)
    change.execute(f"UPDATE people SET {sets} WHERE user = ?", (*columns.values(), user))
