"""People and signatures in SQLite. What was signed stays; a person is never removed, and a name never given again."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeward.governance.people.errors import PersonRefused, StoreDamaged
from lakeward.governance.people.roles import Role
from lakeward.governance.trail.notes import Signer
from lakeward.workspace.locks import exclusive
from lakeward.workspace.sqlite import Database
from lakeward.workspace.sqlite import insert as _insert

_PERSON = """(
    user TEXT PRIMARY KEY, name TEXT NOT NULL, account TEXT UNIQUE, confirmed TEXT, roles TEXT NOT NULL,
    password TEXT NOT NULL, earlier TEXT NOT NULL,
    sealed_key BLOB NOT NULL, vkey TEXT NOT NULL, sealed_totp BLOB, totp_used INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1, failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0,
    password_set INTEGER NOT NULL, must_change INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS people {_PERSON};
CREATE TABLE IF NOT EXISTS underway {_PERSON.replace("UNIQUE", "")};
CREATE TABLE IF NOT EXISTS signatures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, sha256 TEXT NOT NULL,
    note TEXT NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS signed ON signatures (kind, id);
"""
_COUNTS = ("user", "failures", "locked_until", "totp_used")
"""What goes on meanwhile."""


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
    account : str or None
        The person's object id in Entra ID, whose tokens let them in.
    confirmed : str or None
        Who has confirmed that the key is this very person's.
    signer : Signer or None
        The key itself, of somebody who has just come in by their password; it is nowhere else.
    """

    user: str
    name: str
    roles: frozenset[Role]
    password: str
    sealed_key: bytes
    vkey: str
    password_set: int
    must_change: bool
    earlier: tuple[str, ...] = ()
    account: str | None = None
    confirmed: str | None = None
    sealed_totp: bytes | None = None
    totp_used: int = 0
    active: bool = True
    failures: int = 0
    locked_until: int = 0
    signer: Signer | None = field(default=None, repr=False, compare=False)


class PeopleStore:
    """The governance store of a lakehouse: one SQLite file, in a folder for its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = Database(folder / "people.sqlite", _SCHEMA)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else change people meanwhile; what is kept for `settle` would be another's.

        Raises
        ------
        Busy
            If another does so for a minute; the message names the process.
        """
        with exclusive(self._folder / "people.lock"):
            yield

    def person(self, user: str) -> Person | None:
        """Return a person, None if there is none of that identity."""
        return next(iter(self._people("WHERE user = ?", user)), None)

    def owner(self, account: str) -> Person | None:
        """Return the person who has an account in Entra ID, None if nobody has."""
        return next(iter(self._people("WHERE account = ?", account)), None)

    def people(self) -> list[Person]:
        """Return all people, also those who are not active any more."""
        return self._people("ORDER BY user")

    def notes(self, kind: str, id: str) -> list[str]:  # noqa: A002 - the record's own word
        """Return the signatures on a record, of whatever state it was in then, oldest first."""
        sql = "SELECT note FROM signatures WHERE kind = ? AND id = ? ORDER BY number"
        return [row["note"] for row in self._database.rows(sql, kind, id)]

    def add(self, person: Person, check: Callable[[], object], tell: Callable[[Person], object]) -> None:
        """Add a person, and then tell of them: told of first, whom a kill left out here could never be added again.

        Until then the row is nobody's, since the trail knows no such person: the next who is added under the name takes
        its place.

        Raises
        ------
        PersonRefused
            If another has just added somebody under the name.
        """
        with self._database.changed() as change:
            check()
            change.execute("DELETE FROM people WHERE user = ?", (person.user,))
            _insert(change, "people", _columns(vars(person)))
        with self._database.changed():
            if self.person(person.user) != person:
                raise PersonRefused(f"Another has just added {person.user} too.")
            tell(person)

    def change(self, user: str, tell: Callable[[Person], object], **fields: Any) -> None:
        """Change a person, who is told of before others see the change; nothing is changed if that fails.

        What they are to be is kept before that, for `settle`; whoever changes is `alone`.
        """
        columns = _columns(fields)
        with self._database.changed() as change:
            change.execute("INSERT OR REPLACE INTO underway SELECT * FROM people WHERE user = ?", (user,))
            _update(change, "underway", user, columns)
        with self._database.changed() as change:
            _update(change, "people", user, columns)
            row = _row(change, "people", user)
            if row is None:
                raise StoreDamaged(f"{user} is gone from the store. Restore it from a backup.")
            tell(_person(row))
            change.execute("DELETE FROM underway WHERE user = ?", (user,))

    def settle(self, user: str, is_told: Callable[[Person], bool]) -> None:
        """End a change that was cut short, by who is `alone`: it is made if it was told of, and else forgotten."""
        with self._database.changed() as change:
            if (row := _row(change, "underway", user)) and is_told(_person(row)):
                kept = {name: value for name, value in dict(row).items() if name not in _COUNTS}
                _update(change, "people", user, kept)
            change.execute("DELETE FROM underway WHERE user = ?", (user,))

    def count_try(self, user: str, now: int) -> int | None:
        """Count a try to come in before it is judged, and return how many that makes; None if the person is locked out.

        Counted afterwards, as many passwords could be tried as processes start at once.
        """
        with self._database.changed() as change:
            sql = "UPDATE people SET failures = failures + 1 WHERE user = ? AND locked_until <= ? RETURNING failures"
            row = change.execute(sql, (user, now)).fetchone()
            return row and int(row[0])

    def end_tries(self, user: str) -> None:
        """Count from 0 again, since somebody came in."""
        with self._database.changed() as change:
            change.execute("UPDATE people SET failures = 0 WHERE user = ?", (user,))

    def lock_out(self, user: str, now: int, until: int, tell: Callable[[], object]) -> None:
        """Lock somebody out, who is told of, unless another has just done it; then count from 0 again."""
        with self._database.changed() as change:
            sql = "UPDATE people SET failures = 0, locked_until = ? WHERE user = ? AND locked_until <= ?"
            if change.execute(sql, (until, user, now)).rowcount:
                tell()

    def take_code(self, user: str, counter: int) -> bool:
        """Use a one-time code up; False if it, or a later one, was used before."""
        with self._database.changed() as change:
            sql = "UPDATE people SET totp_used = ? WHERE user = ? AND totp_used < ?"
            return change.execute(sql, (counter, user, counter)).rowcount == 1

    def add_signature(self, kind: str, id: str, sha256: str, note: str, tell: Callable[[], object]) -> None:  # noqa: A002
        """Keep a signature, which is told of before others see it."""
        with self._database.changed() as change:
            _insert(change, "signatures", {"kind": kind, "id": id, "sha256": sha256, "note": note})
            tell()

    def all_notes(self) -> list[str]:
        """Return all signatures, oldest first."""
        return [row["note"] for row in self._database.rows("SELECT note FROM signatures ORDER BY number")]

    def _people(self, rest: str, *values: Any) -> list[Person]:
        return [_person(row) for row in self._database.rows(f"SELECT * FROM people {rest}", *values)]


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: json.dumps(sorted(fields[name])) for name in ("roles",) if name in fields}
    lists |= {name: json.dumps(fields[name]) for name in ("earlier",) if name in fields}
    return {name: value for name, value in {**fields, **lists}.items() if name != "signer"}


def _person(row: sqlite3.Row) -> Person:
    plain: dict[str, Any] = dict(row)
    try:
        plain |= {"roles": frozenset(map(Role, json.loads(row["roles"]))), "earlier": tuple(json.loads(row["earlier"]))}
    except (ValueError, TypeError):
        raise StoreDamaged(f"The store's entry of {row['user']} is damaged. Restore it from a backup.") from None
    return Person(**plain | {"active": bool(row["active"]), "must_change": bool(row["must_change"])})


def _row(change: sqlite3.Connection, table: str, user: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = change.execute(f"SELECT * FROM {table} WHERE user = ?", (user,)).fetchone()
    return found


def _update(change: sqlite3.Connection, table: str, user: str, columns: Mapping[str, Any]) -> None:
    sets = ", ".join(f"{name} = ?" for name in columns)
    change.execute(f"UPDATE {table} SET {sets} WHERE user = ?", (*columns.values(), user))
