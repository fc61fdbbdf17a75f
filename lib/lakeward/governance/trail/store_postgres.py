"""The trail in PostgreSQL, which many machines share.

One writer at a time: it locks the row that tells where the log stands, appends, and lets go with its commit, so the
chain can't fork; an event is acknowledged when the commit has returned, with ``synchronous_commit`` on. A process that
nobody came between appends in one statement, which does nothing if the log has gone on meanwhile. Threads of one
process commit together. Who, what and when are columns that PostgreSQL generates from the bytes that were hashed.

A trigger refuses to change or remove entries but for taking out their bytes, which retention and erasure need. Who owns
the tables can remove the trigger (verification tells), so let the programs connect as another role::

    GRANT USAGE ON SCHEMA audit TO app;
    GRANT SELECT, INSERT ON audit.entries, audit.nodes TO app;
    GRANT SELECT, UPDATE ON audit.state TO app;

and give ``UPDATE (data, payload) ON audit.entries`` only to the role that runs retention and redaction. The owner makes
the tables by the first command that records, such as ``lakeward audit heartbeat``.

What was taken out can't be asked for any more; the server's pages, write-ahead log and backups may hold it until they
are reused, which is up to who runs the server.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from lakeward.governance.trail.errors import NotProven, StoreFailed
from lakeward.governance.trail.store import ALL, BLOCK, Batch, Make, Row, Sealed, State, View, Wanted
from lakeward.governance.trail.store_sql import DERIVED, condition, state_of
from lakeward.governance.trail.together import Together
from lakeward.workspace.errors import Busy, ConfigurationError

_IN_DATA = [(name, "data::jsonb #>> '{%s}'" % path.replace(".", ",")) for name, path in DERIVED]  # noqa: UP031
_SCHEMA = (
    "CREATE SCHEMA IF NOT EXISTS audit",
    f"""CREATE TABLE audit.entries (
        sequence bigint PRIMARY KEY, leaf bytea NOT NULL, data text, payload text,
        {", ".join(f'{name} text COLLATE "C" GENERATED ALWAYS AS ({told}) STORED' for name, told in _IN_DATA)})""",
    "CREATE INDEX by_kind ON audit.entries (kind, recorded)",
    "CREATE INDEX by_actor ON audit.entries (actor, recorded)",
    "CREATE INDEX by_object ON audit.entries USING hash (object)",  # an object may be too long for a tree
    "CREATE TABLE audit.nodes (level smallint, position bigint, hash bytea NOT NULL, PRIMARY KEY (level, position))",
    """CREATE TABLE audit.state (
        one integer PRIMARY KEY CHECK (one = 0), vkey text NOT NULL, size bigint NOT NULL, last bytea NOT NULL,
        frontier bytea NOT NULL, head text NOT NULL)""",
    "INSERT INTO audit.state VALUES (0, '', 0, '', '', '')",
    """CREATE FUNCTION audit.only_take_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.sequence = OLD.sequence AND NEW.leaf = OLD.leaf AND (NEW.data IS NULL OR NEW.data = OLD.data) THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'An entry of the audit trail is neither changed nor removed.';
    END $$""",
    """CREATE TRIGGER only_take_out BEFORE UPDATE OR DELETE ON audit.entries
        FOR EACH ROW EXECUTE FUNCTION audit.only_take_out()""",
    """CREATE TRIGGER never_empty BEFORE TRUNCATE ON audit.entries
        FOR EACH STATEMENT EXECUTE FUNCTION audit.only_take_out()""",
)
_ROWS = "SELECT sequence, leaf, data, payload FROM audit.entries"
_STATE = "SELECT vkey, size, last, frontier, head FROM audit.state"
_MADE = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'audit' AND tablename = 'state')"
_BEGUN = "SELECT EXISTS (SELECT FROM audit.entries) OR EXISTS (SELECT FROM audit.state WHERE head <> '')"
_APPEND = """
    WITH turn AS (
        UPDATE audit.state SET vkey = %s, size = %s, last = %b, frontier = %b, head = %s WHERE head = %s RETURNING 1),
    new AS (
        INSERT INTO audit.entries (sequence, leaf, data, payload)
        SELECT * FROM unnest(%b::bigint[], %b::bytea[], %b::text[], %b::text[]) WHERE EXISTS (SELECT FROM turn)),
    complete AS (
        INSERT INTO audit.nodes
        SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[]) WHERE EXISTS (SELECT FROM turn))
    SELECT count(*) FROM turn"""
"""Append if the log stands where it is thought to; its lists go in binary form, which costs the client least."""

_LIES = " OR ".join(f"{name} IS DISTINCT FROM {told}" for name, told in _IN_DATA)
_SESSION = (
    "-c synchronous_commit=on -c lock_timeout=60s -c idle_in_transaction_session_timeout=60s -c search_path=pg_catalog"
    " -c default_transaction_isolation=read\\ committed"
)
_TOGETHER_BYTES = 8 << 20
_UNKNOWN_TO_TEXT = b"\\u0000"
_Stored = tuple[int, bytes, bytes | None, bytes | None]
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


class PostgresView(View):
    """What one transaction sees."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def state(self) -> State | None:
        """Return where the log stands, None if it was never opened."""
        return _state(self._connection.execute(text(_STATE)).first())

    def rows(self) -> Iterator[list[_Stored]]:
        """Yield all entries in order, in lists of `BLOCK`; each has what a `Row` has."""
        for block in self._streamed(f"{_ROWS} ORDER BY sequence").partitions(BLOCK):
            yield [_row(*row) for row in block]

    def select(self, wanted: Wanted = ALL, by_time: bool = False, limit: int = -1) -> list[Row]:
        """Return the entries that are wanted, by their number in the log or by time."""
        where, values = condition(wanted, by_time)
        order = "recorded, sequence" if by_time else "sequence"
        sql = f"{_ROWS} WHERE {where} ORDER BY {order} LIMIT :limit"
        found = self._connection.execute(text(sql), {**values, "limit": None if limit < 0 else limit})
        return [Row(*_row(*row)) for row in found]

    def times(self, since: str, until: str) -> Iterator[tuple[int, str]]:
        """Yield number and time of the entries that were recorded in a span of time, in their order."""
        where, values = condition(Wanted(since=since, until=until), by_time=False)
        sql = f"SELECT sequence, recorded FROM audit.entries WHERE {where} ORDER BY sequence"
        yield from ((number, recorded) for number, recorded in self._streamed(sql, **values))

    def row_of_nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of the stored inner nodes of a level from one position to before another."""
        sql = """SELECT hash FROM audit.nodes
            WHERE level = :level AND position >= :start AND position < :stop ORDER BY position"""
        found = self._connection.execute(text(sql), {"level": level, "start": start, "stop": stop})
        return [hash_ for (hash_,) in found]

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the hashes of entries."""
        sql = "SELECT leaf FROM audit.entries WHERE sequence >= :start AND sequence < :stop ORDER BY sequence"
        for (leaf,) in self._connection.execute(text(sql), {"start": start, "stop": stop}):
            yield leaf

    def nodes(self) -> dict[tuple[int, int], bytes]:
        """Return the stored inner nodes, by level and position."""
        found = self._connection.execute(text("SELECT level, position, hash FROM audit.nodes"))
        return {(level, place): hash_ for level, place, hash_ in found}

    def _streamed(self, sql: str, **values: Any) -> Any:
        return self._connection.execute(text(sql), values, execution_options={"yield_per": 16 * BLOCK})


class PostgresStore:
    """A trail's database; it holds one trail.

    Parameters
    ----------
    url : URL
        Of SQLAlchemy, with the password in it.
    """

    def __init__(self, url: URL) -> None:
        self._url = _guarded(url)
        self._made: tuple[int, Engine] | None = None
        self._together = Together(_TOGETHER_BYTES)
        self._there = False
        self._last: State | None = None
        self._undisturbed = False

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    # --- reading -----------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether a log was begun here."""
        if not self._there:
            with self._connected() as connection:
                self._there = bool(
                    connection.execute(text(_MADE)).scalar() and connection.execute(text(_BEGUN)).scalar()
                )
        return self._there

    @contextmanager
    def view(self) -> Iterator[PostgresView]:
        """Look at the trail as it is now."""
        with self._connected() as connection:
            seen = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            seen.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield PostgresView(seen)

    def faults(self) -> list[str]:
        """Return whether columns say what the entries don't, and whether what guards the entries is gone."""
        with self._connected() as connection:
            lies = connection.execute(text(f"SELECT sequence FROM audit.entries WHERE {_LIES} ORDER BY 1 LIMIT 10"))
            found = [f"the columns of event {number} don't say what it says" for (number,) in lies]
            sql = """SELECT count(*) FROM pg_trigger WHERE tgrelid = 'audit.entries'::regclass
                AND tgname IN ('only_take_out', 'never_empty') AND tgenabled IN ('O', 'A')"""
            guards = connection.execute(text(sql)).scalar()
        return found if guards == 2 else [*found, "a trigger that guards the entries was removed or disabled"]

    # --- writing -----------------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Make the tables, if they are not there."""
        if self.exists():
            return
        with self._connected() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('lakeward audit'))"))
            if not connection.execute(text(_MADE)).scalar():
                for statement in _SCHEMA:
                    connection.exec_driver_sql(statement)
            connection.commit()

    def append(self, events: Sequence[Sealed], make: Make) -> None:
        """Append events, perhaps together with those of other threads, and return when they outlive a power cut.

        Raises
        ------
        StoreFailed
            If PostgreSQL can't be reached, or refuses: then it is not known whether they are recorded.
        """
        if any(_UNKNOWN_TO_TEXT in event for event, _ in events):
            raise StoreFailed("An event's object or actor has the character NUL, which PostgreSQL can't keep.")
        if events:
            self._together.append(events, lambda waiting: self._write(make, waiting))

    def alone(self, make: Make) -> None:
        """Make a change that nobody else can make."""
        self._together.alone(lambda: self._write(make, []))

    # --- the one who writes ------------------------------------------------------------------------------------------

    def _write(self, make: Make, events: Sequence[Sealed]) -> None:
        """Append; who alone has written of late needs no lock to know where the log stands."""
        last = self._last
        if last and self._undisturbed:
            batch = make(last, events)
            with self._connected() as connection:
                free = connection.execution_options(isolation_level="AUTOCOMMIT")
                if batch is None or (not batch.left and _put(free, last, batch)):
                    self._last = batch.state if batch else last
                    return
        with self._connected() as connection:
            row = connection.exec_driver_sql(f"{_STATE} FOR UPDATE").first()
            if row is None:
                raise NotProven(f"The trail in {self} has lost its head. Run: lakeward audit verify")
            state = _state(row)
            self._undisturbed = bool(state and last and state.head == last.head)
            batch = make(state, events)
            if batch:
                if not _put(connection, state, batch):
                    raise StoreFailed(f"The trail in {self} went on though its row was locked.")
                _take_out(connection, batch.left)
                connection.commit()
        self._last = batch.state if batch else state
        if batch and batch.left:
            with self._connected() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM audit.entries")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection, and PostgreSQL's errors as one of ours, with nothing in it of what was asked."""
        try:
            with self._engine().connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            origin = getattr(error, "orig", None)
            if isinstance(origin, psycopg.errors.LockNotAvailable):
                raise Busy(f"The trail in {self} was being written by others for 60 s. Try again.") from None
            said = getattr(getattr(origin, "diag", None), "message_primary", None) or str(origin or error)
            raise StoreFailed(f"The trail in {self}: {said.splitlines()[0]}") from None

    def _engine(self) -> Engine:
        """The process's pool of connections; a forked child makes its own, and leaves its parent's alone."""
        if self._made is None or self._made[0] != os.getpid():
            if self._made:
                self._made[1].dispose(close=False)
            options = {"options": _SESSION, "connect_timeout": 10, "application_name": "lakeward audit"}
            self._made = (
                os.getpid(),
                create_engine(self._url, hide_parameters=True, pool_pre_ping=True, connect_args=options),
            )
        return self._made[1]


def _put(connection: Connection, before: State | None, batch: Batch) -> bool:
    """Append, which is told: not if the log does not stand any more where it stood before."""
    state = batch.state
    numbers, leaves, data, payloads = zip(*batch.rows, strict=True)
    levels, places, hashes = zip(*batch.nodes, strict=True) if batch.nodes else ((), (), ())
    frontier = b"".join(state.frontier.hashes)
    texts = [it.decode() for it in data], [it.decode() for it in payloads]
    done = connection.exec_driver_sql(
        _APPEND,
        (
            *(state.vkey, state.frontier.size, state.last, frontier, state.head, before.head if before else ""),
            *(list(numbers), list(leaves), *texts),
            *(list(levels), list(places), list(hashes)),
        ),
    )
    return bool(done.scalar())


def _take_out(connection: Connection, left: Mapping[int, bytes | None]) -> None:
    gone = [{"number": number} for number, payload in left.items() if payload is None]
    if gone:
        connection.execute(text("UPDATE audit.entries SET data = NULL, payload = NULL WHERE sequence = :number"), gone)
    stays = [{"number": number, "left": it.decode()} for number, it in left.items() if it is not None]
    if stays:
        connection.execute(text("UPDATE audit.entries SET payload = :left WHERE sequence = :number"), stays)


def _state(row: Any) -> State | None:
    return state_of(*row) if row and row.head else None


def _row(sequence: int, leaf: bytes, data: str | None, payload: str | None) -> _Stored:
    return sequence, leaf, data if data is None else data.encode(), payload if payload is None else payload.encode()


def _guarded(url: URL) -> URL:
    """Ask for an encrypted connection to a server that its certificate vouches for, unless it is this machine."""
    host = url.host or str(url.query.get("host", ""))
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise ConfigurationError("PostgreSQL is reached by postgresql+psycopg://user@host/database.")
    if host in _LOOPBACK or host.startswith("/") or "sslmode" in url.query:
        return url.set(drivername="postgresql+psycopg")
    return url.set(drivername="postgresql+psycopg").update_query_dict(
        {"sslmode": "verify-full", "sslrootcert": "system"}
    )
