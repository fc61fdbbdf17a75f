"""The command ``lakeward``: the roof over the areas, each of which is imported only when it is used."""

import json
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from lakeward import __version__
from lakeward.workspace import cli as workspace
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.scrub import places

if TYPE_CHECKING:
    from lakeward.workspace.tables import Table

DEFECT = 70
"""Exit code of an error that nobody foresaw (EX_SOFTWARE in sysexits.h)."""


@dataclass(frozen=True)
class Area:
    """A command of an area, as the list shows it; ``lakeward.<name>.cli`` has its app, ``.tables`` its tables."""

    command: str
    help: str
    name: str
    has_tables: bool = False


AREAS = [
    Area("imaging", "DICOM images: ingest, de-identify, export, and what was set aside.", "imaging", has_tables=True),
    Area("models", "Models: evidence, review, approval by signatures, the version in use.", "training"),
    Area("audit", "The audit trail: ask, verify, prove, anchor, keep.", "governance", has_tables=True),
    Area("people", "People: identities, roles, passwords, electronic signatures.", "governance.people"),
    Area("report", "Reports: compliance of a month, documents of a model version, signed.", "governance.reports"),
    Area("backup", "Backups: make, list, verify, restore, remove.", "governance.backups"),
    Area("jobs", "Job files: check, run, watch, repair, schedule, deploy.", "jobs", has_tables=True),
    Area("up", "Open the workspace: its page of jobs, runs and tables, JupyterLab, MLflow.", "pages"),
]


class Roof(TyperGroup):
    """Lists the areas with no import, and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all commands, the areas' among them."""
        return [*super().list_commands(ctx), *(area.command for area in AREAS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; of an area, only what its line in the list needs."""
        area = _area(cmd_name)
        return TyperCommand(area.command, help=area.help) if area else super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name, imported if it is an area's."""
        if args and (area := _area(args[0])):
            return args[0], get_command(import_module(f"lakeward.{area.name}.cli").app), args[1:]
        return super().resolve_command(ctx, args)


def _area(command: str) -> Area | None:
    return next((area for area in AREAS if area.command == command), None)


app = typer.Typer(cls=Roof, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(workspace.doctor)
app.command()(workspace.settings)
app.add_typer(workspace.tables, name="tables", help="The lakehouse's tables: list, show, preview, history, restore.")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)]


@app.callback()
def roof(context: typer.Context, version: Version = False) -> None:
    """Lakeward: a notebook-first analytics workspace for regulated medical-imaging AI.

    Example: lakeward doctor
    """
    context.obj = declared_tables


def declared_tables() -> "list[Table]":
    """Return the tables of all areas."""
    with_tables = [area.name for area in AREAS if area.has_tables]
    return [table for name in with_tables for table in import_module(f"lakeward.{name}.tables").TABLES]


def main() -> NoReturn:
    """Run the command; an error becomes one message and an exit code, never a traceback with values in it."""
    try:
        sys.exit(app(standalone_mode=False))
    except LakewardError as error:
        _end(type(error).__name__, str(error), error.exit_code)
    except typer.TyperException as error:
        context: Any = getattr(error, "ctx", None)
        hint = [f"Try: {context.command_path} --help"] if context and error.format_message() else []
        _end("UsageError", "\n".join([error.format_message(), *hint]), error.exit_code)
    except typer.Abort:
        _end("Aborted", "Stopped.", 130)
    except Exception as error:
        _end(type(error).__name__, _defect(error), DEFECT)


def _defect(error: Exception) -> str:
    """Where an unforeseen error came from; its own text is left out, since it may quote patient data."""
    where = [f"  {place.splitlines()[0]}" for place in places(error)]
    return "\n".join([f"A defect in Lakeward: {type(error).__name__} (its text is withheld) at", *where])


def _end(name: str, message: str, code: int) -> NoReturn:
    if "--json" in sys.argv:
        typer.echo(json.dumps({"error": name, "message": message}, ensure_ascii=False))
    else:
        typer.echo(message, err=True)
    sys.exit(code)
