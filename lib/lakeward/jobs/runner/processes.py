"""The processes of attempts: started, watched, and ended when they must stop."""

import contextlib
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lakeward.jobs.record.rows import State
from lakeward.jobs.runner.stop import Stop
from lakeward.workspace.dbutils import CONTEXT
from lakeward.workspace.scrub import Lines

_PIECE = 64 * 1024
_LOOK_MS = 100
_DRAIN_S = 1.0
"""Longest time to read what a process has printed, after its end."""
GRACE_S = 10.0
"""How long an interrupted process may take to tidy up before it is killed."""
RUNNERS_GRACE_S = 3 * GRACE_S
"""The same for the runner of a job that is a task of another, which grants the processes of its own tasks as long."""


class Process:
    """A process that ends with this one, and when it must stop.

    Parameters
    ----------
    command : sequence of str
        What to run with this Python.
    log : Path
        Where all goes that it prints, with patient data taken out.
    grace_s : float
        How long it may take to tidy up.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], stop: Stop, grace_s: float
    ) -> None:
        self.stopped: State | None = None
        self._stop = stop
        self._grace_s = grace_s
        self._kill_at = 0.0
        self._log = log
        self._pipe, output = os.pipe()
        try:
            # A session of its own: Ctrl-C in the terminal is for the runner to hear, and to pass on.
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and what the job says
                [sys.executable, "-u", *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(output)

    def wait(self) -> int:
        """Keep what it prints until its end, and return the exit code; a signal as a negative number."""
        lines, decode = Lines(), getincrementaldecoder("utf-8")("replace").decode
        try:
            with self._log.open("a", encoding="utf-8", newline="") as log:
                for piece in self._printed():
                    log.write(lines.add(decode(piece)))
                    log.flush()
                log.write(lines.add(decode(b"", True)) + lines.end())
        finally:
            os.close(self._pipe)
        return self._process.wait()

    def _printed(self) -> Iterator[bytes]:
        """Yield what it prints, to its end; what it has left behind may hold the pipe open for longer."""
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        end = math.inf
        while time.monotonic() < end:
            # Asked before the pipe, so that all that it has printed is in there.
            if self._process.poll() is not None:
                end = min(end, time.monotonic() + _DRAIN_S)
            if waiting.poll(0 if end < math.inf else _LOOK_MS):
                if not (piece := os.read(self._pipe, _PIECE)):
                    return
                yield piece
            elif end < math.inf:
                return

    def tick(self) -> None:
        """Interrupt it if there is a reason to stop, and kill it if that has not helped for long."""
        if self._process.poll() is not None:
            return
        if self.stopped is None and (reason := self._stop.reason):
            self.stopped = reason
            self._kill_at = time.monotonic() + self._grace_s
            self._process.send_signal(signal.SIGTERM)
        elif self.stopped and time.monotonic() >= self._kill_at:
            self.kill()

    def kill(self) -> None:
        """Kill it with all that it has started."""
        end_all(self._log.parent)
        self._process.kill()


def end_all(folder: Path) -> None:
    """Kill all processes that work for an attempt, or for any attempt of a run, as their environment says."""
    import psutil

    mine = f"{folder}{os.sep}"
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(CONTEXT, "").startswith(mine):
                process.kill()


class Processes:
    """All processes that a runner has now."""

    def __init__(self) -> None:
        self._all: set[Process] = set()
        self._lock = threading.Lock()

    def run(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str], stop: Stop, grace_s: float
    ) -> tuple[int, State | None]:
        """Run one; return its exit code, and the state that it was stopped with, if it was."""
        # The system's signal at the end of a parent means its thread: this one waits, so it outlives the process.
        with self._lock:
            process = Process(command, log, environment, stop, grace_s)
            self._all.add(process)
        try:
            exit_code = process.wait()
            if process.stopped:
                end_all(log.parent)
            return exit_code, process.stopped
        except BaseException:
            process.kill()  # nobody keeps what it prints any more
            raise
        finally:
            with self._lock:
                self._all.discard(process)

    def tick(self) -> None:
        """Look after all."""
        with self._lock:
            current = list(self._all)
        for process in current:
            process.tick()
