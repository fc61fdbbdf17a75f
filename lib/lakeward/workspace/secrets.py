"""Secrets: from the environment, a file or a Databricks scope; never in settings, parameters or logs."""

import base64
import os
import secrets
from pathlib import Path

from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.settings import on_databricks, settings


class Secret(str):
    """A string that hides itself where it is shown as an object: in a notebook's output, a list, a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('**********')"


def secret(name: str) -> str:
    """Look up a secret.

    Parameters
    ----------
    name : str
        In lower case, for example ``deid_key``.

    Raises
    ------
    MissingSecret
        If it is in none of the three places.
    """
    value = os.environ.get(_variable(name)) or _from_file(name) or _from_scope(name)
    if not value:
        raise MissingSecret(
            f"The secret {name} is in none of its places: the environment ({_variable(name)}), a file "
            f"({settings().secrets_dir or '<LAKEWARD_SECRETS_DIR>'}/{name}), "
            f"a Databricks scope ({settings().secret_scope or '<LAKEWARD_SECRET_SCOPE>'}). Put it into one of them."
        )
    return Secret(value)


def secret_key(name: str, at_least: int = 32) -> bytes:
    """Look up a secret that is a key, written as hex or else as base64.

    Parameters
    ----------
    name : str
        As for `secret`.
    at_least : int
        Fewest bytes that it may have.

    Raises
    ------
    MissingSecret
        If it is in none of its places.
    ConfigurationError
        If it is neither hex nor base64, or too short.
    """
    text = secret(name)
    for decode in (bytes.fromhex, _from_base64):
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) >= at_least:
            return key
    raise ConfigurationError(
        f"The secret {name} is not {at_least} or more bytes as hex or base64. Make one: openssl rand -hex 32"
    )


def make_key(path: Path) -> None:
    """Write a new key of 32 bytes, as hex, into a file that only its owner can read.

    Raises
    ------
    ConfigurationError
        If the file exists, or can't be made.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise ConfigurationError(f"{path} exists: a key is never overwritten. Choose another file.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} can't be made: {error.strerror}. Choose another file.") from None
    path.write_text(secrets.token_hex(32) + "\n")


def _variable(name: str) -> str:
    return f"LAKEWARD_{name.upper()}"


def _from_file(name: str) -> str | None:
    folder = settings().secrets_dir
    return (folder / name).read_text().strip() if folder and (folder / name).is_file() else None


def _from_scope(name: str) -> str | None:
    scope = settings().secret_scope
    if not (scope and on_databricks()):
        return None
    # Only there: elsewhere this import asks for credentials.
    from databricks.sdk.runtime import dbutils

    try:
        return str(dbutils.secrets.get(scope, name))
    except Exception:  # whatever the runtime raises for an unknown scope or key, the answer is the same: not there
        return None


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
