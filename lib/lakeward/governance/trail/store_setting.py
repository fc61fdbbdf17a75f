"""Which store a trail is kept in, as the setting ``audit_store`` tells."""

from pathlib import Path

from lakeward.governance.trail.store import Store
from lakeward.governance.trail.store_sqlite import SqliteStore
from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.secrets import secret
from lakeward.workspace.settings import settings

_FORMS = "postgresql+psycopg://user@host/database or cosmos://account.documents.azure.com/database/container"


def store_for(folder: Path) -> Store:
    """Return the store of a trail: what the setting ``audit_store`` names, else a file of SQLite in the folder.

    Passwords and keys are secrets, ``audit_store_password`` and ``audit_store_key``; without them PostgreSQL is asked
    as its own means allow (a certificate, a file of passwords), and Cosmos DB by the identity of the machine or user.

    Raises
    ------
    ConfigurationError
        If the setting is not of one of the forms that there are, or has a password in it.
    """
    address = settings().audit_store
    if not address:
        return SqliteStore(folder / "trail.sqlite")
    scheme = address.partition("://")[0]
    if scheme in ("postgresql", "postgresql+psycopg"):
        return _postgres(address)
    if scheme == "cosmos":
        return _cosmos(address)
    raise ConfigurationError(f"The setting audit_store must be empty, or be {_FORMS}.")


def _postgres(address: str) -> Store:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from lakeward.governance.trail.store_postgres import PostgresStore

    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigurationError(f"The setting audit_store can't be read: it must be {_FORMS}.") from None
    if url.password or "password" in url.query:
        raise ConfigurationError(
            "There is a password in the setting audit_store. Put it into a secret: audit_store_password"
        )
    return PostgresStore(url.set(password=_secret("audit_store_password")))


def _cosmos(address: str) -> Store:
    from urllib.parse import urlsplit

    from lakeward.governance.trail.store_cosmos import CosmosStore

    parts = urlsplit(address)
    names = parts.path.strip("/").split("/")
    if not parts.hostname or "@" in parts.netloc or len(names) != 2 or not all(names):
        raise ConfigurationError(f"The setting audit_store can't be read: it must be {_FORMS}.")
    key = _secret("audit_store_key")
    if key is None:
        from azure.identity import DefaultAzureCredential

    return CosmosStore(f"https://{parts.netloc}/", names[0], names[1], key or DefaultAzureCredential())


def _secret(name: str) -> str | None:
    try:
        return secret(name)
    except MissingSecret:
        return None
