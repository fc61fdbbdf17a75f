"""Leases, as two machines see them that share a folder."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lakeward.workspace import leases
from lakeward.workspace.errors import Busy
from lakeward.workspace.leases import Lease, leased


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ingest.lease"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds in place of minutes."""
    for name, seconds in (("_LASTS_S", 1.0), ("_RENEWED_S", 0.2), ("_SETTLES_S", 0.1)):
        monkeypatch.setattr(leases, name, seconds)


def _elsewhere(monkeypatch: pytest.MonkeyPatch, name: str = "other") -> None:
    monkeypatch.setattr(leases, "_machine", lambda: name)


def test_another_machine_waits_as_long_as_the_work_lasts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with leased(path) as lease:
        time.sleep(1.5)  # longer than it lasts: it was renewed
        with monkeypatch.context() as other:
            _elsewhere(other)
            with pytest.raises(Busy, match="is at work on"):
                Lease(path).take()
        lease.check()
    _elsewhere(monkeypatch)
    with leased(path) as another:
        another.check()
    assert list(path.parent.iterdir()) == []


def test_what_a_machine_left_behind_runs_out_and_this_one_takes_its_own_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lease(path).take()
    with leased(path) as lease:
        lease.check()
    with monkeypatch.context() as other:
        _elsewhere(other)
        Lease(path).take()
    with pytest.raises(Busy):
        Lease(path).take()
    time.sleep(1.1)
    with leased(path) as lease:
        lease.check()


def test_who_stood_still_finds_that_it_was_taken_over_and_leaves_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_RENEWED_S", 60.0)
    with leased(path) as lease:
        time.sleep(1.1)
        with monkeypatch.context() as other:
            _elsewhere(other)
            Lease(path).take()
        with pytest.raises(Busy, match="has taken over"):
            lease.check()
    assert json.loads(path.read_text())["machine"] == "other"


def test_of_machines_that_find_it_run_out_at_once_one_has_it(path: Path) -> None:
    path.write_text(json.dumps({"machine": "gone", "token": "", "until": time.time() - 1}))
    several = [Lease(path) for _ in range(4)]

    def goes(does: Callable[[], None]) -> bool:
        try:
            does()
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(len(several)) as pool:
        list(pool.map(goes, [lease.take for lease in several]))
    assert sum(goes(lease.check) for lease in several) == 1


def test_a_file_that_cannot_be_read_may_be_anybodys(path: Path) -> None:
    with leased(path) as lease:
        told = path.read_text()
        path.unlink()
        path.symlink_to(path)  # to itself, so that it is there, and reading it fails
        with pytest.raises(Busy, match="can't be read"):
            Lease(path).take()
        time.sleep(0.5)  # it was to be renewed meanwhile
        path.unlink()
        path.write_text(told)
        time.sleep(0.7)
        lease.check()
        assert json.loads(path.read_text())["until"] > json.loads(told)["until"], "it is renewed again"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"until": "tomorrow"}', '{"until": 9e9}'])
def test_a_file_that_says_nothing_holds_nobody_up(path: Path, text: str) -> None:
    path.write_text(text)
    with leased(path) as lease:
        lease.check()
