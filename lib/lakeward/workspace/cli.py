"""The commands ``lakeward doctor`` and ``lakeward tables``."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakeward.workspace.console import By, Json, print_either, print_json, print_records, print_rows
from lakeward.workspace.errors import TableError
from lakeward.workspace.ports import as_person

if TYPE_CHECKING:
    from lakeward.workspace.tables import Table

tables = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A table, such as imaging.images.", metavar="TABLE")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, at most.")]


def doctor(json: Json = False) -> None:
    """Say what this machine lacks, with the cure; ends with 1 if something must be mended.

    Example: lakeward doctor
    """
    from lakeward.workspace.doctor import examine

    checks = examine()
    if json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            typer.echo(f"{check.status:4}  {check.name}: {check.cause}")
            if check.cure:
                typer.echo(f"      {check.cure}")
    if any(check.status == "fail" for check in checks):
        raise typer.Exit(1)


def settings(json: Json = False) -> None:
    """List the settings: where each is set (environment, else lakeward.toml), what it is now, what it means.

    Example: lakeward settings
    """
    from lakeward.workspace.settings import Settings
    from lakeward.workspace.settings import settings as chosen

    now = chosen()
    rows = [
        {"variable": f"LAKEWARD_{name.upper()}", "value": getattr(now, name), "meaning": field.description}
        for name, field in Settings.model_fields.items()
    ]
    print_rows(rows, json)


@tables.command("list")
def list_tables(context: typer.Context, json: Json = False) -> None:
    """List the declared tables, and whether they exist yet.

    Example: lakeward tables list
    """
    from lakeward.workspace.lakehouse import exists

    rows = [{"table": t.name, "exists": exists(t), "comment": t.comment} for t in _declared(context)]
    print_rows(rows, json)


@tables.command()
def show(context: typer.Context, table: Name, json: Json = False) -> None:
    """Show a table's declaration: columns, key, clustering, checks, place.

    Example: lakeward tables show imaging.images
    """
    found = _find(context, table)
    columns = [{"column": c.name, "type": c.type, "null": c.nullable, "comment": c.comment} for c in found.columns]
    facts = {
        "table": found.name,
        "comment": found.comment,
        "location": str(found.location),
        "key": list(found.key),
        "cluster_by": list(found.cluster_by),
        "version": found.version,
        "restricted": found.restricted,
    }
    if json:
        print_json({**facts, "checks": found.checks, "columns": columns})
        return
    print_records([facts], as_json=False)
    print_rows(columns, as_json=False)
    print_rows([{"check": name, "holds for every row": sql} for name, sql in found.checks.items()], as_json=False)


@tables.command()
def preview(
    context: typer.Context,
    table: Name,
    limit: Limit = 5,
    columns: Annotated[str, typer.Option(help="Columns to show, separated by commas; all if not given.")] = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Show some rows; binary values by their size. Those of a restricted table are for who may know whose they are.

    Example: lakeward tables preview imaging.images --columns modality,rows,columns
    """
    from lakeward.workspace import lakehouse

    names = [name.strip() for name in columns.split(",") if name.strip()]
    found = _find(context, table)
    with as_person(by, "patient.identify") if found.restricted else nullcontext():
        rows = lakehouse.preview(found, limit, names or None)
    print_records(rows.to_pylist(maps_as_pydicts="lossy"), json)


@tables.command()
def history(context: typer.Context, table: Name, limit: Limit = 20, json: Json = False) -> None:
    """Show a table's commits, newest first.

    Example: lakeward tables history imaging.images
    """
    from lakeward.workspace import lakehouse

    print_rows(lakehouse.history(_find(context, table))[:limit], json)


@tables.command()
def restore(
    context: typer.Context,
    table: Name,
    reason: Annotated[str, typer.Option(help="Why; recorded. Nothing of a patient in it.")],
    version: Annotated[int | None, typer.Option(min=0, help="The version to restore.")] = None,
    at: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S"], help="A time instead, in UTC.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Bring a table back to what it was, by a new commit; tables that belong together need it one after the other.

    What was removed for good since, a patient who has withdrawn, can't come back; see lakeward backup for older states.

    Example: lakeward tables restore imaging.runs --version 3 --reason "Ingested twice" --by eve
    """
    from lakeward.workspace.lakehouse import exists
    from lakeward.workspace.restoring import restore as bring_back

    found = _find(context, table)
    if (version is None) == (at is None):
        raise typer.BadParameter("give --version or --at")
    if not exists(found):
        raise TableError(f"{table} does not exist yet: nothing has written it.")
    with as_person(by, "table.restore"):
        done = bring_back(found, reason, version, at and at.replace(tzinfo=UTC))
    text = f"{table} is as in version {done.version}: {done.rows:,} rows, before {done.rows_before:,}."
    print_either({"table": table, **done._asdict()}, json, text)


def _declared(context: typer.Context) -> "Sequence[Table]":
    """The areas' tables; the roof, which knows the areas, hands down how to get them."""
    return context.obj()  # type: ignore[no-any-return]


def _find(context: typer.Context, name: str) -> "Table":
    declared = {table.name: table for table in _declared(context)}
    if name not in declared:
        raise TableError(f"There is no table {name!r}; there are {', '.join(declared)}.")
    return declared[name]
