"""The commands ``lakeward audit ...``."""

import typer

from lakeward.governance.trail import cli, cli_keeping

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The audit trail: ask, verify, prove, keep.")
app.command()(cli.query)
app.command()(cli.verify)
app.command("validate-continuity")(cli.validate_continuity)
app.command()(cli.prove)
app.command("prove-consistency")(cli.prove_consistency)
app.command("check-proof")(cli.check_proof)
app.command()(cli.export)
app.command()(cli.keys)
app.command("rotate-key")(cli_keeping.rotate_key)
app.command()(cli_keeping.heartbeat)
app.command()(cli_keeping.publish)
app.command()(cli_keeping.anchor)
app.command()(cli_keeping.retention)
app.command()(cli_keeping.hold)
app.command()(cli_keeping.release)
app.command()(cli_keeping.redact)
