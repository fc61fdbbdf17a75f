"""Starting runs as processes of their own, which go on when whoever started them ends."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lakeward.jobs.record.states import Started
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.settings import settings


class NotStarted(LakewardError):
    """A run was refused before it began."""

    exit_code = 2


def launch(
    root: Path,
    target: str | None,
    job: str,
    parameters: Mapping[str, str],
    started_by: Started = Started.ONE_TIME,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Start a run in the background, and return its number once it is in the record.

    Parameters
    ----------
    root : Path
        Folder of the bundle.
    parameters, variables : mapping of str to str
        Parameters of the job, and variables of the bundle.

    Raises
    ------
    NotStarted
        If the bundle, the job or a parameter is refused; with the reason.
    """
    command = ["run", job, f"--bundle={root}", f"--started-by={started_by.value}"]
    command += [f"--target={target}"] if target else []
    command += [f"--param={name}={value}" for name, value in parameters.items()]
    command += [f"--var={name}={value}" for name, value in (variables or {}).items()]
    return _start(command)


def launch_repair(run_id: int, parameters: Mapping[str, str] | None = None) -> int:
    """Start the repair of a run in the background, and return the run's number once that has begun.

    Raises
    ------
    NotStarted
        If there is nothing to repair, or it runs already; with the reason.
    """
    return _start(["repair", str(run_id), *(f"--param={name}={value}" for name, value in (parameters or {}).items())])


def _start(command: Sequence[str]) -> int:
    process = subprocess.Popen(  # noqa: S603 - this Python, and what the caller names
        [sys.executable, "-m", "lakeward", "jobs", *command, "--announce"],
        env={**os.environ, "LAKEWARD_HOME": str(settings().home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    number = process.stdout.readline() if process.stdout else ""
    if number.strip().isdecimal():
        # From here on it writes to its own log; its end is in the record.
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()
        _children[:] = [*(each for each in _children if each.poll() is None), process]
        return int(number)
    _, said = process.communicate()
    raise NotStarted(said.strip() or f"The run did not begin: its process ended with {process.returncode}.")


_children: list["subprocess.Popen[str]"] = []
"""Processes that were started and may still run: collected when they end, so that none stays a zombie."""


def announce(run_id: int, folder: Path) -> None:
    """Tell whoever launched this process its run's number, and write all else to the run's log from now on."""
    # Whoever launched it may have been killed meanwhile: the run is in the record, so it is run.
    with suppress(BrokenPipeError):
        print(run_id, flush=True)
    with (folder / "log.txt").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
