from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lakeward.jobs.record.record import Record
from lakeward.pages.app import create_app
from lakeward.workspace.lakehouse import add
from lakeward.workspace.tables import Column, Table

TOKEN = "a-token-of-these-tests"
HERE = "http://127.0.0.1"
JOB = """
bundle: {name: small}
resources:
  jobs:
    say:
      name: Say something
      parameters: [{name: text, default: hello}]
      schedule: {quartz_cron_expression: "0 30 7 * * ?", timezone_id: UTC}
      tasks:
        - task_key: it
          spark_python_task: {python_file: say.py, parameters: ["{{job.parameters.text}}"]}
    greet:
      name: Greet
      parameters: [{name: name, default: world}, {name: times, default: "2"}]
      tasks:
        - task_key: it
          notebook_task: {notebook_path: SMALLEST}
"""
PROGRAM = "import sys, time\nprint(sys.argv[1])\ntime.sleep(float(sys.argv[1]) if sys.argv[1][0].isdigit() else 0)\n"
SMALLEST = Path(__file__).parents[2] / "notebooks" / "jobs" / "02_smallest.ipynb"


@pytest.fixture
def record(home: Path) -> Record:
    return Record()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "databricks.yml").write_text(JOB.replace("SMALLEST", str(SMALLEST)))
    (root / "say.py").write_text(PROGRAM)
    return root


@pytest.fixture
def tables(home: Path) -> Sequence[Table]:
    columns = [Column("key", "STRING", "Its key"), Column("picture", "BINARY", "A picture", nullable=True)]
    shown = Table(name="some.things", comment="Things.", columns=columns, key=["key"])
    closed = Table(name="shut.things", comment="Nobody's business.", columns=columns, key=["key"], restricted=True)
    add(shown, [{"key": "a thing", "picture": b"\x89PNG\r\n\x1a\n" + bytes(20)}])
    add(closed, [{"key": "a secret"}])
    return [shown, closed]


@pytest.fixture
def stranger(bundle: Path, record: Record, tables: Sequence[Table]) -> Iterator[TestClient]:
    """Somebody who has no token."""
    app = create_app(lambda: tables, bundle, token=TOKEN)
    with TestClient(app, base_url=HERE, follow_redirects=False) as client:
        yield client


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    """Somebody who has opened the address with the token."""
    stranger.get("/", params={"token": TOKEN})
    return stranger


@pytest.fixture
def send(client: TestClient) -> Callable[..., int]:
    """Send one of the pages' forms, with what makes it one of theirs."""
    from lakeward.pages.tokens import derived

    def send(path: str, **fields: str) -> int:
        return client.post(path, data={"csrf": derived(TOKEN, "csrf"), **fields}).status_code

    return send
