"""The pages in a real browser: with the keyboard alone, live, light and dark, and with nothing from elsewhere."""

import socket
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import uvicorn

from browser import Browser, browser
from lakeward.jobs.record.record import Record, now
from lakeward.jobs.record.rows import State
from lakeward.jobs.record.states import LifeCycle
from lakeward.jobs.runner.truth import claim
from lakeward.pages.app import create_app
from lakeward.workspace.tables import Table
from past_runs import RUNNING, SUCCESS, add_run, add_task, failed, fill, running

TOKEN = "a-token-of-these-tests"
FOCUSED = "document.activeElement.textContent.trim() || document.activeElement.id"
FIELDS = "input:not([type=hidden]), select"
CONTRAST = """
(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126*r + 0.7152*g + 0.0722*b }
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor
      if (!/, 0\\)$|transparent/.test(c)) return c } return 'rgb(255, 255, 255)' }
  const bad = []
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('svg, script, iframe, .hidden, .skip')) continue
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim()) || !e.getClientRects().length) continue
    const [a, b] = [getComputedStyle(e).color, ground(e)].map(light)
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) bad.push(`${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`)
  }
  return bad
})()
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def address(bundle: Path, record: Record, tables: Sequence[Table]) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(lambda: tables, bundle, token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


def test_a_run_is_started_with_the_keyboard_alone(page: Browser, address: str, record: Record) -> None:
    page.open(f"{address}/jobs?token={TOKEN}")
    seen: list[str] = []
    for _ in range(30):
        page.press("Tab")
        seen.append(page.value(FOCUSED))
        outlined = page.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outlined != "none" or seen[-1] == "Skip to the content", f"{seen[-1]}: the focus can't be seen"
        if seen[-1] == "Run now":
            break
    assert seen[0] == "Skip to the content"
    assert [text for text in seen if text in ("Jobs", "Runs", "Catalog")] == ["Jobs", "Runs", "Catalog"]
    page.press("Enter")
    page.until("location.pathname == '/runs/1'")
    assert record.run(1).job in ("say", "greet")
    page.until("document.querySelector('#state')?.textContent.trim() == 'Succeeded'", seconds=60)


def test_a_run_is_followed_without_reloading(page: Browser, address: str, record: Record) -> None:
    run = record.run(running(record))
    with claim(run.folder):
        page.open(f"{address}/runs/{run.run_id}?token={TOKEN}")
        page.value("window.stayed = true")
        page.value("document.querySelector('a.task').focus()")
        add_task(record, run, "verify", SUCCESS, start=61_000, took=30_000)
        page.until("document.querySelectorAll('a.task.ok').length == 3")
        record.set_run(run.run_id, SUCCESS, ended=now())
        page.until("document.querySelector('#state').textContent.trim() == 'Succeeded'")
    assert page.value("window.stayed"), "the page was not loaded anew"
    assert page.value("document.activeElement.classList.contains('task')"), "the focus stayed where it was"
    assert "Succeeded" in page.value("document.querySelector('#announcer').textContent"), "told to screen readers"
    assert page.value("document.body.dataset.every === undefined"), "an ended run is asked about no more"


def test_a_run_and_a_task_are_followed_from_before_they_begin(page: Browser, address: str, record: Record) -> None:
    run = add_run(record, State(LifeCycle.PENDING))
    visible = "document.querySelector('{}').checkVisibility()"
    with claim(run.folder):
        page.open(f"{address}/runs/{run.run_id}?token={TOKEN}")
        page.value("window.stayed = true")
        assert not page.value(visible.format("#log"))
        record.begin(run.run_id, {("ingest", None): State(LifeCycle.BLOCKED)})
        run = record.run(run.run_id)
        (run.folder / "log.txt").write_text("ingest began\n")
        page.until("document.querySelector('#log').textContent == 'ingest began\\n'")
        assert page.value(visible.format("#log"))
        add_task(record, run, "ingest", RUNNING, start=100, took=None)
        page.until("document.querySelectorAll('#timeline tr').length == 2")
        assert page.value("window.stayed")
        record.set_task(run.run_id, "by_modality", None, State(LifeCycle.BLOCKED))
        page.open(f"{address}/runs/{run.run_id}/tasks/by_modality?token={TOKEN}")
        page.value("window.stayed = true")
        assert "It has not started." in page.value("document.body.textContent")
        add_task(record, run, "by_modality", RUNNING, start=100, took=None, iteration=0, value='"CT"')
        page.until("document.querySelectorAll('#iterations tbody tr').length == 1")
        record.set_task(run.run_id, "verify", None, State(LifeCycle.BLOCKED))
        page.open(f"{address}/runs/{run.run_id}/tasks/verify?token={TOKEN}")
        page.value("window.stayed = true")
        add_task(record, run, "verify", RUNNING, start=200, took=None)
        page.until("document.querySelector('#log').textContent.includes('cell 1 of 9')")
        page.until("document.querySelectorAll('#notebook iframe').length == 1")
        assert page.value("window.stayed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_pages_can_be_read_and_load_nothing_from_elsewhere(
    page: Browser, address: str, record: Record, scheme: str, tmp_path: Path
) -> None:
    runs = fill(record)
    page.scheme(scheme)
    page.do("Page.navigate", url="about:blank")  # the page of the test before may still ask for its news
    page.requests.clear()
    shown = ["/jobs", "/jobs/greet/run", "/runs", f"/runs/{runs['succeeded']}", f"/runs/{runs['failed']}",
             f"/runs/{runs['failed']}/tasks/ingest", "/catalog", "/catalog/some.things"]  # fmt: skip
    for path in shown:
        page.open(f"{address}{path}?token={TOKEN}")
        assert page.value(CONTRAST) == [], path
        levels = page.value("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels)), path
        unnamed = (
            "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(e => !e.labels.length).length"
        )
        assert page.value(unnamed) == 0
        page.size(480, 900)
        assert page.value("document.documentElement.scrollWidth") <= 480, f"{path} is too wide for a phone"
        page.size(1280, 900)
    assert {request.split("/")[2] for request in page.requests if not request.startswith("data:")} == {
        address.split("/")[2]
    }


def test_the_notebook_is_shown_at_the_failing_cell(page: Browser, address: str, record: Record) -> None:
    page.open(f"{address}/runs/{failed(record)}/tasks/ingest?token={TOKEN}")
    assert page.value("document.querySelector('iframe').src").endswith("#papermill-error-cell")
    assert page.value("document.querySelector('.failure .message').textContent").startswith("MissingSecret")
