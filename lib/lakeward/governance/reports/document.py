"""A report as it is read: titles, text, tables, charts. PDF, HTML and JSON are written from this one model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Code:
    """Lines to be copied: commands, hashes."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts under the names of their columns.

    Attributes
    ----------
    widths : sequence of int
        Relative widths of the columns.
    marked : str
        Column whose words (met, not met, ...) are shown in their colors.
    exact : str
        Column of hashes and file names, in letters of one width.
    empty : str
        What is said where there are no rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]
    marked: str = ""
    exact: str = ""
    empty: str = "None."


@dataclass(frozen=True)
class Bars:
    """A chart of stacked bars: for each label, how many of each series.

    Attributes
    ----------
    across : bool
        Whether the bars lie, for labels that are words.
    """

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]
    across: bool = False


Block = Text | Code | Table | Bars


@dataclass(frozen=True)
class Section:
    """A part with a title; one of `level` 1 belongs to the one of level 0 before it."""

    title: str
    blocks: Sequence[Block]
    level: int = 0


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes
    ----------
    about : mapping
        What stands on the first page: name and value.
    figures : mapping
        Names and numbers that sum it up, shown large.
    facts : mapping
        The same for programs; only JSON has it.
    """

    title: str
    subtitle: str
    made: datetime
    about: Mapping[str, str]
    figures: Mapping[str, str]
    sections: Sequence[Section]
    facts: Mapping[str, Any]


def plain(document: Document) -> dict[str, Any]:
    """Return a report as JSON says it."""
    return {
        "title": document.title,
        "subtitle": document.subtitle,
        "made": document.made.isoformat(timespec="seconds"),
        "about": dict(document.about),
        "figures": dict(document.figures),
        "facts": dict(document.facts),
        "sections": [
            {"title": section.title, "level": section.level, "blocks": [_plain(block) for block in section.blocks]}
            for section in document.sections
        ],
    }


def _plain(block: Block) -> dict[str, Any]:
    match block:
        case Table() if block.rows:
            return {"table": [dict(zip(block.columns, row, strict=True)) for row in block.rows]}
        case Table():
            return {"table": [], "text": block.empty}
        case Bars():
            return {
                "chart": block.title,
                "labels": list(block.labels),
                "series": {name: list(values) for name, values in block.series.items()},
            }
        case Code():
            return {"code": block.text}
        case Text():
            return {"text": block.text}
