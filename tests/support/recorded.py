"""The events that a lakehouse's trail has, or can't get."""

from collections.abc import Callable

from lakeward.governance.trail.entries import read
from lakeward.governance.trail.sink import trail_here, write
from lakeward.workspace.events import Event, use_sink


def recorded(type_: str = "") -> list[Event]:
    """Return all events of the lakehouse, or those of a type, oldest first."""
    with trail_here().view() as view:
        told = [read(row.data or b"", row.payload or b"") for row in view.select() if row.data]
    events = [Event(**{name: it[name] for name in Event.model_fields}) for it in told]
    return [event for event in events if type_ in ("", event.type)]


def without_event(type_: str, act: Callable[[], object]) -> None:
    """Do something while events of a type can't be written."""

    def sink(event: Event) -> None:
        if event.type == type_:
            raise OSError("no space left")
        write(event)

    before = use_sink(sink)
    try:
        act()
    finally:
        use_sink(before)
