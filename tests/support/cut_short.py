"""A process that is killed at an event, as a store sees it: what was not committed is gone."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lakeward.governance.trail.sink import write
from lakeward.workspace.events import Event, use_sink


class Killed(BaseException):
    """Passes whatever handles errors, as a kill does; a transaction that is open is rolled back."""


@contextmanager
def killed(type_: str, after: bool = True) -> Iterator[None]:
    """Be killed when an event of a type is recorded: just after the trail has it, or just before."""

    def die(event: Event) -> None:
        if after or event.type != type_:
            write(event)
        if event.type == type_:
            raise Killed

    before = use_sink(die)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        use_sink(before)
