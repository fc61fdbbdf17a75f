"""A workspace on this machine, and nothing else within reach."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import JobSettings

from jobs_api import TOKEN, JobsApi

Create = Callable[[dict[str, Any]], int]


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no connection leave the loopback, and no credential in from outside."""
    connect = socket.socket.connect

    def near(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", f"{address} is not on this machine"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", near)
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "BUNDLE_VAR_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobsApi]:
    server = JobsApi()
    monkeypatch.setenv("DATABRICKS_HOST", server.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    yield server
    server.stop()


@pytest.fixture
def client(api: JobsApi) -> WorkspaceClient:
    return WorkspaceClient()


@pytest.fixture
def created(client: WorkspaceClient) -> Create:
    """Create a job through the official client."""

    def create(settings: dict[str, Any]) -> int:
        job = JobSettings.from_dict(settings)
        number = client.jobs.create(**{name: value for name, value in vars(job).items() if value}).job_id
        assert number is not None
        return number

    return create


@pytest.fixture
def deployed(created: Create) -> Callable[..., int]:
    """Create a job as the CLI does, which says where it keeps what it knows of the deployment."""

    def create(settings: dict[str, Any], target: str = "default", user: str = "somebody@example.org") -> int:
        path = f"/Workspace/Users/{user}/.bundle/b/{target}/state/metadata.json"
        return created({**settings, "deployment": {"kind": "BUNDLE", "metadata_file_path": path}})

    return create


@pytest.fixture
def bundle_of(tmp_path: Path, home: Path) -> Callable[[str], Path]:
    """Write a bundle with one job, `a`, and return its folder."""

    def written(job: str) -> Path:
        folder = tmp_path / "jobs"
        folder.mkdir()
        (folder / "databricks.yml").write_text("bundle: {name: b}\ninclude: ['*.job.yml']\n")
        lines = "".join(f"      {line}\n" for line in dedent(job).strip().splitlines())
        (folder / "a.job.yml").write_text(f"resources:\n  jobs:\n    a:\n{lines}")
        return folder

    return written
