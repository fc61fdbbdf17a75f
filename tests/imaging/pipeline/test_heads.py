import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lakeward.imaging.pipeline.heads import begin
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe

PIXELS = bytes(range(256)) * 2048  # 512 x 512, 16 bits


@pytest.fixture
def original(tmp_path: Path, build: Callable[..., bytes]) -> Path:
    path = tmp_path / "original.dcm"
    path.write_bytes(build(0, Rows=512, Columns=512, PixelData=PIXELS))
    return path


@pytest.mark.parametrize("buffer_bytes", [1000, 1024**2])
def test_header_and_pixels_come_together(original: Path, tmp_path: Path, recipe: Recipe, buffer_bytes: int) -> None:
    begun = begin(str(original), recipe)
    assert begun
    assert begun.finish(tmp_path / "new.dcm", memoryview(bytearray(buffer_bytes)))
    assert (tmp_path / "new.dcm").read_bytes() == deidentify(original.read_bytes(), recipe).dicom


def cut(path: Path) -> None:
    os.truncate(path, 100_000)


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(8))


def written_again(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def removed(path: Path) -> None:
    path.unlink()


def made_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [cut, lengthened, written_again, removed, made_a_pipe])
def test_an_original_that_changes_meanwhile_is_noticed(
    original: Path, tmp_path: Path, recipe: Recipe, change: Callable[[Path], None]
) -> None:
    begun = begin(str(original), recipe)
    assert begun
    change(original)
    assert not begun.finish(tmp_path / "new.dcm", memoryview(bytearray(1024**2)))


def test_what_is_kept_out_is_not_begun(original: Path, recipe: Recipe) -> None:
    patient = deidentify(original.read_bytes(), recipe).patient
    names = {of: frozenset({recipe.pseudonyms.withdrawn(of)}) for of in (patient, "LWSOMEBODYELSE")}
    assert begin(str(original), replace(recipe, withdrawn=((recipe.pseudonyms, names["LWSOMEBODYELSE"]),)))
    assert not begin(str(original), replace(recipe, withdrawn=((recipe.pseudonyms, names[patient]),)))
    assert not begin(str(original), replace(recipe, rejected=frozenset({"0" * 64})))


def test_what_is_no_file_is_not_begun(tmp_path: Path, recipe: Recipe) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "note.txt").write_text("no DICOM")
    assert not any(begin(str(tmp_path / name), recipe) for name in ("pipe", "note.txt", "nowhere", ""))
