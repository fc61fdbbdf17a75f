from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeward.jobs.record.record import now
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.arrivals import local_folder
from lakeward.jobs.schedule.daemon import Daemon
from lakeward.jobs.schedule.upcoming import pause, unpause
from lakeward.workspace.errors import ConfigurationError

from .conftest import Setting, looks

NAME = "DOE^JANE.dcm"
LOOK = 10_000


class Inbox:
    """A folder that is watched, and a daemon that looks at it; time goes on by the length of a look each time."""

    def __init__(self, setting: Setting, folder: Path, **trigger: int) -> None:
        self.setting, self.folder, self.time = setting, folder, now()
        folder.mkdir()
        (folder / "old.dcm").touch()
        setting.job(trigger={"file_arrival": {"url": folder.as_uri(), **trigger}})
        self.daemon: Daemon = setting.daemon()

    def look(self, later: int = LOOK) -> int:
        """Look, and return how many runs there are."""
        self.time += later
        looks(self.daemon, self.time)
        return len(self.setting.runs())


@pytest.fixture
def key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_SCHEDULE_KEY", "ab" * 32)


@pytest.fixture
def inbox(setting: Setting, key: None, tmp_path: Path) -> Iterator[Inbox]:
    inbox = Inbox(setting, tmp_path / "in")
    assert inbox.look() == 0
    yield inbox
    assert not [told for told in setting.told if told["event"] != "started"]


def test_new_files_start_one_run_and_what_was_there_none(inbox: Inbox) -> None:
    assert inbox.look() == 0
    (inbox.folder / NAME).touch()
    (inbox.folder / "deep" / "er").mkdir(parents=True)
    (inbox.folder / "deep" / "er" / NAME).touch()
    assert inbox.look() == 1
    assert inbox.look() == 1
    assert inbox.setting.runs() == [Started.FILE_ARRIVAL]


def test_a_file_written_anew_is_no_new_file_but_one_that_comes_again_is(inbox: Inbox) -> None:
    (inbox.folder / "old.dcm").write_text("other")
    assert inbox.look() == 0
    (inbox.folder / "old.dcm").unlink()
    assert inbox.look() == 0
    (inbox.folder / "old.dcm").touch()
    assert inbox.look() == 1


def test_a_file_that_is_being_copied_counts_when_it_has_its_name(inbox: Inbox) -> None:
    (inbox.folder / f".{NAME}.x7Y").touch()
    assert inbox.look() == 0
    (inbox.folder / f".{NAME}.x7Y").rename(inbox.folder / NAME)
    assert inbox.look() == 1


def test_what_came_while_nobody_looked_or_it_was_paused_counts(inbox: Inbox) -> None:
    pause("a")
    (inbox.folder / "1").touch()
    assert inbox.look() == 0
    unpause("a")
    assert inbox.look() == 1
    (inbox.folder / "2").touch()
    inbox.daemon = inbox.setting.daemon()
    assert inbox.look() == 2


def test_a_batch_starts_one_run_once_it_is_whole(setting: Setting, key: None, tmp_path: Path) -> None:
    inbox = Inbox(setting, tmp_path / "in", wait_after_last_change_seconds=60)
    inbox.look(0)
    (inbox.folder / "1").touch()
    assert inbox.look(50_000) == 0
    assert inbox.look(20_000) == 1


def test_runs_keep_their_distance(setting: Setting, key: None, tmp_path: Path) -> None:
    inbox = Inbox(setting, tmp_path / "in", min_time_between_triggers_seconds=60)
    inbox.look()
    (inbox.folder / "1").touch()
    assert inbox.look() == 1
    (inbox.folder / "2").touch()
    assert inbox.look(50_000) == 1
    assert inbox.look() == 2


def test_no_name_is_kept(inbox: Inbox, home: Path) -> None:
    (inbox.folder / NAME).touch()
    inbox.look()
    kept = b"".join(path.read_bytes() for path in (home / "jobs").rglob("*") if path.is_file())
    assert b"seen" in kept
    assert b"DOE" not in kept
    assert str(inbox.folder).encode() not in inbox.setting.record.job("a").cursor.encode()


def test_another_key_or_folder_begins_anew(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAKEWARD_SCHEDULE_KEY", "cd" * 32)
    assert inbox.look() == 0
    (inbox.folder / "1").touch()
    assert inbox.look() == 1


def test_a_missing_folder_or_key_is_told_once_with_its_cure(
    setting: Setting, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(setting, tmp_path / "in")
    for _ in range(3):
        assert inbox.look() == 0
    monkeypatch.setenv("LAKEWARD_SCHEDULE_KEY", "ab" * 32)
    inbox.folder.rename(tmp_path / "away")
    inbox.look()
    inbox.look()
    reasons = [str(told["reason"]) for told in setting.told]
    assert len(reasons) == 2
    assert "LAKEWARD_SCHEDULE_KEY" in reasons[0]
    assert "make it, or mend its url" in reasons[1]


@pytest.mark.parametrize(
    ("url", "folder"),
    [("/data/in", "/data/in"), ("file:/data/in", "/data/in"), ("file:///data/in%20box", "/data/in box")],
)
def test_a_folder_may_be_written_as_a_path_or_a_url(url: str, folder: str) -> None:
    assert local_folder(url) == Path(folder)


@pytest.mark.parametrize("url", ["s3://bucket/in", "abfss://box@account.dfs/in", "file://server/share"])
def test_a_folder_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="only in a folder of this machine"):
        local_folder(url)
