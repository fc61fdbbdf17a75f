"""The command ``lakeward jobs deploy``, and what ``lakeward jobs run --remote`` does."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lakeward.jobs.bundle.cli import Root, Target, Variables, pairs
from lakeward.workspace.console import Json, print_either, print_rows

if TYPE_CHECKING:
    from lakeward.jobs.remote.run import RemoteRun


def deploy(root: Root = None, target: Target = None, variables: Variables = None, json: Json = False) -> None:
    """Check a bundle and deploy it to its workspace with the Databricks CLI.

    Example: lakeward jobs deploy --target dev
    """
    from lakeward.jobs.bundle.bundle import find_root
    from lakeward.jobs.remote.deploy import deploy as deploy_bundle

    jobs = deploy_bundle(root or find_root(), target, pairs("--var", variables))
    print_rows([asdict(job) for job in jobs], json)


def run_there(
    job: str,
    parameters: Mapping[str, str],
    root: Path | None,
    target: str | None,
    variables: Mapping[str, str],
    as_json: bool,
) -> None:
    """Run a deployed job in its workspace, telling each change of a state; ends as a run on this machine does."""
    from lakeward.jobs.bundle.bundle import find_root
    from lakeward.jobs.record.states import Result, exit_code
    from lakeward.jobs.remote.run import run_remote

    done = run_remote(root or find_root(), target, job, parameters, variables, seen=_Teller())
    print_either(asdict(done), as_json, f"{job}: {done.state}")
    if not done.succeeded:
        raise typer.Exit(exit_code(done.state) or exit_code(Result.FAILED))


class _Teller:
    """Tells on standard error what has changed since it last looked."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def __call__(self, run: "RemoteRun") -> None:
        """Tell of a run."""
        if not self.told:
            typer.echo(
                f"run {run.run_id}: {run.url}\nIt goes on if you stop here: databricks jobs cancel-run {run.run_id}",
                err=True,
            )
        for name, state in {**run.tasks, "": run.state}.items():
            if self.told.get(name) != state:
                typer.echo(f"  {name or 'run'}: {state}", err=True)
        self.told = {**run.tasks, "": run.state}
