"""The commands ``lakeward jobs ...``, gathered from the parts of the area."""

import typer

from lakeward.jobs.archive.cli import diff

app = typer.Typer(no_args_is_help=True, help="Jobs: check, run, watch, repair, schedule and deploy them.")
app.command()(diff)
