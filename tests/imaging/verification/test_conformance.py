"""Other programs read every output, and dciodvfy finds nothing wrong with it that was not wrong before."""

import os
import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.samples import sample_folder


def tool(name: str) -> str:
    """A program of Debian's dicom3tools or dcmtk: without it a test is skipped, but in CI fails."""
    if found := shutil.which(name):
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is missing: .ci/run should have installed it")
    pytest.skip(f"{name} is missing: install dicom3tools and dcmtk (Debian)")


@cache
def complaints(command: str, path: Path, worst: str) -> Counter[str]:
    """What a program complains about, without the UIDs and numbers of objects in it."""
    done = subprocess.run([command, str(path)], capture_output=True, check=False)
    lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.startswith(worst)]
    ended = [f"ended with {done.returncode}"] if done.returncode else []
    return Counter([re.sub(r"\b\d+(?:\.\d+)*\b", "N", line) for line in lines] + ended)


@pytest.fixture(scope="module", params=["basic", "research"])
def pairs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Originals that pydicom ships, with what comes of them."""
    folder = tmp_path_factory.mktemp(request.param)
    profile = load_profile(request.param).accepting(Reason.BURNED_IN_RISK)
    recipe = Recipe(profile, bytes(32))
    made = []
    for path in sorted(sample_folder().glob("*.dcm")):
        try:
            content = deidentify(path.read_bytes(), recipe).dicom
        except Quarantined:
            continue
        new = folder / path.name
        new.write_bytes(content)
        made.append((path, new))
    assert len(made) > 50
    return made


@pytest.mark.parametrize(("program", "worst"), [("dciodvfy", "Error"), ("dcmdump", "")])
def test_there_is_nothing_to_complain_of_that_was_not_there_before(
    program: str, worst: str, pairs: list[tuple[Path, Path]]
) -> None:
    command = tool(program)
    new = {old.name: complaints(command, path, worst) - complaints(command, old, worst) for old, path in pairs}
    assert {name: complaint for name, complaint in new.items() if complaint} == {}
