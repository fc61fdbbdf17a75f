"""Every kind of tampering, done directly in the store's file, is found and located."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from shutil import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeward.governance.trail import entries
from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.merkle import Frontier, leaf_hash
from lakeward.governance.trail.notes import Checkpoint, Signer, Verifier
from lakeward.governance.trail.store import LEVELS
from lakeward.governance.trail.store_sqlite import SqliteStore
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import Verification, verify
from lakeward.workspace.events import Event

SIZE = 1100
Number = st.integers(0, SIZE - 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trail of 1,100 events: four full blocks of the tree, which are indexed, and what is recent."""
    folder = tmp_path_factory.mktemp("whole")
    events = [
        Event(type="imaging.export.started", object=str(number), reason="asked for", details={"images": number})
        for number in range(SIZE - 1)
    ]
    trail = Trail(folder)
    for start in range(0, SIZE, 50):  # so that some of them are recent still
        trail.append(*events[start : start + 50])
    trail.store.wipe()
    assert verify(trail.store).findings == []
    return folder / "trail.sqlite"


@contextmanager
def _tampered(whole: Path) -> Iterator[tuple[sqlite3.Connection, Callable[..., Verification]]]:
    for left in whole.parent.glob("tampered.sqlite*"):
        left.unlink()
    file = whole.with_name("tampered.sqlite")
    copy(whole, file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection, lambda *given: verify(SqliteStore(file), *given)


def _first(verification: Verification) -> tuple[Fault, int]:
    found = verification.findings[0]
    return found.fault, found.sequence


def _rows(connection: sqlite3.Connection, start: int = 0) -> list[tuple[int, bytes, str, str]]:
    found = []
    for table in ("entries", "recent"):
        sql = f"SELECT sequence, leaf, data, payload FROM {table} WHERE sequence >= ?"
        found += connection.execute(sql, (start,)).fetchall()
    return found


def _put(connection: sqlite3.Connection, rows: list[tuple[int, bytes, str, str]]) -> None:
    """Write entries, each in the table that has one of its number or will have it."""
    (first,) = connection.execute("SELECT min(sequence) FROM recent").fetchone()
    for row in rows:
        table = "entries" if first is None or row[0] < first else "recent"
        connection.execute(f"REPLACE INTO {table} (sequence, leaf, data, payload) VALUES (?, ?, ?, ?)", row)


def _change(connection: sqlite3.Connection, sql: str, *values: object) -> None:
    """Change entries, in whichever of the tables they are."""
    for table in ("entries", "recent"):
        connection.execute(sql.format(table), values)


def _again(row: tuple[int, bytes, str, str], data: str) -> tuple[int, bytes, str, str]:
    """An entry with other bytes, and the hash that fits them."""
    return row[0], leaf_hash(data.encode()), data, row[3]


def _forged(data: str) -> str:
    return data.replace('"process":', '"process":1')


def _tries(count: int) -> Callable[..., object]:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_tries(25)
@given(number=Number, with_hash=st.booleans())
def test_an_edit(whole: Path, number: int, with_hash: bool) -> None:
    with _tampered(whole) as (connection, check):
        row = _rows(connection, number)[0]
        new = _again(row, _forged(row[2]))
        _put(connection, [new if with_hash else (row[0], row[1], *new[2:])])
        assert _first(check()) == (Fault.EDIT, number)


@_tries(10)
@given(number=st.integers(1, SIZE - 1), change=st.sampled_from(["UPPER(payload)", "''", "payload || '~eA'"]))
def test_an_edit_of_reason_or_details(whole: Path, number: int, change: str) -> None:
    with _tampered(whole) as (connection, check):
        _change(connection, f"UPDATE {{}} SET payload = {change} WHERE sequence = ?", number)
        assert _first(check()) == (Fault.EDIT, number)


@_tries(10)
@given(number=st.integers(1, SIZE - 1))
def test_an_erasure_that_nobody_recorded(whole: Path, number: int) -> None:
    with _tampered(whole) as (connection, check):
        parts = entries.parts(_rows(connection, number)[0][3].encode())
        left = entries.SEPARATOR.join([entries.ERASED + entries.digest(parts[0]), *parts[1:]]).decode()
        _change(connection, "UPDATE {} SET payload = ? WHERE sequence = ?", left, number)
        assert _first(check()) == (Fault.DELETION, number)


@_tries(20)
@given(number=st.integers(0, SIZE - 2), count=st.integers(1, 5), renumber=st.booleans())
def test_a_deletion(whole: Path, number: int, count: int, renumber: bool) -> None:
    count = min(count, SIZE - 1 - number)
    with _tampered(whole) as (connection, check):
        _change(connection, "DELETE FROM {} WHERE sequence >= ? AND sequence < ?", number, number + count)
        if renumber:
            rows = _rows(connection, number)
            _change(connection, "DELETE FROM {} WHERE sequence >= ?", number)
            _put(connection, [(row[0] - count, *row[1:]) for row in rows])
        assert _first(check()) == (Fault.DELETION, number)


@_tries(10)
@given(number=Number)
def test_a_deletion_of_the_bytes_alone(whole: Path, number: int) -> None:
    with _tampered(whole) as (connection, check):
        _change(connection, "UPDATE {} SET data = NULL, payload = NULL WHERE sequence = ?", number)
        assert _first(check()) == (Fault.DELETION, number)


@_tries(20)
@given(number=st.integers(1, SIZE - 1), forge=st.booleans())
def test_an_insertion(whole: Path, number: int, forge: bool) -> None:
    """Of an invented event with a fitting link and hash, or of a copy, before an event that moves up."""
    with _tampered(whole) as (connection, check):
        rows = _rows(connection, number)
        new = _again(rows[0], _forged(rows[0][2])) if forge else rows[0]
        _change(connection, "DELETE FROM {} WHERE sequence >= ?", number)
        _put(connection, [new, *[(row[0] + 1, *row[1:]) for row in rows]])
        fault, place = _first(check())
        assert fault is Fault.INSERTION
        assert place == number if forge and number < SIZE - 1 else place in (number, number + 1)


def test_an_insertion_at_either_end(whole: Path) -> None:
    with _tampered(whole) as (connection, check):
        _put(connection, [(-1, *_rows(connection)[0][1:])])
        assert _first(check()) == (Fault.INSERTION, 0)
    with _tampered(whole) as (connection, check):
        last = _rows(connection, SIZE - 1)[0]
        event = entries.sealed(Event(type="imaging.export.started", object="invented"))
        data = entries.entry(event[0], last[1], "2099-01-01T00:00:00.000000Z", SIZE)
        _put(connection, [(SIZE, leaf_hash(data), data.decode(), event[1].decode())])
        assert _first(check()) == (Fault.INSERTION, SIZE)


@_tries(20)
@given(numbers=st.tuples(Number, Number).filter(lambda it: it[0] != it[1]), with_hash=st.booleans())
def test_a_change_of_order(whole: Path, numbers: tuple[int, int], with_hash: bool) -> None:
    with _tampered(whole) as (connection, check):
        one, other = (_rows(connection, number)[0] for number in numbers)
        hashes = (other[1], one[1]) if with_hash else (one[1], other[1])
        _put(connection, [(one[0], hashes[0], *other[2:]), (other[0], hashes[1], *one[2:])])
        assert _first(check()) == (Fault.REORDER, min(numbers))


@_tries(10)
@given(number=Number)
def test_a_truncation(whole: Path, number: int) -> None:
    with _tampered(whole) as (connection, check):
        _change(connection, "DELETE FROM {} WHERE sequence >= ?", number)
        connection.execute("DELETE FROM nodes WHERE (position + 1) * 256 > ?", (number,))
        assert _first(check()) == (Fault.TRUNCATION, number)


def _rewrite(connection: sqlite3.Connection, number: int) -> Frontier:
    """Change an event and all that follows from it but the signature, as one who lacks the private key can."""
    rows = _rows(connection)
    frontier, previous, new = Frontier(), bytes(32), []
    nodes = []
    for row in rows:
        data = row[2]
        if row[0] >= number:
            data = _forged(data) if row[0] == number else data
            cut = data.index('"previous":"') + len('"previous":"')
            data = data[:cut] + previous.hex() + data[cut + 64 :]
        new.append(_again(row, data))
        previous = new[-1][1]
        nodes += [node for node in frontier.add(previous) if node[0] in LEVELS]
    _put(connection, new)
    connection.executemany("REPLACE INTO nodes VALUES (?, ?, ?)", nodes)
    connection.execute("UPDATE state SET last = ?, frontier = ?", (previous, b"".join(frontier.hashes)))
    return frontier


@_tries(10)
@given(number=Number)
def test_another_history_that_is_whole_in_itself(whole: Path, number: int) -> None:
    with _tampered(whole) as (connection, check):
        stored = connection.execute("SELECT last, frontier FROM state").fetchone()
        _rewrite(connection, number)
        fault, place = _first(check())
        assert fault is Fault.FORK
        assert place <= number
        connection.execute("UPDATE state SET last = ?, frontier = ?", stored)
        fault, place = _first(check())
        assert fault is (Fault.EDIT if number == SIZE - 1 else Fault.FORK)
        assert number - 1024 <= place <= number


def test_another_history_that_the_key_signed_is_found_by_an_anchored_head(whole: Path) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        vkey, note = connection.execute("SELECT vkey, head FROM state").fetchone()
    verifier = Verifier.parse(vkey)
    (file,) = whole.parent.glob("*.key")
    signer = Signer(verifier.name, file.read_bytes())
    with _tampered(whole) as (connection, check):
        frontier = _rewrite(connection, 300)
        head = signer.sign(str(Checkpoint(verifier.name, frontier.size, frontier.root())))
        connection.execute("UPDATE state SET head = ?", (head,))
        assert check().findings == []
        assert _first(check([note])) == (Fault.FORK, 0)


def test_a_trail_that_was_rolled_back_is_found_by_an_anchored_head(trail: Trail) -> None:
    trail.append(Event(type="imaging.export.started", object="1"))
    early = trail.folder.with_name("early.sqlite")
    trail.store.wipe()
    copy(trail.store.path, early)
    trail.append(Event(type="imaging.export.started", object="2"))
    with trail.view() as view:
        state = view.state()
    assert state
    assert verify(SqliteStore(early)).findings == []
    assert _first(verify(SqliteStore(early), [state.head])) == (Fault.TRUNCATION, 2)


def test_a_trail_of_another_key_is_found_by_the_key(whole: Path) -> None:
    with _tampered(whole) as (_, check):
        assert _first(check([], Signer("other", bytes(32)).verifier)) == (Fault.FORK, 0)


def test_a_clock_that_stepped_back(trail: Trail, clock: object) -> None:
    event = Event(type="imaging.export.started", object="1")
    trail.append(event)
    trail.append(event)
    clock.at -= timedelta(minutes=5)  # type: ignore[attr-defined]
    trail.append(event)
    trail.append(event)
    findings = verify(trail.store).findings
    assert [(it.fault, it.sequence) for it in findings] == [(Fault.CLOCK, 3)]


@pytest.mark.parametrize(
    ("sql", "fault", "place"),
    [
        ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 8 AND position = 1", Fault.EDIT, 256),
        ("UPDATE state SET head = replace(head, '1100', '1099')", Fault.SIGNATURE, SIZE - 1),
        ("DELETE FROM state", Fault.DELETION, 0),
        ("UPDATE state SET last = zeroblob(32)", Fault.EDIT, SIZE - 1),
        ("UPDATE state SET frontier = zeroblob(128)", Fault.EDIT, SIZE - 1),
        ("UPDATE recent SET sequence = 2000 WHERE sequence = 1099", Fault.EDIT, SIZE - 1),
        ("UPDATE entries SET leaf = zeroblob(32) WHERE sequence = 77", Fault.EDIT, 77),
    ],
)
def test_what_belongs_to_the_log_beside_its_entries(whole: Path, sql: str, fault: Fault, place: int) -> None:
    with _tampered(whole) as (connection, check):
        connection.execute(sql)
        assert _first(check()) == (fault, place)


def test_an_index_that_hides_an_event(whole: Path) -> None:
    with _tampered(whole) as (connection, check):
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = sql || ' WHERE kind <> ''export''' WHERE name = 'by_kind'")
        connection.execute("PRAGMA writable_schema = RESET")
        assert check().findings


def test_a_column_that_says_what_the_entry_does_not(whole: Path) -> None:
    with _tampered(whole) as (connection, check):
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, '$.event.object', '$.event.id')")
        connection.execute("PRAGMA writable_schema = RESET")
        connection.execute("REINDEX")
        assert {it.detail for it in check().findings} >= {"the store's index: recent is declared otherwise than it was"}


def test_what_was_tampered_with_is_not_signed_again(trail: Trail) -> None:
    event = Event(type="imaging.export.started", object="1")
    trail.append(event, event)
    with closing(sqlite3.connect(trail.store.path, isolation_level=None)) as connection:
        _rewrite(connection, 1)
    with pytest.raises(NotProven, match="audit verify"):
        Trail().append(event)


def _content(file: Path) -> object:
    """All that a trail says, None if SQLite can't read it."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            found = [
                connection.execute(f"SELECT {columns} FROM {table} NOT INDEXED").fetchall()
                for table, columns in [
                    ("entries", "sequence, leaf, CAST(data AS BLOB), CAST(payload AS BLOB)"),
                    ("recent", "sequence, leaf, CAST(data AS BLOB), CAST(payload AS BLOB)"),
                    ("state", "size, last, frontier, CAST(head AS BLOB)"),
                ]
            ]
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return found


@_tries(60)
@given(place=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_a_flipped_bit_of_the_file_is_found_if_it_changes_anything(whole: Path, place: int, bit: int) -> None:
    file = whole.with_name("flipped.sqlite")
    data = bytearray(whole.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)
    assert verify(SqliteStore(file)).findings or _content(file) == _content(whole)
