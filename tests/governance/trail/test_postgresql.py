"""In PostgreSQL: who may do what, what can be found that was done nevertheless, and what errors say."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from lakeward.governance.trail.errors import NotProven, StoreFailed
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.keeping import erase
from lakeward.governance.trail.store_setting import store_for
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import Verification, verify
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings

pytestmark = pytest.mark.parametrize("audit_store", ["postgresql"], indirect=True)
Make = Callable[..., Event]


@pytest.fixture
def written(trail: Trail, event: Make) -> Trail:
    trail.append(*(event(number) for number in range(300)))
    return trail


@pytest.fixture
def owner(audit_store: str) -> Iterator[Connection]:
    """Who owns the tables, each of whose statements is a transaction."""
    engine = create_engine(make_url(audit_store), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _first(verification: Verification) -> tuple[Fault, int]:
    found = verification.findings[0]
    return found.fault, found.sequence


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit.entries SET leaf = '' WHERE sequence = 7",
        "UPDATE audit.entries SET data = '{}' WHERE sequence = 7",
        "UPDATE audit.entries SET sequence = 1000 WHERE sequence = 7",
        "DELETE FROM audit.entries WHERE sequence = 7",
        "TRUNCATE audit.entries",
    ],
)
def test_entries_are_not_changed_by_their_owner_either(written: Trail, owner: Connection, sql: str) -> None:
    with pytest.raises(DBAPIError, match="neither changed nor removed"):
        owner.execute(text(sql))
    assert verify(written.store).findings == []


@pytest.mark.parametrize(
    ("sql", "fault", "place"),
    [
        ("UPDATE audit.entries SET data = replace(data, 'object-6', 'object-0') WHERE sequence = 7", Fault.EDIT, 7),
        ("UPDATE audit.entries SET payload = upper(payload) WHERE sequence = 7", Fault.EDIT, 7),
        ("UPDATE audit.entries SET data = NULL, payload = NULL WHERE sequence = 7", Fault.DELETION, 7),
        ("DELETE FROM audit.entries WHERE sequence = 7", Fault.DELETION, 7),
        ("DELETE FROM audit.entries WHERE sequence >= 7", Fault.TRUNCATION, 7),
        ("UPDATE audit.entries SET sequence = 1000 WHERE sequence = 7", Fault.REORDER, 7),
        ("INSERT INTO audit.entries SELECT 301, leaf, data, payload FROM audit.entries WHERE sequence = 300",
         Fault.INSERTION, 301),
        ("UPDATE audit.nodes SET hash = ''", Fault.EDIT, 0),
        ("UPDATE audit.state SET head = replace(head, '301', '300')", Fault.SIGNATURE, 300),
        ("UPDATE audit.state SET last = ''", Fault.EDIT, 300),
        ("DELETE FROM audit.state", Fault.DELETION, 0),
    ],
)  # fmt: skip
def test_what_was_done_without_the_trigger_is_found(
    written: Trail, owner: Connection, sql: str, fault: Fault, place: int
) -> None:
    owner.execute(text("ALTER TABLE audit.entries DISABLE TRIGGER ALL"))
    owner.execute(text(sql))
    assert _first(verify(written.store)) == (fault, place)


def test_a_trigger_that_is_gone_is_told(written: Trail, owner: Connection) -> None:
    owner.execute(text("DROP TRIGGER never_empty ON audit.entries"))
    assert "trigger" in verify(written.store).findings[0].detail


def test_a_column_that_hides_an_event_is_told(written: Trail, owner: Connection) -> None:
    owner.execute(text("ALTER TABLE audit.entries DISABLE TRIGGER ALL"))
    owner.execute(text("ALTER TABLE audit.entries ALTER COLUMN kind DROP EXPRESSION"))
    owner.execute(text("UPDATE audit.entries SET kind = 'other' WHERE sequence = 7"))
    owner.execute(text("ALTER TABLE audit.entries ENABLE TRIGGER ALL"))
    assert "columns of event 7" in verify(written.store).findings[0].detail


def test_a_log_that_lost_its_head_is_not_begun_anew(written: Trail, owner: Connection, event: Make) -> None:
    owner.execute(text("DELETE FROM audit.state"))
    with pytest.raises(NotProven, match="lost its head"):
        Trail().append(event())


def test_a_role_that_may_only_append(
    written: Trail, owner: Connection, audit_store: str, event: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sql in (
        "DROP OWNED BY app"
        if owner.execute(text("SELECT FROM pg_roles WHERE rolname = 'app'")).first()
        else "SELECT 1",
        "DROP ROLE IF EXISTS app",
        "CREATE ROLE app LOGIN",
        "GRANT USAGE ON SCHEMA audit TO app",
        "GRANT SELECT, INSERT ON audit.entries, audit.nodes TO app",
        "GRANT SELECT, UPDATE ON audit.state TO app",
    ):
        owner.execute(text(sql))
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", make_url(audit_store).set(username="app").render_as_string())
    settings.cache_clear()
    trail = Trail()
    trail.append(event(300))
    assert verify(trail.store).findings == []
    with pytest.raises(StoreFailed, match="permission denied"):
        erase(trail, "7", ["images"], "Request 17")
    assert verify(trail.store).events == 302


def test_an_event_that_it_cannot_keep_is_refused(written: Trail, event: Make) -> None:
    with pytest.raises(StoreFailed, match="NUL"):
        written.append(event(object="a\0b"))
    written.append(event(reason="a\0b"))
    assert verify(written.store).findings == []


def test_a_password_is_a_secret_and_in_no_error(audit_store: str, event: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE_PASSWORD", "hidden")
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", "postgresql+psycopg://ann@127.0.0.1:1/none")
    settings.cache_clear()
    trail = Trail()
    with pytest.raises(StoreFailed) as failed:
        trail.append(event())
    assert "127.0.0.1" in str(failed.value)
    assert "hidden" not in f"{failed.value} {trail.store}"
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", "postgresql+psycopg://ann:hidden@127.0.0.1:1/none")
    settings.cache_clear()
    with pytest.raises(ConfigurationError) as refused:
        Trail()
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("postgresql://app@db.example.com/audit", "sslmode=verify-full"),
        ("postgresql://app@db.example.com/audit?sslmode=verify-ca", "sslmode=verify-ca"),
        ("postgresql://app@localhost/audit", "localhost/audit"),
    ],
)
def test_another_machine_is_asked_for_its_certificate(
    audit_store: str, address: str, asked: str, monkeypatch: pytest.MonkeyPatch, trail: Trail
) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", address)
    settings.cache_clear()
    assert asked in str(store_for(trail.folder))


def test_a_commit_is_awaited_though_the_server_would_not(written: Trail, owner: Connection, event: Make) -> None:
    owner.execute(text("ALTER ROLE postgres SET synchronous_commit = off"))
    try:
        with Trail().store.view() as view:
            told = view._connection.execute(text("SHOW synchronous_commit")).scalar()
    finally:
        owner.execute(text("ALTER ROLE postgres RESET synchronous_commit"))
    assert told == "on"
