"""``lakeward up`` for real: JupyterLab, MLflow and the pages, all there and all gone together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def _until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def _status(address: str) -> int:
    try:
        with urlopen(address, timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.slow
def test_all_start_behind_their_tokens_and_end_together(home: Path, bundle: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    options = [f"--port={port}", f"--bundle={bundle}", f"--notebooks={NOTEBOOKS}", "--no-browser", "--json"]
    command = [sys.executable, "-m", "lakeward", "up", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) as up:
        assert up.stdout
        addresses = json.loads("".join(_through(iter(up.stdout.readline, ""), "}")))
        assert set(addresses) == {"Workspace", "MLflow", "JupyterLab"}
        assert f":{port}/" not in addresses["Workspace"], "the port was taken"
        assert all(address.startswith("http://127.0.0.1:") for address in addresses.values())
        assert _status(addresses["JupyterLab"]) == 200
        assert _status(addresses["MLflow"]) == 200
        for name, path in (("Workspace", "/jobs"), ("JupyterLab", "/api/contents")):
            origin = "/".join(addresses[name].split("/")[:3])
            assert _status(f"{origin}{path}") == 403, f"{name} tells nothing without its token"
        again = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert again.returncode == 4, "one for a lakehouse"
        children = psutil.Process(up.pid).children(recursive=True)
        mlflow = next(child for child in children if "mlflow" in " ".join(child.cmdline()))
        mlflow.kill()
        assert up.stderr
        assert "MLflow has died" in up.stderr.readline()
        up.send_signal(signal.SIGTERM)
        assert up.wait(20) == 0
        _until(lambda: not any(child.is_running() for child in children), 10)
    taken.close()


def _through(lines: Iterable[str], last: str) -> Iterator[str]:
    for line in lines:
        yield line
        if line.strip() == last:
            return
