import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeward.jobs.bundle.job import TableUpdate
from lakeward.jobs.record.record import now
from lakeward.jobs.record.states import Started
from lakeward.jobs.schedule.updates import Updates
from lakeward.workspace.errors import ConfigurationError

from .conftest import Setting, looks

LOOK = 10_000


class Tables:
    """Two real Delta tables that are watched, and a daemon that looks at them."""

    def __init__(self, setting: Setting, home: Path, **trigger: Any) -> None:
        self.setting, self.home, self.time = setting, home, now()
        setting.job(trigger={"table_update": {"table_names": ["imaging.images", "dev.imaging.findings"], **trigger}})
        self.daemon = setting.daemon()

    def place(self, table: str) -> str:
        return str(self.home / "imaging" / table)

    def write(self, table: str, mode: Any = "append") -> None:
        write_deltalake(self.place(table), pa.table({"n": [1, 2]}), mode=mode)

    def look(self, later: int = LOOK) -> int:
        """Look, and return how many runs there are."""
        self.time += later
        looks(self.daemon, self.time)
        return len(self.setting.runs())


def test_any_update_starts_one_run(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home)
    tables.write("images")
    assert tables.look() == 0
    tables.write("images")
    tables.write("images")
    assert tables.look() == 1
    assert tables.look() == 1
    tables.write("findings")
    assert tables.look() == 2
    assert setting.runs() == [Started.TABLE] * 2


def test_all_updated_waits_for_each_table(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home, condition="ALL_UPDATED")
    tables.write("images")
    tables.look()
    tables.write("images")
    assert tables.look() == 0
    tables.write("findings")
    assert tables.look() == 1
    tables.write("findings")
    assert tables.look() == 1


def test_files_that_are_only_rearranged_are_no_update_but_deletions_are(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home)
    for _ in range(3):
        tables.write("images")
    tables.look()
    table = DeltaTable(tables.place("images"))
    assert table.optimize.compact()["numFilesAdded"] == 1
    table.alter.set_table_properties({"delta.appendOnly": "false"})
    assert tables.look() == 0
    DeltaTable(tables.place("images")).delete("n = 1")
    assert tables.look() == 1


def test_a_table_that_is_made_anew_is_an_update(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home)
    tables.write("images")
    tables.write("images")
    tables.look()
    shutil.rmtree(tables.place("images"))
    assert tables.look() == 0
    tables.write("images")
    assert tables.look() == 1


def test_commits_that_the_log_no_longer_has_count_as_updates(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home)
    tables.write("images")
    tables.look()
    tables.write("images")
    DeltaTable(tables.place("images")).create_checkpoint()
    DeltaTable(tables.place("images")).alter.set_table_properties({"delta.appendOnly": "false"})
    for version in (0, 1):
        Path(tables.place("images"), "_delta_log", f"{version:020}.json").unlink()
    assert tables.look() == 1


def test_a_series_of_updates_starts_one_run_once_it_is_over(setting: Setting, home: Path) -> None:
    tables = Tables(setting, home, wait_after_last_change_seconds=60)
    tables.look(0)
    tables.write("images")
    assert tables.look(50_000) == 0
    assert tables.look(20_000) == 1


@pytest.mark.parametrize("name", ["images", "a.b.c.d", "imaging.../etc", "imaging."])
def test_what_is_no_table_is_refused(home: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="write area and table"):
        Updates(TableUpdate(table_names=[name]))
