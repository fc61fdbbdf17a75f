"""What only governance can tell: who may do something, and what legal holds keep.

As with the event port, the distribution names who answers, so that the ground floor need not know them. Where nobody
does, nothing is done: a rule that can't be asked for is not passed by.
"""

from contextlib import AbstractContextManager
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal

from lakeward.workspace.errors import PrerequisiteMissing

PORTS = "lakeward.port"
"""Group of entry points, each of the name of a function here."""

Right = Literal["image.export", "image.review", "key.rotate", "patient.identify", "patient.withdraw", "table.restore"]
"""What a person's roles may include, see ``lakeward people matrix``."""


def as_person(by: str | None, right: Right) -> AbstractContextManager[object]:
    """Let the person in who gives a command, and let them be the actor of the block's events.

    Password and one-time code are asked for; from a program each is a line of standard input, before any other. The
    secret ``entra_token`` stands for both. From the first person that was added here nobody else is let in; before, as
    on a laptop that is tried out, it is the machine's user. What a schedule does by itself needs no person.

    This guards commands, not Python: what is called from there is recorded as done by the machine's user.

    Parameters
    ----------
    by : str, optional
        The person's identity.
    right : str
        What their roles must include.

    Raises
    ------
    typer.BadParameter
        If nobody is named.
    LakewardError
        If they are not let in, or may not do it; the try is recorded.
    """
    found: AbstractContextManager[object] = _port("as_person")(by, right)
    return found


def holds() -> dict[str, str]:
    """Return the legal holds in force: name, and what is kept, such as a patient's pseudonym; empty for everything.

    Raises
    ------
    LakewardError
        If that can't be known; then nothing may be removed.
    """
    found: dict[str, str] = _port("holds")()
    return found


@cache
def _port(name: str) -> Any:
    named = next(iter(entry_points(group=PORTS, name=name)), None)
    if named is None:
        raise PrerequisiteMissing(
            "This Lakeward is not installed, or an older one is, so nobody can tell who may do this and what must be "
            "kept. Install it: make setup"
        )
    return named.load()
