"""What the pages show, and what they do when asked."""

import re
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from fastapi.testclient import TestClient

from lakeward.imaging.pixels.tiff import encode_frame
from lakeward.jobs.bundle.bundle import load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Failure, State
from lakeward.jobs.record.states import LifeCycle, Result
from lakeward.jobs.runner.truth import claim
from lakeward.pages.pictures import picture
from past_runs import ENDS, FAILED, FAILURE, add_run, add_task, failed, fill, running, succeeded

WORDS = ["Succeeded", "Failed", "Timed out", "Canceled", "Skipped", "Succeeded with failures"]
Send = Callable[..., int]


def _until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def test_every_end_of_a_run_has_its_word(client: TestClient, record: Record) -> None:
    for state in ENDS:
        add_run(record, state)
    shown = client.get("/runs").text
    assert all(word in shown for word in WORDS)
    assert "somebody" not in client.get("/runs?state=ok&job=nothing").text


def test_runs_can_be_picked_by_job_and_state(client: TestClient, record: Record) -> None:
    fill(record)
    for state, word in (("failed", "Failed"), ("canceled", "Canceled")):
        rows = re.findall(r"<tr>.*?</tr>", client.get(f"/runs?state={state}").text, re.DOTALL)[1:]
        assert rows
        assert all(word in row for row in rows)
    assert "Training, gone" in client.get("/runs?job=training").text


def test_older_runs_are_offered_if_there_are_any(client: TestClient, record: Record) -> None:
    runs = [add_run(record, ENDS[number % 51 == 0]).run_id for number in range(102)]  # the first and the 52nd failed
    offered = re.compile(r'before=(\d+)">Older runs')
    for address, pages in (("/runs?", 3), ("/runs?state=ok", 2), ("/runs?state=failed", 1), ("/runs?job=nothing", 1)):
        seen: list[int] = []
        before = ""
        for number in range(pages):
            shown = client.get(f"{address}&before={before}" if before else address).text
            seen += map(int, re.findall(r'id="run-(\d+)"', shown))
            found = offered.search(shown)
            assert bool(found) == (number < pages - 1), (address, number)
            before = found[1] if found else ""
        assert seen == sorted(seen, reverse=True)
        assert len(seen) == {"/runs?": len(runs), "/runs?state=ok": 100, "/runs?state=failed": 2}.get(address, 0)


def test_a_run_that_was_skipped_can_not_be_repaired(client: TestClient, record: Record) -> None:
    skipped = add_run(record, State(LifeCycle.SKIPPED, Result.MAXIMUM_CONCURRENT_RUNS_REACHED))
    shown = client.get(f"/runs/{skipped.run_id}").text
    assert ">Repair<" not in shown
    assert "Run again with" in shown


def test_a_process_that_died_is_told_by_how(client: TestClient, record: Record) -> None:
    run = add_run(record, FAILED)
    add_task(record, run, "ingest", FAILED, start=0, took=1, failure=Failure("", "its process was killed by SIGKILL"))
    assert '<p class="message">its process was killed by SIGKILL</p>' in client.get(f"/runs/{run.run_id}").text


def test_a_run_whose_runner_died_is_not_shown_as_running(client: TestClient, record: Record) -> None:
    dead = running(record)
    assert 'data-every="1500"' not in client.get(f"/runs/{dead}").text
    assert "The runner was killed" in client.get(f"/runs/{dead}").text


def test_a_run_that_goes_on_is_followed(client: TestClient, record: Record) -> None:
    alive = running(record)
    with claim(record.run(alive).folder):
        shown = client.get(f"/runs/{alive}").text
    assert 'data-every="1500"' in shown
    assert ">Cancel<" in shown
    assert ">Repair<" not in shown


def test_what_failed_comes_first_with_its_cell_and_cure(client: TestClient, record: Record) -> None:
    shown = client.get(f"/runs/{failed(record)}").text
    assert shown.index(FAILURE.message) < shown.index("<h2>Tasks</h2>") < shown.index("<h2>Timeline</h2>")
    assert "cell 4" in shown
    assert ">Repair<" in shown
    assert "\x1b" not in shown, "the log's colors are for terminals"


def test_each_try_of_a_task_can_be_looked_at(client: TestClient, record: Record) -> None:
    run = succeeded(record)
    assert "Attempt 2" in client.get(f"/runs/{run}/tasks/ingest").text
    assert FAILURE.message in client.get(f"/runs/{run}/tasks/ingest?attempt=0").text
    assert FAILURE.message not in client.get(f"/runs/{run}/tasks/ingest").text
    assert "&#34;MR&#34;" in client.get(f"/runs/{run}/tasks/by_modality?iteration=1").text


def test_what_is_not_there_is_said(client: TestClient) -> None:
    for path in ("/runs/99", "/jobs/nothing", "/catalog/no.table", "/runs/1/tasks/x", "/nowhere"):
        assert client.get(path).status_code == 404
    assert client.get("/runs/one").status_code == 422


def test_a_broken_bundle_is_told_with_its_place_and_runs_are_still_shown(
    client: TestClient, record: Record, bundle: Path
) -> None:
    add_run(record, ENDS[0])
    (bundle / "databricks.yml").write_text(
        (bundle / "databricks.yml").read_text().replace("python_file", "pyhton_file")
    )
    shown = client.get("/jobs")
    assert shown.status_code == 200
    assert re.search(r"databricks\.yml:\d+: .*pyhton_file", shown.text)
    assert "imaging" in shown.text


def test_a_job_that_can_start_by_itself_on_databricks_alone_is_told_and_the_others_are_shown(
    client: TestClient, bundle: Path
) -> None:
    file = bundle / "databricks.yml"
    daily = 'schedule: {quartz_cron_expression: "0 30 7 * * ?", timezone_id: UTC}'
    file.write_text(file.read_text().replace(daily, 'trigger: {file_arrival: {url: "s3://bucket/in/"}}'))
    check(load(bundle))
    for path in ("/jobs", "/jobs/say"):
        shown = client.get(path)
        assert shown.status_code == 200
        assert "files can&#39;t be watched for at s3" in shown.text
    assert "Greet" in client.get("/jobs").text
    assert client.get("/jobs/greet").status_code == 200


def test_the_form_knows_what_each_parameter_may_be(client: TestClient) -> None:
    shown = client.get("/jobs/greet/run").text
    assert re.search(r'<input id="p-times"[^>]*type="number"[^>]*min="1"[^>]*max="10"', shown, re.DOTALL)
    assert re.search(r'<input id="p-name"[^>]*type="text"', shown, re.DOTALL)


@pytest.mark.parametrize(("times", "fault"), [("11", "at most 10"), ("0", "at least 1"), ("two", "a whole number")])
def test_a_wrong_value_is_told_at_its_field_and_nothing_starts(
    client: TestClient, record: Record, times: str, fault: str
) -> None:
    shown = client.get("/jobs/greet/run").text
    csrf = re.search(r'name="csrf" value="(\w+)"', shown)
    assert csrf
    answer = client.post("/jobs/greet/run", data={"csrf": csrf[1], "p-name": "x", "p-times": times})
    assert answer.status_code == 422
    assert re.search(rf'id="fault-times"[^>]*>times must be [^<]*{fault}', answer.text)
    assert f'value="{times}"' in answer.text, "what was typed is kept"
    assert record.runs() == []


def test_a_job_is_started_watched_and_canceled(client: TestClient, record: Record, send: Send) -> None:
    assert send("/jobs/say/run", **{"p-text": "60"}) == 303
    (run,) = record.runs()
    assert run.parameters == {"text": "60"}
    _until(lambda: "60" in client.get(f"/runs/{run.run_id}/tasks/it").text)
    assert send(f"/runs/{run.run_id}/cancel") == 303
    _until(lambda: str(record.run(run.run_id).state) == "CANCELED")
    assert "Canceled" in client.get(f"/runs/{run.run_id}").text
    _until(lambda: send(f"/runs/{run.run_id}/repair") == 303)  # its runner may still be tidying up
    _until(lambda: record.run(run.run_id).repairs == 1)
    send(f"/runs/{run.run_id}/cancel")
    _until(lambda: record.run(run.run_id).ended is not None)


def test_a_refused_start_is_told(client: TestClient, bundle: Path, send: Send, record: Record) -> None:
    (bundle / "say.py").unlink()
    assert send("/jobs/say/run") == 400
    assert record.runs() == []


def test_a_schedule_is_paused_and_resumed_here(client: TestClient, record: Record, send: Send) -> None:
    assert "daily at 07:30, UTC" in client.get("/jobs").text
    assert send("/jobs/say/pause", paused="true") == 303
    assert record.job("say").paused is True
    assert "Paused" in client.get("/jobs").text
    assert send("/jobs/say/pause", paused="false") == 303
    assert record.job("say").paused is False


def test_a_table_is_shown_with_columns_rows_pictures_and_commits(client: TestClient) -> None:
    shown = client.get("/catalog/some.things").text
    for told in ("A picture", "a thing", "data:image/png;base64,", "WRITE"):
        assert told in shown
    assert "Things." in client.get("/catalog").text


def test_pictures_that_browsers_do_not_know_become_some_that_they_do() -> None:
    frame = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    for encoded in (encode_frame(frame), imagecodecs.jpegxl_encode(frame)):
        shown = picture(bytes(encoded))
        assert shown
        assert imagecodecs.png_decode(b64decode(shown.partition(",")[2])).shape == (64, 64)
        assert picture(bytes(encoded)[:40]) is None, "damaged"
    assert picture(b"<svg onload=alert(1)>") is None
