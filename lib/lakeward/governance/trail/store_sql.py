"""What SQLite and PostgreSQL are asked in the same words."""

from collections.abc import Sequence
from typing import Any

from lakeward.governance.trail.catalogue import Kind, kind_of
from lakeward.governance.trail.merkle import Frontier
from lakeward.governance.trail.store import HASH_BYTES, State, Wanted

DERIVED = ("recorded", "recorded"), *((it, f"event.{it}") for it in ("kind", "type", "actor", "object", "id"))
"""Columns that the database derives from an entry's bytes, and where in them: they can't say anything else."""


def condition(wanted: Wanted, by_time: bool) -> tuple[str, dict[str, Any]]:
    """Return the condition of SQL for what is wanted, and its named values."""
    values: dict[str, Any] = {}
    kinds = {*wanted.kinds, *(kind_of(it) for it in wanted.types)} or (set(Kind) if by_time else set())
    conditions = ["1 = 1"]
    if kinds:  # said of types, too, since the index begins with it; the catalogue may not always have had a type
        conditions.append(_among("kind", sorted({*kinds, Kind.OTHER} if wanted.types else kinds), values))
    if wanted.types:
        either = [_among(name, it, values) for name, it in (("type", wanted.types), ("kind", wanted.kinds)) if it]
        conditions.append(f"({' OR '.join(either)})")
    for name, sign, bound in (
        ("actor", "=", wanted.actor or None),
        ("object", "=", wanted.object or None),
        ("id", "=", wanted.id or None),
        ("recorded", ">=", wanted.since or None),
        ("recorded", "<", wanted.until or None),
        ("sequence", ">=", wanted.start),
        ("sequence", "<", wanted.stop),
    ):
        if bound is not None:
            conditions.append(f"{name} {sign} {_named(bound, values)}")
    return " AND ".join(conditions), values


def state_of(vkey: str, size: int, last: bytes, frontier: bytes, head: str) -> State:
    """Return a state from its columns."""
    hashes = [frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)]
    return State(vkey, last, Frontier(size, hashes), head)


def _among(name: str, among: Sequence[str], values: dict[str, Any]) -> str:
    return f"{name} IN ({', '.join(_named(str(it), values) for it in among)})"


def _named(value: Any, values: dict[str, Any]) -> str:
    name = f"v{len(values)}"
    values[name] = value
    return f":{name}"
