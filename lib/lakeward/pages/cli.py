"""The command ``lakeward up``."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lakeward.jobs.bundle.cli import Root, Target
from lakeward.workspace.console import Json, print_either

app = typer.Typer(add_completion=False)


@app.command()
def up(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the pages; the next free one if taken.")] = 8765,
    root: Root = None,
    target: Target = None,
    notebooks: Annotated[Path, typer.Option(help="Folder of the notebooks.")] = Path("notebooks"),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the addresses.")] = False,
    no_lab: Annotated[bool, typer.Option("--no-lab", help="Leave JupyterLab out.")] = False,
    no_mlflow: Annotated[bool, typer.Option("--no-mlflow", help="Leave MLflow out.")] = False,
    json: Json = False,
) -> None:
    """Start JupyterLab, MLflow and the workspace page, for this machine alone, until Ctrl-C.

    Example: lakeward up
    """
    from lakeward.pages.workspace import Wanted, running

    wanted = Wanted(context.obj, root, target, notebooks.absolute(), port, lab=not no_lab, mlflow=not no_mlflow)
    with running(wanted) as workspace:
        lines = [f"{name:10}  {address}" for name, address in workspace.addresses.items()]
        print_either(workspace.addresses, json, "\n".join([*lines, "Ctrl-C ends all of them."]))
        if not no_browser:
            workspace.open_browser()
        workspace.until_told(partial(typer.echo, err=True))
