"""All of ``lakeward up``: the pages in this process, JupyterLab and MLflow as its children."""

import os
import secrets
import signal
import socket
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from lakeward.pages import services
from lakeward.pages.services import HOST, Service
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.locks import exclusive
from lakeward.workspace.settings import settings
from lakeward.workspace.tracking import tracking_environment

if TYPE_CHECKING:
    from lakeward.workspace.tables import Table

JUPYTER_PORT, MLFLOW_PORT = 8888, 5000
_LOOK_S = 0.5
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Wanted:
    """What is to be started.

    Attributes
    ----------
    tables : callable
        Gives the declared tables.
    bundle : Path or None
        Folder of the job files; looked for from the current folder if not given.
    notebooks : Path
        Folder of the notebooks.
    port : int
        Port of the pages; the next free one if it is taken.
    """

    tables: "Callable[[], Sequence[Table]]"
    bundle: Path | None
    target: str | None
    notebooks: Path
    port: int
    lab: bool
    mlflow: bool


@dataclass(frozen=True)
class Workspace:
    """What runs; `addresses` are what a person opens, by name, with their tokens."""

    addresses: Mapping[str, str]
    services: Sequence[Service]
    folder: Path

    def open_browser(self) -> None:
        """Open the pages, by way of a file: everybody on the machine can read the arguments of a process."""
        address = escape(next(iter(self.addresses.values())))
        page = self.folder / "open.html"
        page.touch(0o600)
        page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
        webbrowser.open(page.as_uri())

    def until_told(self, say: Callable[[str], None]) -> None:
        """Run until somebody ends it; say so when a program dies before that."""
        alive = list(self.services)
        with suppress(KeyboardInterrupt):
            while True:
                for service in [one for one in alive if one.exit_code is not None]:
                    alive.remove(service)
                    say(f"{service.name} has died (exit code {service.exit_code}). {service.log} tells why.")
                time.sleep(_LOOK_S)


@contextmanager
def running(wanted: Wanted) -> Iterator[Workspace]:
    """Start all that is wanted; end it when the block ends, however it does.

    Raises
    ------
    Busy
        If it runs already for this lakehouse.
    NotStarted
        If one does not answer; then none runs.
    """
    if wanted.lab and not wanted.notebooks.is_dir():
        raise ConfigurationError(f"There is no folder {wanted.notebooks}. Name one with --notebooks, or say --no-lab.")
    folder = settings().home / "pages"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in _ENDS:
        signal.signal(number, signal.default_int_handler)
    with exclusive(folder / "up.lock", wait_s=0), ExitStack() as ends:
        token, pages = secrets.token_urlsafe(32), ends.enter_context(closing(_listening(wanted.port)))
        port = pages.getsockname()[1]
        started = _services(wanted, folder, token, port)
        ends.callback(_end, started)
        for service in started:
            service.start()
        addresses = {service.name: service.address for service in started}
        ends.callback(_serve(wanted, token, pages, addresses))
        for service in started:
            service.wait()
        yield Workspace({"Workspace": f"http://{HOST}:{port}/?token={token}", **addresses}, started, folder)


def _listening(port: int) -> socket.socket:
    free = services.free_port(port)
    return socket.create_server((HOST, free))


def _services(wanted: Wanted, folder: Path, token: str, port: int) -> list[Service]:
    """JupyterLab and MLflow, as far as they are wanted."""
    # A notebook runs in a folder of its own, and must find the same lakehouse there.
    os.environ.update({"LAKEWARD_HOME": str(settings().home), **tracking_environment()})
    lab = services.free_port(JUPYTER_PORT, (port,))
    flow = services.free_port(MLFLOW_PORT, (port, lab))
    tiles = {"lakeward": services.tile("Lakeward", "lakeward", port, {"Authorization": f"token {token}"})}
    made = []
    if wanted.mlflow:
        made.append(services.mlflow(flow, (lab,) if wanted.lab else (), folder))
        tiles["mlflow"] = services.tile("MLflow", "experiments", flow)
    if wanted.lab:
        made.append(services.jupyterlab(wanted.notebooks, lab, secrets.token_urlsafe(32), folder, tiles))
    return made


def _serve(wanted: Wanted, token: str, listening: socket.socket, links: Mapping[str, str]) -> Callable[[], None]:
    """Serve the pages in a thread, and return what ends it."""
    import uvicorn

    from lakeward.pages.app import create_app

    app = create_app(wanted.tables, wanted.bundle, target=wanted.target, token=token, links=links)
    config = uvicorn.Config(app, log_level="warning", proxy_headers=False, server_header=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()

    def end() -> None:
        server.should_exit = True
        thread.join(services.END_S)

    return end


def _end(started: Sequence[Service]) -> None:
    """End all at once, deaf to a second Ctrl-C."""
    for number in _ENDS:
        signal.signal(number, signal.SIG_IGN)
    for service in started:
        service.tell()
    for service in started:
        service.end()
