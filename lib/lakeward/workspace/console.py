"""What commands print: the same rows as text for a person, or as JSON for a program."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
"""The option that every command has."""

By = Annotated[str | None, typer.Option("--by", help="Identity of the person who does it.", metavar="USER")]
"""The option of commands that are given by a person who is let in."""

_WIDEST = 100


def print_json(data: Any) -> None:
    """Print data as JSON; bytes are shown by their size."""
    typer.echo(json.dumps(_plain(data), ensure_ascii=False, indent=2))


def print_either(data: Any, as_json: bool, text: str) -> None:
    """Print data as JSON, or a text that tells the same."""
    if as_json:
        print_json(data)
    else:
        typer.echo(text)


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows that have the same few columns, as a table."""
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(rows[0] if rows else ()), box=None, header_style="bold", padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    console = Console()
    console.width = console.width if console.is_terminal else 200
    console.print(table)


def print_records(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print rows that have many columns, each row as a block of lines; long values are cut."""
    if as_json:
        print_json(rows)
        return
    for row in rows:
        width = max(map(len, row))
        for name, value in row.items():
            text = _text(value)
            typer.echo(f"{name:{width}}  {text if len(text) <= _WIDEST else text[:_WIDEST] + ' ...'}")
        typer.echo()


def _text(value: Any) -> str:
    plain = _plain(value)
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False)
    return "" if plain is None else str(plain)


def _plain(value: Any) -> Any:
    """Turn a value into what JSON knows."""
    match value:
        case bytes():
            return f"{len(value):,} bytes"
        case date():
            return value.isoformat()
        case Decimal() | Path():
            return str(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
