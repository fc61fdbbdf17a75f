"""What a person looks at: pictures before and after, what was done to a header and why, and charts."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import pandas as pd
from pydicom.datadict import dictionary_description, dictionary_has_tag, repeater_has_tag

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import Picture, display
from lakeward.imaging.pixels.tiff import decode_frame
from lakeward.imaging.reasons import Reason
from lakeward.workspace.settings import on_databricks

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from IPython.display import HTML

SIDE = 224
"""Longer side of a picture on a page, pixels."""

MEANING = {
    "X": "removed",
    "Z": "emptied or a dummy",
    "D": "replaced by a dummy",
    "C": "cleaned",
    "U": "UID replaced",
    "K": "kept",
}
"""PS3.15 Table E.1-1a in a word each."""


def listing(table: pd.DataFrame) -> "HTML":
    """Show all rows of a table, scrolling where there are many."""
    from IPython.display import HTML

    rows = table.to_html(index=False, justify="left", border=0, na_rep="", escape=True)
    style = (
        "<style>.lw{max-height:420px;overflow:auto} .lw td,.lw th{text-align:left!important;padding:3px 10px}</style>"
    )
    return HTML(f'{style}<div class="lw">{rows}</div>')


def before_and_after(rows: Iterable[Mapping[str, Any]]) -> "HTML":
    """Show the middle frame of objects as it is stored, and enhanced beside it.

    Parameters
    ----------
    rows : iterable of mapping
        With ``modality``, ``body_part_examined``, ``rows``, ``columns``, ``number_of_frames`` of ``imaging.images`` and
        ``dicom``, ``enhanced`` of ``imaging.pixels``. Both pictures are of the de-identified object.
    """
    from IPython.display import HTML

    return HTML(f'<div style="display:flex;flex-wrap:wrap;gap:14px">{"".join(map(_pair, rows))}</div>')


def _pair(row: Mapping[str, Any]) -> str:
    ds = read_object(bytes(row["dicom"]))
    middle = int(row["number_of_frames"]) // 2
    stored = next(frame for index, frame in enumerate(frames(ds)) if index == middle)
    pictures = [display(stored, ds, middle), cast(Picture, decode_frame(bytes(row["enhanced"][middle])))]
    caption = f"{row['modality']} {row['body_part_examined'] or ''} - {row['columns']} x {row['rows']}"
    if row["number_of_frames"] > 1:
        caption += f" - frame {middle + 1} of {row['number_of_frames']}"
    return (
        '<figure style="margin:0;font:12px sans-serif"><div style="display:flex;gap:2px">'
        f"{''.join(_image(picture) for picture in pictures)}</div><figcaption>{escape(caption)}</figcaption></figure>"
    )


def _image(picture: Picture) -> str:
    scale = SIDE / max(picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    resized = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=method)
    _, png = cv2.imencode(".png", resized if resized.ndim == 2 else cv2.cvtColor(resized, cv2.COLOR_RGB2BGR))
    return f'<img src="data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}" height="{SIDE}">'


def header_changes(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """List what was done to each element of objects, why, and what it holds now; what it held before is not kept.

    Parameters
    ----------
    rows : iterable of mapping
        With ``changes`` and ``header`` of ``imaging.images``.
    """
    lines: list[tuple[str, ...]] = []
    for row in rows:
        changes, model = json.loads(row["changes"]), json.loads(row["header"])
        lines += [(path, _name(path), MEANING[a], rule, _now(path, model)) for path, (a, rule) in changes.items()]
    return pd.DataFrame(lines, columns=["element", "name", "done", "rule", "now"])


def _name(path: str) -> str:
    """Names of an element and of the sequences that it is in."""
    return " > ".join(_part_name(int(part.strip("()").replace(",", ""), 16)) for part in path.split("."))


def _part_name(tag: int) -> str:
    if tag >> 16 & 1:
        return "private"
    return dictionary_description(tag) if dictionary_has_tag(tag) or repeater_has_tag(tag) else "unknown"


def _now(path: str, model: Mapping[str, Any]) -> str:
    """The value of a top-level element; nested ones are in the JSON header."""
    if "." in path:
        return "" if path.split(".")[0].strip("()").replace(",", "") in model else "(gone with its sequence)"
    element = model.get(path.strip("()").replace(",", ""))
    if element is None:
        return "(absent)"
    if element["vr"] == "SQ":
        return f"({len(element.get('Value', []))} items)"
    values = (v.get("Alphabetic", "") if isinstance(v, dict) else str(v) for v in element.get("Value", []))
    # What is archived of a job has no dates in DICOM's form; these are those of the de-identified object.
    return "\\".join(_iso(value) if element["vr"] in ("DA", "DT") else value for value in values)


def _iso(date: str) -> str:
    return "-".join(part for part in (date[:4], date[4:6], date[6:8]) if part) + (f" {date[8:]}" if date[8:] else "")


def explained(reasons: pd.DataFrame) -> pd.DataFrame:
    """Add to a table with a column ``reason`` what each means, and whether a person may release such an object."""
    codes = [Reason(code) for code in reasons["reason"]]
    releasable = ["yes" if code.releasable else "no" for code in codes]
    return reasons.assign(releasable=releasable, meaning=[code.explain for code in codes])


def _plotly() -> Any:
    """Plotly Express, drawing so that no network is needed: JupyterLab has the script. Databricks has its own way."""
    import plotly.express as px
    import plotly.io as pio

    if not on_databricks():
        pio.renderers.default = "plotly_mimetype"
    return px


def bars(table: pd.DataFrame, category: str, count: str, title: str) -> "go.Figure":
    """Draw counts by category as horizontal bars, the largest on top."""
    px = _plotly()
    figure = px.bar(table.sort_values(count), x=count, y=category, orientation="h", title=title, text=count)
    figure.update_layout(height=120 + 26 * len(table), margin={"l": 10, "r": 10, "t": 40, "b": 10}, yaxis_title="")
    return figure


def profiles_table(profiles: Iterable[Profile]) -> pd.DataFrame:
    """List profiles side by side: their options, how many rules they add, and what they let through."""
    lines = [
        (p.name, ", ".join(p.options), len(p.rules), ", ".join(sorted(p.accept)), p.description.strip())
        for p in profiles
    ]
    return pd.DataFrame(lines, columns=["profile", "options", "rules", "accepts", "for"])


def actions_table(changes: Iterable[str]) -> pd.DataFrame:
    """Count, over many objects, the actions taken and the rules behind them."""
    counts = Counter((MEANING[action], rule) for text in changes for action, rule in json.loads(text).values())
    lines = [(done, rule, elements) for (done, rule), elements in counts.most_common()]
    return pd.DataFrame(lines, columns=["done", "rule", "elements"])


def scatter(table: pd.DataFrame, x: str, y: str, color: str) -> "go.Figure":
    """Draw one column against another on logarithmic axes, colored by a third, for the rows that have both."""
    px = _plotly()
    both = table.dropna(subset=[x, y])
    figure = px.scatter(both, x=x, y=y, color=color, hover_data=list(table.columns), log_x=True, log_y=True)
    figure.update_layout(height=380, margin={"l": 10, "r": 10, "t": 20, "b": 10})
    return figure


def gallery(pictures: Iterable[Path]) -> "HTML":
    """Show PNG files as they are, each under its name."""
    from IPython.display import HTML

    figures = [
        f'<figure style="margin:0;font:12px sans-serif"><figcaption>{escape(path.stem)}</figcaption>'
        f'<img src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" '
        'style="max-width:480px"></figure>'
        for path in pictures
    ]
    return HTML(f'<div style="display:flex;flex-wrap:wrap;gap:14px">{"".join(figures)}</div>')


def bounds(samples: pd.DataFrame) -> "go.Figure":
    """Draw, for each sample, the share that was not clean and what the share among all images is below.

    Parameters
    ----------
    samples : pandas.DataFrame
        With ``sample``, ``reviewed``, ``rate`` and ``upper_95`` as in `sheets.Summary`.
    """
    px = _plotly()
    looked_at = samples[samples["reviewed"] > 0]
    labels = [f"{name[:8]} ({n} looked at)" for name, n in zip(looked_at["sample"], looked_at["reviewed"], strict=True)]
    margin = looked_at["upper_95"] - looked_at["rate"]
    figure = px.scatter(looked_at.assign(sample=labels, margin=margin), x="rate", y="sample", error_x="margin")
    figure.update_traces(error_x_symmetric=False, error_x_arrayminus=[0] * len(looked_at))
    figure.update_layout(height=140 + 40 * len(looked_at), xaxis_tickformat=".1%", xaxis_rangemode="tozero")
    return figure.update_layout(xaxis_title="not clean, up to the 95 % bound", yaxis_title="")
