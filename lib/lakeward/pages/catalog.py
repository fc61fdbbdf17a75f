"""The catalog: areas, tables, columns, some rows, history; read with no JVM."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from lakeward.pages.pictures import picture
from lakeward.pages.rendering import page, size
from lakeward.pages.site import Here
from lakeward.workspace import lakehouse

if TYPE_CHECKING:
    from lakeward.workspace.tables import Column, Table

router = APIRouter()

_ROWS = 20
_LONGEST = 200
_LARGEST = 1 << 20
"""Bytes of a binary value that are worth looking into for a picture."""


@dataclass(frozen=True)
class Cell:
    """A value as the table shows it; `whole` is the text that was cut."""

    text: str
    whole: str = ""
    pictures: Sequence[str] = ()
    faint: bool = False


@router.get("/catalog", name="catalog")
def list_tables(request: Request, site: Here) -> Response:
    """Show the tables by area."""
    areas = {
        area: [(table, lakehouse.exists(table)) for table in tables]
        for area, tables in groupby(sorted(site.tables(), key=lambda table: table.name), lambda table: table.area)
    }
    return page(request, "catalog.html", areas=areas)


@router.get("/catalog/{table}", name="table")
def show_table(request: Request, site: Here, table: str) -> Response:
    """Show a table; rows of restricted ones are not for a page."""
    found = site.table(table)
    there = lakehouse.exists(found)
    # Pictures first: they are what a person looks for.
    columns = sorted(found.columns, key=lambda column: "BINARY" not in column.type)
    return page(
        request,
        "table.html",
        table=found,
        exists=there,
        history=lakehouse.history(found)[:50] if there else [],
        columns=columns,
        rows=_rows(found, columns) if there and not found.restricted else [],
        limit=_ROWS,
    )


def _rows(table: "Table", columns: "Sequence[Column]") -> list[list[Cell]]:
    names = ", ".join(map(_selected, columns))
    found = lakehouse.query(f"SELECT {names} FROM {table.name} LIMIT {_ROWS}", table)
    return [[_cell(value) for value in row.values()] for row in found.to_pylist(maps_as_pydicts="lossy")]


def _selected(column: "Column") -> str:
    # A moment as text: making it Python's own imports pandas, a second of it.
    return f'CAST("{column.name}" AS VARCHAR) AS "{column.name}"' if column.type == "TIMESTAMP" else f'"{column.name}"'


def _cell(value: Any) -> Cell:
    match value:
        case None:
            return Cell("null", faint=True)
        case bytes():
            return _binary([value])
        case [bytes(), *_]:
            return _binary(value)
        case list() | dict():
            return _text(json.dumps(value, ensure_ascii=False, default=str))
        case _:
            return _text(str(value))


def _binary(values: Sequence[bytes]) -> Cell:
    first = values[0]
    shown = picture(first) if len(first) <= _LARGEST else None
    many = f", {len(values)} values" if len(values) > 1 else ""
    return Cell(f"{size(sum(map(len, values)))}{many}", pictures=[shown] if shown else [], faint=True)


def _text(text: str) -> Cell:
    return Cell(text) if len(text) <= _LONGEST else Cell(f"{text[:_LONGEST]}…", whole=text[:5000])
