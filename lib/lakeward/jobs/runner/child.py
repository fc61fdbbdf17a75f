"""The process of one attempt: does a task's work, and writes how it ended beside it as its last act.

Called as ``python -m lakeward.jobs.runner.child FOLDER PARENT``; the folder's ``task.json`` says what to do.
"""

import json
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from lakeward.workspace.dbutils import exit_code
from lakeward.workspace.errors import LakewardError, NotebookFailed
from lakeward.workspace.processes import end_with_parent, replace_text
from lakeward.workspace.scrub import ScrubbedStream, places, told, watch_pydicom

Work = dict[str, Any]


def main(folder: Path, parent: int) -> int:
    """Do the work, write ``outcome.json``, and return the exit code."""
    end_with_parent(parent)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    work = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    with _scrubbing(work["kind"]):
        outcome = _done(work, folder)
    replace_text(folder / "outcome.json", json.dumps(outcome))
    return 0 if outcome["success"] else 1


@contextmanager
def _scrubbing(kind: str) -> Iterator[None]:
    """Take patient data out of what a program prints, where it is known what it has read; a kernel does so itself."""
    if kind == "notebook":
        yield
        return
    watch_pydicom()
    sys.stdout = out = ScrubbedStream(sys.stdout)
    sys.stderr = err = ScrubbedStream(sys.stderr)
    try:
        yield
    finally:
        out.end()
        err.end()


def _done(work: Work, folder: Path) -> dict[str, Any]:
    try:
        value = _KINDS[work["kind"]](work, folder)
    except NotebookFailed as failed:
        failure = {"error": failed.error, "message": failed.message, "cell": failed.cell, "source": failed.source}
        return {"success": False, "failure": failure, "code": failed.code}
    except SystemExit as ended:
        code = exit_code(ended)
        return {"success": not code, "code": code, "failure": _failure(ended) if code else None}
    except BaseException as error:
        return {"success": False, "code": 1, "failure": _failure(error)}
    return {"success": True, "exit_value": value}


def _failure(error: BaseException) -> dict[str, Any]:
    """Tell of an error, with no patient data, and print to the log where it came from."""
    text = f"exit code {exit_code(error)}" if isinstance(error, SystemExit) else told(error)
    where = [place for place in places(error) if not place.startswith(("<frozen runpy>:", "jobs/runner/child.py:"))]
    print("\n".join([*where, f"{type(error).__name__}: {text}"]), file=sys.stderr)
    source = where[-1].splitlines()[-1].strip() if where else ""  # `places` has scrubbed it
    return {"error": type(error).__name__, "message": text, "source": source}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the cell that runs, else whatever runs."""
    engine = sys.modules.get("lakeward.workspace.papermill_engine")
    if not (engine and engine.interrupt()):
        raise KeyboardInterrupt


def _notebook(work: Work, folder: Path) -> str | None:
    from lakeward.workspace.notebooks import run

    return run(Path(work["path"]), folder / "notebook.ipynb", work["injected"])


def _python_file(work: Work, folder: Path) -> None:
    sys.argv = [work["path"], *work["arguments"]]
    sys.path[0] = str(Path(work["path"]).parent)
    runpy.run_path(work["path"], run_name="__main__")


def _entry_point(work: Work, folder: Path) -> None:
    from importlib.metadata import PackageNotFoundError, distribution

    package, name = work["package"], work["entry_point"]
    try:
        found = [point for point in distribution(package).entry_points if point.name == name]
    except PackageNotFoundError:
        raise LakewardError(f"The package {package} is not installed. Install it beside Lakeward.") from None
    sys.argv = [name, *work["arguments"]]
    if found:
        found[0].load()()
        return
    # As on Databricks: where the metadata names no such entry point, the package's function of that name is called.
    module = __import__(package.replace("-", "_"))
    if not hasattr(module, name):
        raise LakewardError(f"The package {package} has neither an entry point nor a function {name}.")
    getattr(module, name)()


def _sql(work: Work, folder: Path) -> None:
    from lakeward.jobs.runner.sql import run_file

    run_file(Path(work["path"]), work["parameters"])


_KINDS: dict[str, Callable[[Work, Path], Any]] = {
    "notebook": _notebook,
    "python_file": _python_file,
    "entry_point": _entry_point,
    "sql": _sql,
}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
