"""What the area's notebooks show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from lakeward.governance.backups.drill import Drill


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


def recovery(drill: "Drill", backups: Sequence[str]) -> "go.Figure":
    """Draw how much work a loss would have cost (RPO, from one backup to the next), and how long recovery takes (RTO).

    Parameters
    ----------
    drill : Drill
        What was tried.
    backups : sequence of str
        Ids of the backups, oldest first.
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from lakeward.governance.backups.drill import intervals

    spans = [(at, span.total_seconds() / 3600) for at, span in intervals(backups)]
    rpo = f"{max(hours for _, hours in spans):,.1f} h" if spans else "not known from one backup"
    titles = [f"RPO: {rpo}", f"RTO: {drill.rto.total_seconds():,.1f} s"]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.2)
    figure.add_trace(go.Scatter(x=[at for at, _ in spans], y=[hours for _, hours in spans], mode="lines+markers"), 1, 1)
    steps = drill.steps[::-1]
    figure.add_trace(go.Bar(x=[it.seconds for it in steps], y=[it.step for it in steps], orientation="h"), 1, 2)
    figure.update_xaxes(title="backup made (UTC)", col=1)
    figure.update_yaxes(title="hours since the one before", rangemode="tozero", col=1)
    figure.update_xaxes(title="seconds", col=2)
    return figure.update_layout(showlegend=False)


def timeline(events: Sequence[dict[str, Any]]) -> "go.Figure":
    """Draw who did what when, a line for each person and a color for each thing; what was refused is crossed."""
    import plotly.graph_objects as go

    things: dict[str, list[dict[str, Any]]] = {}
    for place, event in enumerate(events):
        _, thing, what = event["type"].split(".")
        told = event["details"].get("meaning", what).replace("_", " ")
        place_of = "top center" if place % 2 else "bottom center"
        symbol = "circle" if event["outcome"] == "success" else "x"
        things.setdefault(thing, []).append({**event, "told": told, "place": place_of, "symbol": symbol})
    marks = [
        go.Scatter(
            name=thing,
            x=[it["recorded"] for it in found],
            y=[it["actor"] for it in found],
            text=[it["told"] for it in found],
            hovertext=[it["reason"] or it["object"] for it in found],
            textposition=[it["place"] for it in found],
            mode="markers+text",
            marker={"size": 12, "symbol": [it["symbol"] for it in found]},
        )
        for thing, found in things.items()
    ]
    return go.Figure(marks, go.Layout(xaxis={"title": "time (UTC)"}, yaxis={"title": "who"}))
