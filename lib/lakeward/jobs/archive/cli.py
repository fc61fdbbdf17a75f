"""The command ``lakeward jobs diff``."""

from typing import Annotated

import typer

from lakeward.workspace.console import Json, print_json, print_rows

Number = Annotated[int, typer.Argument(help="Number of a run.", metavar="RUN", min=1)]


def diff(
    first: Number,
    second: Number,
    code: Annotated[bool, typer.Option("--code", help="Show the lines of code that differ, too.")] = False,
    json: Json = False,
) -> None:
    """Show how two runs differ: parameters, code, settings, tables, values, metrics; ends with 1 if they do.

    Example: lakeward jobs diff 41 42
    """
    from lakeward.jobs.archive.diff import code_difference, differences
    from lakeward.jobs.record.record import Record

    record = Record()
    found = differences(record, first, second)
    lines = code_difference(record, first, second) if code else []
    if json:
        print_json({**found, **({"lines": lines} if code else {})})
    else:
        rows = [
            {"what": section, "name": name, f"run {first}": before, f"run {second}": after}
            for section, apart in found.items()
            for name, (before, after) in apart.items()
        ]
        print_rows(rows, json) if rows else typer.echo(f"Runs {first} and {second} do not differ.")
        for line in lines:
            typer.echo(line)
    if found or lines:
        raise typer.Exit(1)
