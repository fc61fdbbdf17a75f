"""Sessions start with Spark's classes as they were recorded by `make setup`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakeward.workspace.jars import CLASSES, folder

MAPPED = """
import psutil
from lakeward.workspace.spark import session
session()
(jvm,) = [it for it in psutil.Process().children(recursive=True) if it.name() == "java"]
print(any(it.path == {archive!r} for it in jvm.memory_maps()))
"""


@pytest.mark.slow
def test_a_session_maps_the_archive_and_prints_nothing_of_it(tmp_path: Path) -> None:
    archive = folder() / CLASSES
    assert archive.exists(), "make setup records it"
    environment = os.environ | {"LAKEWARD_HOME": str(tmp_path)}
    command = [sys.executable, "-c", MAPPED.format(archive=str(archive))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
    assert "cds" not in done.stderr
