"""The ingestion on a standalone cluster: a master and two workers on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pyspark
import pytest

from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake
from lakeward.imaging.tables import IMAGES, PIXELS
from lakeward.workspace.lakehouse import query

FILES = 120
LAKEWARD = "from lakeward.cli import main; main()"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a master that has two workers, of one core each."""
    home = Path(pyspark.__file__).parent
    more = {"SPARK_HOME": str(home), "SPARK_LOCAL_DIRS": str(tmp_path / "spark"), "SPARK_DAEMON_MEMORY": "256m"}
    more["JAVA_TOOL_OPTIONS"] = os.environ["SPARK_SUBMIT_OPTS"]  # a test's JVM lives for seconds, executors' too

    def start(kind: str, *options: str) -> None:
        command = [home / "bin" / "spark-class", f"org.apache.spark.deploy.{kind}", "--host", "127.0.0.1", *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=os.environ | more, **quiet)
        running.callback(process.wait)
        running.callback(process.terminate)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ExitStack() as running:
        start("master.Master", "--port", str(port), "--webui-port", "0")
        for name in ("one", "two"):
            resources = ["--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(tmp_path / name)]
            start("worker.Worker", *resources, f"spark://127.0.0.1:{port}")
        yield f"spark://127.0.0.1:{port}"


def _executors() -> list[psutil.Process]:
    ours = psutil.Process().children(recursive=True)
    commands = [" ".join(child.as_dict(["cmdline"])["cmdline"] or []) for child in ours]  # empty of one that has ended
    return [child for child, line in zip(ours, commands, strict=True) if "CoarseGrainedExecutorBackend" in line]


@pytest.mark.slow
def test_a_cluster_that_loses_an_executor_gives_the_rows_that_one_process_gives(
    cluster: str, home: Path, build: Callable[..., bytes], recipe: Recipe, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    contents = [build(600 + n) for n in range(FILES)]
    for n, content in enumerate(contents):
        (source / str(n)).write_bytes(content)
    settings = {"LAKEWARD_SPARK_MASTER": cluster, "LAKEWARD_DEID_KEY": recipe.key.hex()}
    command = [sys.executable, "-c", LAKEWARD, "imaging", "ingest", str(source), "--json"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE) as running:
        while not any(path.stat().st_size for path in intake().glob("runs/*/*/_*.count")):
            assert running.poll() is None, "it ended before an executor could be killed"
            time.sleep(0.01)
        executors = _executors()
        executors[0].send_signal(signal.SIGKILL)
        told, _ = running.communicate()
    assert len(executors) == 2
    assert running.returncode == 0, told
    report = json.loads(told)
    assert (report["found"], report["stored"], report["duplicates"]) == (FILES, FILES, 0)

    rows = query(
        f"SELECT content_sha256, dicom, enhanced, pixels_id FROM {IMAGES.name} JOIN {PIXELS.name} USING (pixels_id)",
        IMAGES,
        PIXELS,
    ).to_pylist()
    expected = {file.columns["content_sha256"]: file for file in (process(content, recipe) for content in contents)}
    assert sorted(row["content_sha256"] for row in rows) == sorted(expected)
    for row in rows:
        file = expected[row["content_sha256"]]
        assert (row["dicom"], row["enhanced"]) == (file.dicom, file.enhanced)
    assert {row["pixels_id"][21:23] for row in rows} == {"00", "01"}  # some tasks were done again
    assert len(query(f"SELECT pixels_id FROM {PIXELS.name}", PIXELS)) == FILES
