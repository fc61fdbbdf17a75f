"""Who may see the pages, and what can't be done with them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle, Started
from lakeward.pages.app import create_app
from lakeward.workspace.tables import Table
from past_runs import add_task, failed, succeeded

TOKEN = "a-token-of-these-tests"
PAGES = ["/jobs", "/jobs/say", "/jobs/greet/run", "/runs", "/runs/1", "/runs/1/tasks/ingest", "/catalog",
         "/catalog/some.things"]  # fmt: skip


@pytest.mark.parametrize("path", [*PAGES, "/runs/1/log", "/nowhere"])
@pytest.mark.parametrize("token", ["", "wrong", "ä"])
def test_nothing_is_told_without_the_token(stranger: TestClient, record: Record, path: str, token: str) -> None:
    failed(record)
    answer = stranger.get(path, params={"token": token} if token else None)
    assert answer.status_code == 403
    assert "imaging" not in answer.text


def test_the_token_becomes_a_cookie_and_leaves_the_address(stranger: TestClient) -> None:
    answer = stranger.get("/jobs", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    cookie = answer.headers["set-cookie"]
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    assert TOKEN not in cookie
    assert stranger.get("/jobs").status_code == 200


def test_other_names_of_this_machine_are_refused(client: TestClient) -> None:
    assert client.get("/jobs", headers={"host": "attacker.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/jobs/say/run", "/jobs/say/pause", "/runs/1/repair", "/runs/1/cancel"])
def test_a_form_from_elsewhere_changes_nothing(client: TestClient, record: Record, path: str) -> None:
    assert client.post(path, data={"csrf": "guessed", "paused": "true"}).status_code == 403
    assert client.post(path).status_code == 403
    assert client.get(path).status_code in (404, 405) or path.endswith("/run")
    assert record.runs() == []
    assert record.job("say").paused is None


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_no_script_but_its_own_and_loads_nothing_from_elsewhere(
    client: TestClient, record: Record, path: str
) -> None:
    succeeded(record)
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " onclick=" not in answer.text
    assert " style=" not in answer.text
    assert 'src="http' not in answer.text.replace('src="http://127.0.0.1', "")


def test_an_archived_notebook_is_shut_in(client: TestClient, record: Record) -> None:
    run = failed(record)
    alone = client.get(f"/runs/{run}/tasks/ingest/notebook?attempt=0")
    assert alone.status_code == 200
    assert alone.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    framed = client.get(f"/runs/{run}/tasks/ingest/notebook?attempt=0", headers={"sec-fetch-dest": "iframe"})
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert 'sandbox="allow-scripts"' in client.get(f"/runs/{run}/tasks/ingest").text


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../../etc/passwd/log",
        "/runs/1/tasks/..%2f..%2f..%2fetc/notebook?attempt=0",
        "/runs/1/tasks/ingest/notebook?attempt=..%2f..%2fsecret",
        "/runs/1%2f..%2f..%2fsecret/log",
        "/static/..%2fsecurity.py",
        "/static/%2e%2e/security.py",
        "/catalog/..%2f..%2fevents",
    ],
)
def test_no_path_leads_out_of_the_archives(client: TestClient, record: Record, path: str) -> None:
    failed(record)
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text
    assert "import" not in answer.text


@pytest.mark.parametrize("name", ["log.txt", "notebook.html"])
def test_a_link_out_of_the_archives_is_not_followed(
    client: TestClient, record: Record, tmp_path: Path, name: str
) -> None:
    run = record.run(failed(record))
    (tmp_path / "secret").write_text("a secret")
    for place in (run.folder / "log.txt", record.attempt_folder(run.run_id, "ingest", None, 0) / name):
        place.unlink()
        place.symlink_to(tmp_path / "secret")
    for path in ("", "/log", "/tasks/ingest", "/tasks/ingest/notebook?attempt=0"):
        assert "a secret" not in client.get(f"/runs/{run.run_id}{path}").text


def test_a_form_that_is_too_large_is_not_read(send: Callable[..., int]) -> None:
    assert send("/jobs/say/run", text="x" * 2_000_000) == 413


def test_rows_of_a_restricted_table_are_not_for_a_page(client: TestClient) -> None:
    assert "a thing" in client.get("/catalog/some.things").text
    shut = client.get("/catalog/shut.things").text
    assert "restricted" in shut
    assert "a secret" not in shut


MARKUP = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{7*7}}"


def test_markup_in_whatever_is_shown_stays_text(client: TestClient, record: Record, bundle: Path) -> None:
    settings = {"name": MARKUP, "tags": {MARKUP: MARKUP}, "tasks": [{"task_key": "it"}]}
    origin = {"started_by": Started.ONE_TIME, "user": MARKUP, "provenance": {"git_commit": MARKUP}}
    run = record.add_run(MARKUP, settings, {MARKUP: MARKUP}, target=MARKUP, **origin)
    state = State(LifeCycle.RUNNING, message=MARKUP)
    add_task(record, run, MARKUP.replace("/", ""), state, start=0, took=5, value=MARKUP)
    record.set_values(run.run_id, "it", None, {MARKUP: MARKUP})
    record.set_run(run.run_id, State(LifeCycle.INTERNAL_ERROR, message=MARKUP), ended=5)
    (run.folder / "log.txt").write_text(MARKUP)
    for path in ("/jobs", "/runs", f"/runs/{run.run_id}", f"/runs/{run.run_id}/tasks/it"):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "'49" not in text
    assert "&lt;script&gt;alert(1)" in client.get(f"/runs/{run.run_id}").text


def test_a_defect_does_not_tell_what_it_came_from(
    bundle: Path, record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Table]:
        raise ValueError("Doe^Jane")

    with TestClient(create_app(broken, bundle, token=TOKEN), base_url="http://127.0.0.1") as client:
        answer = client.get("/catalog", params={"token": TOKEN})
    told = capsys.readouterr()
    assert answer.status_code == 500
    assert "ValueError" in answer.text
    assert "in broken" in told.err
    assert "Doe" not in answer.text + told.out + told.err
