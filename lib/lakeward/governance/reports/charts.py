"""Charts of reports, drawn with matplotlib: the same numbers give the same bytes."""

import io
from typing import TYPE_CHECKING, Any

from lakeward.governance.reports import style
from lakeward.governance.reports.document import Bars

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN, _HEIGHT_IN, _ROW_IN, _DPI = 7.1, 2.3, 0.3, 200
_MOST_TICKS, _TICK_PT = 8, 8


def png(bars: Bars) -> bytes:
    """Draw a chart as PNG."""
    return _drawn(bars, "png", {"Software": None})


def svg(bars: Bars) -> str:
    """Draw a chart as SVG that stands inside a page."""
    text = _drawn(bars, "svg", {"Date": None, "Creator": None}).decode()
    return text[text.index("<svg") :]


def figure(bars: Bars) -> "Figure":
    """Draw a chart, as a notebook shows it."""
    from matplotlib.figure import Figure

    lying = _HEIGHT_IN if not bars.across else 0.9 + _ROW_IN * len(bars.labels)
    drawn = Figure(figsize=(_WIDTH_IN, lying), layout="constrained")
    axes = drawn.subplots()
    _draw(axes, bars)
    _dress(axes, bars)
    return drawn


def _drawn(bars: Bars, format_: str, metadata: dict[str, None]) -> bytes:
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 8, "svg.hashsalt": bars.title}):
        figure(bars).savefig(out, format=format_, dpi=_DPI, metadata=metadata)
    return out.getvalue()


def _draw(axes: "Axes", bars: Bars) -> None:
    places = list(range(len(bars.labels)))
    below = [0] * len(places)
    for number, (name, values) in enumerate(bars.series.items()):
        look: dict[str, Any] = {"label": name, "color": style.color(name, number)}
        if bars.across:
            axes.barh(places, list(values), 0.62, left=below, **look)
        else:
            axes.bar(places, list(values), 0.72, bottom=below, **look)
        below = [one + other for one, other in zip(below, values, strict=True)]


def _dress(axes: "Axes", bars: Bars) -> None:
    from matplotlib.ticker import MaxNLocator

    places = list(range(len(bars.labels)))
    numbers, words = (axes.xaxis, axes.yaxis) if bars.across else (axes.yaxis, axes.xaxis)
    step = 1 if bars.across else -(-len(places) // _MOST_TICKS) or 1
    words.set_ticks(places[::step], labels=list(bars.labels)[::step])
    numbers.set_major_locator(MaxNLocator(integer=True))
    if bars.across:
        axes.invert_yaxis()
    axes.set_title(bars.title, loc="left", fontsize=8.5, fontweight="bold", color=style.TEXT)
    axes.grid(axis="x" if bars.across else "y", color=style.LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=style.FAINT, length=0, labelsize=_TICK_PT)
    axes.spines[:].set_visible(False)
    axes.spines["left" if bars.across else "bottom"].set(visible=True, color=style.FAINT)
    if bars.series:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7.5, labelcolor=style.TEXT)
