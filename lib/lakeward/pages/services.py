"""The other programs of ``lakeward up``: JupyterLab and MLflow, each a process that does not outlive this one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from lakeward.workspace.errors import LakewardError
from lakeward.workspace.processes import end_with_parent
from lakeward.workspace.tracking import folder as store
from lakeward.workspace.tracking import tracking_uri

HOST = "127.0.0.1"
_PORTS_TRIED = 50
_START_S = 120
END_S = 10
_ICONS = Path(__file__).parent / "static"

_OFFLINE = {
    "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "news_url": None,
    "extension_manager": "readonly",
}
"""JupyterLab asks nobody for news, and installs nothing."""


class NotStarted(LakewardError):
    """A program that was to be started did not answer."""


@dataclass
class Service:
    """A program that answers on a port of this machine.

    Parameters
    ----------
    address : str
        What a person opens.
    environment : mapping of str to str
        What it gets beside this process's own; also secrets, since everybody on the machine can read arguments.
    """

    name: str
    command: Sequence[str]
    address: str
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, in a group of its own, so that a Ctrl-C reaches it only through `end`."""
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGTERM),
            )

    def wait(self) -> None:
        """Return when it answers.

        Raises
        ------
        NotStarted
            If it ends before that, or takes too long.
        """
        deadline = time.monotonic() + _START_S
        while self.exit_code is None and time.monotonic() < deadline:
            if answers(self.address):
                return
            time.sleep(0.1)
        raise NotStarted(f"{self.name} did not start{self._ending}. {self.log} tells why.")

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self.process.poll() if self.process else None

    @property
    def _ending(self) -> str:
        return f" (exit code {self.exit_code})" if self.exit_code is not None else f" within {_START_S} s"

    def tell(self, number: int = signal.SIGTERM) -> None:
        """Ask it, and what it has started itself, to end."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Wait until it has ended, and make it."""
        if self.process:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(END_S)
            self.tell(signal.SIGKILL)
            self.process.wait()


def jupyterlab(notebooks: Path, port: int, token: str, folder: Path, tiles: Mapping[str, object]) -> Service:
    """Return JupyterLab on a folder of notebooks, with tiles in its launcher that lead to the other programs."""
    config = folder / "jupyter.json"
    with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"ServerProxy": {"servers": tiles}, "LabApp": _OFFLINE}, file)
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--config={config}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
        *(["--allow-root"] if os.geteuid() == 0 else []),  # in a container there is nobody else
    ]
    address = f"http://{HOST}:{port}/lab?token={token}"
    return Service("JupyterLab", command, address, folder / "jupyterlab.log", {"JUPYTER_TOKEN": token})


def mlflow(port: int, others: Sequence[int], folder: Path) -> Service:
    """Return MLflow's server on the store that notebooks write to; JupyterLab's proxy shows it on `others`."""
    origins = ",".join(f"http://{host}:{one}" for one in (port, *others) for host in (HOST, "localhost"))
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        f"--host={HOST}",
        f"--port={port}",
        "--workers=1",
        f"--backend-store-uri={tracking_uri()}",
        f"--default-artifact-root={(store() / 'artifacts').as_uri()}",
        "--no-serve-artifacts",
        f"--allowed-hosts={HOST}:*,localhost:*",
        f"--cors-allowed-origins={origins}",
        "--x-frame-options=DENY",
    ]
    # Its own job runner, eight more processes, is for what Lakeward doesn't use.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Service("MLflow", command, f"http://{HOST}:{port}", folder / "mlflow.log", quiet)


def tile(title: str, icon: str, port: int, headers: Mapping[str, str] | None = None) -> dict[str, object]:
    """Return a tile of JupyterLab's launcher, for a program that runs already."""
    return {
        "command": [],
        "port": port,
        "new_browser_tab": True,
        "launcher_entry": {"title": title, "icon_path": str(_ICONS / f"{icon}.svg")},
        "request_headers_override": dict(headers or {}),
    }


def free_port(wanted: int, taken: Sequence[int] = ()) -> int:
    """Return the first free port from the wanted one on.

    Raises
    ------
    NotStarted
        If many in a row are taken.
    """
    for port in range(wanted, wanted + _PORTS_TRIED):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((HOST, port))
            except OSError:
                continue
            if port not in taken:
                return port
    raise NotStarted(f"The ports {wanted} to {wanted + _PORTS_TRIED - 1} are taken. Choose another with --port.")


def answers(address: str) -> bool:
    """Whether anything answers there, be it a refusal."""
    try:
        urlopen(address, timeout=5).close()  # noqa: S310 - our own address
    except HTTPError:
        return True
    except (URLError, OSError):
        return False
    return True
