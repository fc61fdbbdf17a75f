"""Who asked for it hears of runs, tasks and tries, from a real run."""

import json
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from lakeward.jobs.notices import finish
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.jobs.runner.runner import Runner
from lakeward.workspace.settings import settings
from loopback import Hooks
from running import order

Write = Callable[..., dict[str, Any]]
EVENTS = ("on_start", "on_success", "on_failure", "on_duration_warning_threshold_exceeded")
ALL: dict[str, Any] = {event: [{"id": "on-call"}] for event in EVENTS}


@pytest.fixture
def hooks(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    hooks = Hooks()
    thread = Thread(target=hooks.server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("LAKEWARD_WEBHOOKS", json.dumps({"on-call": hooks.address}))
    settings.cache_clear()
    yield hooks
    hooks.server.shutdown()
    thread.join()
    hooks.server.server_close()


def _told(hooks: Hooks) -> list[tuple[str, str]]:
    finish()
    return [(told["event_type"], told.get("task", {}).get("task_key", "")) for _, told in hooks.posted]


def test_each_try_is_told_and_how_the_task_and_the_run_end(
    hooks: Hooks, program: Write, run: Callable[..., Run]
) -> None:
    second_time = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); done = p.exists(); p.touch(); assert done"
    flag = str(settings().home / "flag")
    settings().home.mkdir(exist_ok=True)
    run(program("it", second_time, flag, max_retries=1, webhook_notifications=ALL), webhook_notifications=ALL)
    assert _told(hooks) == [
        ("jobs.on_start", ""),
        ("jobs.on_start", "it"),
        ("jobs.on_failure", "it"),
        ("jobs.on_start", "it"),
        ("jobs.on_success", "it"),
        ("jobs.on_success", ""),
    ]


def test_only_the_last_try_is_told_if_so_wished(hooks: Hooks, program: Write, run: Callable[..., Run]) -> None:
    wish = {"notification_settings": {"alert_on_last_attempt": True}}
    run(program("it", "assert False", max_retries=2, webhook_notifications=ALL, **wish))
    assert _told(hooks) == [("jobs.on_start", "it"), ("jobs.on_failure", "it")]


def test_what_takes_too_long_is_told_once(hooks: Hooks, program: Write, run: Callable[..., Run]) -> None:
    slow = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 1}]}
    late = {"on_duration_warning_threshold_exceeded": [{"id": "on-call"}]}
    task = program("it", "import time; time.sleep(3)", health=slow, webhook_notifications=late)
    run(task, health=slow, webhook_notifications=late)
    assert sorted(key for _, key in _told(hooks)) == ["", "it"]


def test_a_repair_of_a_run_of_long_ago_does_not_take_long(hooks: Hooks, record: Record, program: Write) -> None:
    slow = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 60}]}
    late = {"on_duration_warning_threshold_exceeded": [{"id": "on-call"}]}
    job = order(program("it", "import time; time.sleep(1); assert False"), health=slow, webhook_notifications=late)
    runner = Runner(record, job)
    ended = runner.run(runner.start({}))
    record.set_run(ended.run_id, ended.state, started=1_000)
    again = Runner(record, job)
    again.run(again.start_repair(ended.run_id, {}))
    assert _told(hooks) == []


def test_where_nobody_listens_nothing_is_told(hooks: Hooks, program: Write, run: Callable[..., Run]) -> None:
    run(program("it"))
    assert _told(hooks) == []
