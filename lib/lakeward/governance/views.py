"""What the area's notebooks show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def table(rows: Sequence[dict[str, Any]], *columns: str) -> "pd.DataFrame":
    """Return rows as a frame with these columns, also if there are none."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def activity(events: Sequence[dict[str, Any]]) -> "go.Figure":
    """Draw how many events of each kind each day had."""
    import plotly.graph_objects as go

    counts: dict[str, dict[str, int]] = {}
    for event in events:
        days = counts.setdefault(event["kind"], {})
        day = event["recorded"][:10]
        days[day] = days.get(day, 0) + 1
    bars = [go.Bar(name=kind, x=list(days), y=list(days.values())) for kind, days in sorted(counts.items())]
    layout = go.Layout(barmode="stack", xaxis={"title": "day (UTC)", "type": "category"}, yaxis={"title": "events"})
    return go.Figure(bars, layout)
