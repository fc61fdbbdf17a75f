import csv
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeward.imaging.pipeline import files
from lakeward.imaging.pipeline.discovery import find
from lakeward.imaging.pipeline.files import deidentify_folder
from lakeward.imaging.pipeline.heads import Begun, begin
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.tables import QUARANTINE, WITHDRAWN
from lakeward.workspace.errors import Busy, ConfigurationError, EventNotRecorded
from lakeward.workspace.lakehouse import add

pytestmark = pytest.mark.usefixtures("home")
Build = Callable[..., bytes]


@pytest.fixture
def source(tmp_path: Path, build: Build, marker: str) -> Path:
    """24 files: 18 images, of which two are equal and two share a UID; what is damaged, doubtful or no DICOM."""
    folder = tmp_path / f"in {marker}" / "deep"
    folder.mkdir(parents=True)
    for number in range(16):
        (folder / f"{marker} {number}.dcm").write_bytes(build(number))
    (folder / "equal").write_bytes(build(3))
    (folder / "same uid").write_bytes(build(5, WindowCenter="40"))
    (folder / "ultrasound.dcm").write_bytes(build(90, modality="US"))
    (folder / "cut.dcm").write_bytes(build(91)[:-100])
    (folder / "note.txt").write_text(marker)
    (folder / "empty").touch()
    (folder / "link").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    return folder.parent


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_read_is_written_or_set_aside(source: Path, tmp_path: Path, recipe: Recipe) -> None:
    summary = deidentify_folder(source, tmp_path / "out", recipe)
    assert (summary.read, summary.written, summary.duplicates, summary.quarantined) == (24, 18, 1, 6)
    assert summary.by_reason == {"burned_in_risk": 1, "not_accessible": 2, "not_dicom": 2, "truncated": 1}
    assert len(contents(tmp_path / "out")) == 17


def test_files_are_those_of_the_engine_under_pseudonyms(source: Path, tmp_path: Path, recipe: Recipe) -> None:
    deidentify_folder(source, tmp_path / "out", recipe)
    written = contents(tmp_path / "out")
    paths = [path for path in source.rglob("*") if path.is_file()]
    images = [path for path in paths if path.name not in ("ultrasound.dcm", "cut.dcm", "note.txt", "empty")]
    assert set(written.values()) == {deidentify(path.read_bytes(), recipe).dicom for path in images}
    for name in written:
        study, series, file = Path(name).parts
        assert study.startswith("2.25.")
        assert series.startswith("2.25.")
        assert file.startswith("2.25.")
    assert len([name for name in written if "-" in name]) == 1  # the second object with one UID


def test_parallel_and_serial_and_again_give_the_same_files(
    source: Path, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    deidentify_folder(source, tmp_path / "serial", recipe)
    monkeypatch.setattr(files, "_BATCH", 4)
    deidentify_folder(source, tmp_path / "parallel", recipe)
    assert contents(tmp_path / "parallel") == contents(tmp_path / "serial")
    again = deidentify_folder(source, tmp_path / "serial", recipe)
    assert contents(tmp_path / "parallel") == contents(tmp_path / "serial")
    assert again.written == 18


def test_an_original_that_changes_after_its_beginning_was_read_is_read_again(
    tmp_path: Path, build: Build, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "image.dcm").write_bytes(build(0))

    def begin_and_change(path: str, recipe: Recipe) -> Begun | None:
        begun = begin(path, recipe)
        Path(path).write_bytes(build(1))
        return begun

    monkeypatch.setattr(files, "begin", begin_and_change)
    deidentify_folder(tmp_path / "in", tmp_path / "out", recipe)
    assert list(contents(tmp_path / "out").values()) == [deidentify(build(1), recipe).dicom]


def test_copies_of_what_is_set_aside_are_for_the_owner_alone(source: Path, tmp_path: Path, recipe: Recipe) -> None:
    aside = tmp_path / "aside"
    for _ in range(2):
        deidentify_folder(source, tmp_path / "out", recipe, aside)
    assert {stat.S_IMODE(path.stat().st_mode) for path in aside.iterdir()} == {0o600}
    assert stat.S_IMODE(aside.stat().st_mode) == 0o700
    with (aside / "index.csv").open(newline="") as index:
        rows = list(csv.DictReader(index))
    assert len(rows) == 6
    for row in rows:
        if row["reason"] != "not_accessible":
            assert (aside / row["name"]).read_bytes() == Path(row["path"]).read_bytes()


@pytest.mark.parametrize(
    ("destination", "quarantine"),
    [("in", None), ("in/out", None), (".", None), ("out", "in/aside"), ("out", "out/aside"), ("aside/out", "aside")],
)
def test_folders_must_not_lie_in_one_another(
    destination: str, quarantine: str | None, tmp_path: Path, recipe: Recipe
) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(ConfigurationError, match="lies in"):
        deidentify_folder(
            tmp_path / "in", tmp_path / destination, recipe, tmp_path / quarantine if quarantine else None
        )


def test_a_source_that_is_not_there_is_told(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(ConfigurationError, match="No folder at"):
        deidentify_folder(tmp_path / "nowhere", tmp_path / "out", recipe)


def test_nothing_is_written_if_it_can_not_be_recorded(source: Path, home: Path, tmp_path: Path, recipe: Recipe) -> None:
    home.mkdir(parents=True)
    (home / "events").touch()
    with pytest.raises(EventNotRecorded):
        deidentify_folder(source, tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


COMMAND = "import sys; from lakeward.cli import main; main()"


def test_a_killed_run_leaves_no_half_file_and_can_be_run_again(
    tmp_path: Path, build: Build, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out, undisturbed = tmp_path / "in", tmp_path / "out", tmp_path / "undisturbed"
    source.mkdir()
    for number in range(300):
        (source / f"{number}.dcm").write_bytes(build(number))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", recipe.key.hex())
    arguments = ["imaging", "deidentify", str(source), str(out), "--profile", recipe.profile.name]
    running = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], start_new_session=True)
    while running.poll() is None and len(list(out.rglob("*.dcm"))) < 10:
        time.sleep(0.005)
    with pytest.raises(Busy):
        deidentify_folder(source, out, recipe)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    deidentify_folder(source, undisturbed, recipe)
    whole = contents(undisturbed)
    visible = {name: content for name, content in contents(out).items() if not name.startswith(".parts/")}
    assert 10 <= len(visible) < 300
    assert visible.items() <= whole.items()
    deidentify_folder(source, out, recipe)
    assert contents(out) == whole


def test_what_the_lakehouse_keeps_out_is_refused_and_of_who_was_withdrawn_no_copy_is_kept(
    source: Path, tmp_path: Path, recipe: Recipe, build: Build
) -> None:
    theirs = build(100, PatientID="WITHDRAWN")
    for name, content in {"theirs": theirs, "theirs, cut": theirs[:-100]}.items():
        (source / name).write_bytes(content)
    withdrawn = recipe.pseudonyms.withdrawn(deidentify(theirs, recipe).patient)
    seen = recipe.pseudonyms.source(build(5))
    now, key_id = datetime.now(UTC), recipe.pseudonyms.key_id
    add(WITHDRAWN, [{"withdrawn": withdrawn, "key_id": key_id, "withdrawn_at": now}])
    row = {"source_hmac": seen, "profile_hash": recipe.profile_hash, "key_id": key_id, "code_version": "1"}
    row |= {"run_id": "1", "quarantined_at": now, "reason": "found_in_review", "size_bytes": 1, "status": "closed"}
    add(QUARANTINE, [row])
    summary = deidentify_folder(source, tmp_path / "out", recipe, tmp_path / "aside")
    assert summary.by_reason == {
        "burned_in_risk": 1,
        "found_in_review": 1,
        "not_accessible": 2,
        "not_dicom": 2,
        "truncated": 1,
        "withdrawn": 2,
    }
    kept = {path.name for path in (tmp_path / "aside").iterdir()} - {"index.csv"}
    assert seen in kept
    assert kept.isdisjoint(recipe.pseudonyms.source(content) for content in (theirs, theirs[:-100]))


def test_nothing_is_written_if_nobody_can_tell_who_was_withdrawn(source: Path, tmp_path: Path, recipe: Recipe) -> None:
    add(WITHDRAWN, [{"withdrawn": "0" * 32, "key_id": "f" * 16, "withdrawn_at": datetime.now(UTC)}])
    with pytest.raises(ConfigurationError, match=f"deid_key_{'f' * 16}"):
        deidentify_folder(source, tmp_path / "out", recipe)
    assert not (tmp_path / "out").exists()


def test_everything_in_a_folder_is_found(source: Path, tmp_path: Path) -> None:
    assert len(find(source)) == 24
    (source / "loop").symlink_to(source)
    other = os.fsencode(source) + b"/M\xfcller.dcm"
    Path(os.fsdecode(other)).write_bytes(b"x")
    found = find(source)
    assert len(found) == 26
    assert any(original.name.endswith(r"/M\xfcller.dcm") and original.size_bytes == 1 for original in found)


def test_a_folder_that_can_not_be_opened_is_counted() -> None:
    program = (
        "import os, sys; from pathlib import Path; from lakeward.imaging.pipeline.discovery import find\n"
        "os.getuid() or os.setuid(65534)\n"  # root can open everything
        "print(*(o.path for o in find(Path(sys.argv[1]))))"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "closed").mkdir(mode=0o000)
        told = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True)
        assert told.stdout.split() == [f"{name}/closed"]
