import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lakeward.jobs.notices import sending
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import Started
from lakeward.workspace.settings import settings
from loopback import Hooks, Mailbox


@pytest.fixture
def configure(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sending, "PAUSES_S", (0.01, 0.02))

    def configured(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"LAKEWARD_{name.upper()}", str(value))
        settings.cache_clear()

    return configured


@pytest.fixture
def mailbox(configure: Callable[..., None]) -> Iterator[Mailbox]:
    mailbox = Mailbox()
    controller = mailbox.serve()
    configure(
        smtp_host="127.0.0.1",
        smtp_port=controller.port,
        smtp_starttls=False,
        smtp_from="lakeward@example.org",
    )
    yield mailbox
    controller.stop()


@pytest.fixture
def hooks(configure: Callable[..., None]) -> Iterator[Hooks]:
    hooks = Hooks()
    thread = Thread(target=hooks.server.serve_forever, args=(0.01,))
    thread.start()
    configure(webhooks=json.dumps({"on-call": hooks.address}))
    yield hooks
    hooks.server.shutdown()
    thread.join()
    hooks.server.server_close()


@pytest.fixture
def run(home: Path) -> Run:
    record = Record()
    run = record.add_run(
        "imaging",
        {"name": "Ingest\nand verify"},
        {"source": "/in/DOE^JANE"},
        target="dev",
        started_by=Started.PERIODIC,
        user="ward",
        provenance={},
    )
    run.folder.mkdir(parents=True)
    return run
