"""Work on a file in a process of its own: native code that dies of it takes nothing else along."""

import os
import pickle
from collections.abc import Callable
from typing import Any, TypeVar

from lakeward.imaging.reasons import Quarantined, Reason

T = TypeVar("T")


def alone(work: Callable[[], T]) -> T:
    """Call a function in a fork of this process.

    Raises
    ------
    Quarantined
        What the function raises; or CRASHED, if the process does not live to tell.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _tell(work, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise Quarantined(Reason.CRASHED)
    result, refusal = pickle.loads(told)  # noqa: S301 - from our own child
    if refusal:
        raise refusal
    return result  # type: ignore[no-any-return]


def _tell(work: Callable[[], Any], writer: int) -> None:
    """Do the work in the child and write down what came of it; never return."""
    status = 1
    try:
        try:
            told = pickle.dumps((work(), None))
        except Quarantined as refusal:
            told = pickle.dumps((None, refusal))
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(told)
        status = 0
    finally:
        os._exit(status)
