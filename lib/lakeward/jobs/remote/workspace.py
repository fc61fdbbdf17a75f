"""The Databricks workspace that a bundle is deployed to.

What is here was tried against a local server that answers as the Jobs API does, and by hand against the fake workspace
of the Databricks CLI's own tests; never against a real workspace.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakeward.jobs.bundle.bundle import Bundle
from lakeward.workspace.errors import ConfigurationError, LakewardError, PrerequisiteMissing

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

LOG_IN = "log in with: databricks auth login --host https://WORKSPACE (or set DATABRICKS_HOST and DATABRICKS_TOKEN)"
# Advice, and the settings that were found, after what is wrong.
_BESIDE = re.compile(r", please |\. (?:Config|Env): ")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class RemoteFailed(LakewardError):
    """The workspace, or the Databricks CLI, did not do what it was asked."""


def connect(bundle: Bundle) -> "WorkspaceClient":
    """Return a client of the workspace that the bundle's target names, else of the one that the environment names.

    Raises
    ------
    ConfigurationError
        If there are no credentials.
    """
    try:
        from databricks.sdk import WorkspaceClient
    except ModuleNotFoundError:
        raise PrerequisiteMissing(
            "databricks-sdk is not installed. Run make setup, or install lakeward[local]."
        ) from None
    named = {key: str(bundle.workspace[key]) for key in ("host", "profile") if bundle.workspace.get(key)}
    try:
        return WorkspaceClient(**named)  # type: ignore[arg-type]
    except ValueError as error:
        first = _BESIDE.split(str(error))[0]
        raise ConfigurationError(f"No way into a workspace for target {bundle.target}: {first}; {LOG_IN}.") from None


def deploying_user(client: "WorkspaceClient") -> str:
    """Return the name that the CLI takes the user's short name from: a service principal's is what it is shown as."""
    with refusals("asking who you are"):
        user = client.current_user.me()
    name = user.user_name or ""
    return user.display_name or name if _UUID.fullmatch(name) else name


@contextmanager
def refusals(doing: str) -> Iterator[None]:
    """Turn what the workspace refuses into one sentence.

    Raises
    ------
    RemoteFailed
        With what was being done, and the workspace's answer.
    """
    from databricks.sdk.errors import PermissionDenied, Unauthenticated
    from databricks.sdk.errors.base import DatabricksError

    try:
        yield
    except (Unauthenticated, PermissionDenied) as error:
        raise RemoteFailed(f"The workspace refused {doing}: {error}. Check who you are, or {LOG_IN}.") from None
    except DatabricksError as error:
        raise RemoteFailed(f"The workspace failed at {doing}: {error}.") from None
    except (OSError, TimeoutError) as error:
        raise RemoteFailed(f"The workspace was not reached, {doing}: {error}.") from None
