"""The commands ``lakeward jobs ...``, gathered from the parts of the area."""

import typer

from lakeward.jobs.archive.cli import diff
from lakeward.jobs.bundle.cli import list_jobs, params, validate
from lakeward.jobs.remote.cli import deploy
from lakeward.jobs.runner.cli import cancel, repair, run, runs, show
from lakeward.jobs.schedule.cli import schedule

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Jobs: check, run, watch, repair, schedule and deploy them."
)
app.command()(validate)
app.command("list")(list_jobs)
for command in (params, run, runs, show, repair, cancel, diff, schedule, deploy):
    app.command()(command)
