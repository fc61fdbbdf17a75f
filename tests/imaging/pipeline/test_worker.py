import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeward.imaging.pipeline import worker
from lakeward.imaging.pipeline.ingest import Work
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.sinks import SparkSink
from lakeward.imaging.pipeline.worker import Task, set_aside, write_list

Build = Callable[..., bytes]


def entry_of(content: bytes, recipe: Recipe, folder: Path, suspect: bool = False) -> dict[str, Any]:
    """What a task writes down of one file."""
    path = folder / "object.dcm"
    path.write_bytes(content)
    (folder / "aside").mkdir()
    task = Task(recipe, "run", str(folder), str(folder / "aside"), 1, SparkSink())
    file = {"path": str(path), "size_bytes": 1, "mtime_ns": 1, "read_from": os.fsencode(path), "accept": ""}
    return task._one(file | {"suspect": suspect}, "id")[0]


def test_an_object_that_is_too_large_for_a_row_is_set_aside(
    build: Build, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "ROW_BYTES", 1000)
    entry = entry_of(build(1), recipe, tmp_path)
    assert (entry["outcome"], entry["reason"]) == ("quarantined", "too_large")
    assert (tmp_path / "aside" / entry["source_hmac"]).read_bytes() == build(1)


def test_a_file_is_named_by_its_content_or_if_it_can_not_be_read_by_its_path(
    build: Build, recipe: Recipe, tmp_path: Path
) -> None:
    assert entry_of(build(1), recipe, tmp_path)["source_hmac"] == recipe.pseudonyms.source(build(1))
    missing = str(tmp_path / "missing")
    task = Task(recipe, "run", str(tmp_path), str(tmp_path), 1, SparkSink())
    file = {"path": missing, "size_bytes": 1, "mtime_ns": 1, "read_from": missing.encode(), "accept": ""}
    entry, _ = task._one(file | {"suspect": False}, "id")
    assert entry["reason"] == "not_accessible"
    assert entry["source_hmac"] == recipe.pseudonyms.source(missing.encode())


class _Deadly(Recipe):
    """A recipe whose decoder ends the process."""

    @property
    def everyday(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_file_that_processes_die_of_is_set_aside(build: Build, recipe: Recipe, tmp_path: Path) -> None:
    entry = entry_of(build(1), _Deadly(recipe.profile, recipe.key), tmp_path, suspect=True)
    assert (entry["outcome"], entry["reason"]) == ("quarantined", "crashed")


def test_nothing_of_a_withdrawn_patient_is_kept_even_if_processes_die_of_it(
    build: Build, recipe: Recipe, tmp_path: Path
) -> None:
    key = recipe.pseudonyms
    withdrawn = ((key, frozenset({key.withdrawn(key.patient("id:QXZJWK-1"))})),)
    entry = entry_of(build(1), _Deadly(recipe.profile, recipe.key, withdrawn=withdrawn), tmp_path, suspect=True)
    assert entry["reason"] == "withdrawn"
    assert list((tmp_path / "aside").iterdir()) == []


def test_a_suspect_that_does_no_harm_is_stored_like_others(build: Build, recipe: Recipe, tmp_path: Path) -> None:
    entries = []
    for name, suspect in (("one", False), ("two", True)):
        (tmp_path / name).mkdir()
        entries.append(entry_of(build(1), recipe, tmp_path / name, suspect))
    assert entries[0]["content_sha256"] == entries[1]["content_sha256"]


def test_a_copy_is_whole_or_not_there_and_never_readable_by_others(tmp_path: Path) -> None:
    for _ in range(2):
        set_aside(b"original", tmp_path / "copy", tmp_path)
    assert (tmp_path / "copy").read_bytes() == b"original"
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(("sizes", "most"), [([10_000_000_000, *[500_000] * 40], 40), ([0] * 41, 11), ([1], 1)])
def test_tasks_share_the_files_by_size_each_takes_neighbors(
    sizes: list[int], most: int, recipe: Recipe, tmp_path: Path
) -> None:
    write_list([Work(str(number), size, 1, b"") for number, size in enumerate(sizes)], tmp_path)
    task = Task(recipe, "run", str(tmp_path), str(tmp_path), 4, SparkSink())
    shares = [list(task._files([number])) for number in range(4)]
    taken = [(place, file["path"]) for share in shares for place, file in share]
    assert taken == [(place, str(place)) for place in range(len(sizes))]
    assert max(map(len, shares)) == most
