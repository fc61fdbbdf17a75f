"""The events that a lakehouse's trail has."""

from lakeward.governance.trail.entries import read
from lakeward.governance.trail.sink import trail_here
from lakeward.workspace.events import Event


def recorded(type_: str = "") -> list[Event]:
    """Return all events of the lakehouse, or those of a type, oldest first."""
    with trail_here().view() as view:
        told = [read(row.data or b"", row.payload or b"") for row in view.select()]
    events = [Event(**{name: it[name] for name in Event.model_fields}) for it in told]
    return [event for event in events if type_ in ("", event.type)]
