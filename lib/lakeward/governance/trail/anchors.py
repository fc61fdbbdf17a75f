"""Signed heads kept outside the store, in a folder that others guard; in a git repository each is a commit."""

import os
import subprocess
from pathlib import Path

from lakeward.governance.trail.entries import told_by
from lakeward.governance.trail.findings import Fault, Finding
from lakeward.governance.trail.notes import Checkpoint
from lakeward.governance.trail.store import View, Wanted
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event

ANCHORED = "governance.audit.anchored"
_SUFFIX = ".checkpoint"


def anchor(trail: Trail, folder: Path) -> Path:
    """Write the head of the log into a folder, and into the log that this was done; verification then looks there.

    Returns
    -------
    Path
        The head's file, named for the number of events; it is never overwritten.

    Raises
    ------
    ConfigurationError
        If the folder is not there, or git refuses.
    """
    place = folder.expanduser().resolve()
    if not place.is_dir():
        raise ConfigurationError(f"The folder {place} is not there. Make it where others than the operator guard it.")
    trail.append(Event(type=ANCHORED, object=str(place)))
    with trail.view() as view:
        state = view.state()
    if state is None:
        raise ConfigurationError(f"The trail in {trail.folder} has lost its head. Run: lakeward audit verify")
    file = place / f"{Checkpoint.parse(state.head).size:012d}{_SUFFIX}"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as out:
            out.write(state.head)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        reason = "another log's head is there" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigurationError(f"{file} can't be written: {reason}. Give each log a folder of its own.") from None
    if (place / ".git").exists():
        _git(place, "add", file.name)
        _git(place, "commit", "--quiet", "--message", f"Head of {state.frontier.size} events", "--", file.name)
    return file


def given(folder: Path) -> list[str]:
    """Return the heads in a folder that somebody says has some.

    Raises
    ------
    ConfigurationError
        If it has none.
    """
    heads = anchored(folder)
    if not heads:
        raise ConfigurationError(
            f"There is no head (*{_SUFFIX}) in {folder}. Name a folder that heads were anchored in."
        )
    return heads


def anchored(folder: Path) -> list[str]:
    """Return the heads in a folder."""
    return [file.read_text(encoding="utf-8") for file in sorted(folder.glob(f"*{_SUFFIX}"))]


def places(view: View) -> list[tuple[int, Path]]:
    """Return where heads were anchored, as the trail tells, each with the number of the last event that says so."""
    found: dict[str, int] = {}
    for row in view.select(Wanted(types=[ANCHORED])):
        if told := told_by(row):
            found[told["object"]] = row.sequence
    return [(sequence, Path(place)) for place, sequence in found.items()]


def missing(view: View) -> list[Finding]:
    """Return a finding for each place whose heads are gone."""
    return [
        Finding(Fault.DELETION, sequence, f"no head is left in {place}, where some were anchored")
        for sequence, place in places(view)
        if not anchored(place)
    ]


def _git(place: Path, *arguments: str) -> None:
    done = subprocess.run(["git", "-C", str(place), *arguments], capture_output=True, text=True)  # noqa: S603, S607
    if done.returncode:
        raise ConfigurationError(f"git {arguments[0]} in {place} failed: {done.stderr.strip().splitlines()[-1:]}")
