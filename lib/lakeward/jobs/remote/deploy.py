"""Deploying a bundle with the user's own Databricks CLI."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from lakeward.jobs.bundle.bundle import Bundle, load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.remote.workspace import RemoteFailed
from lakeward.workspace.errors import PrerequisiteMissing
from lakeward.workspace.events import Event, record

OLDEST = (0, 218)
"""The first version of the CLI whose bundles were not a preview any more."""

_CURE = "Install it as https://docs.databricks.com/dev-tools/cli/install says, then: databricks auth login"


@dataclass(frozen=True)
class Deployed:
    """A job as it is in the workspace now."""

    job: str
    job_id: int
    name: str
    url: str


def deploy(root: Path, target: str | None = None, variables: Mapping[str, str] | None = None) -> list[Deployed]:
    """Check a bundle, deploy it with ``databricks bundle deploy``, and return its jobs in the workspace.

    What the CLI says goes to standard error as it comes.

    Raises
    ------
    BundleRefused
        If it could not run; nothing was deployed then.
    PrerequisiteMissing
        If there is no Databricks CLI.
    RemoteFailed
        If the CLI failed.
    """
    bundle = load(root, target, variables)
    check(bundle)
    program = databricks_cli()
    options = [f"--target={bundle.target}", *(f"--var={name}={value}" for name, value in (variables or {}).items())]
    record(
        Event(type="jobs.bundle.deployed", object=f"{bundle.name}/{bundle.target}", details={"jobs": [*bundle.jobs]})
    )
    _run(program, ["bundle", "deploy", *options], bundle)
    summary = json.loads(_run(program, ["bundle", "summary", "--output=json", *options], bundle))
    jobs: Mapping[str, Mapping[str, Any]] = summary.get("resources", {}).get("jobs", {})
    return [Deployed(key, int(job["id"]), str(job["name"]), str(job.get("url", ""))) for key, job in jobs.items()]


def databricks_cli() -> str:
    """Return the path of the Databricks CLI.

    Raises
    ------
    PrerequisiteMissing
        If there is none, or one that knows no bundles.
    """
    program = shutil.which("databricks")
    if program is None:
        raise PrerequisiteMissing(f"Deploying needs the Databricks CLI, which is not on the PATH. {_CURE}")
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"(\d+)\.(\d+)\.\d+", said)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        raise PrerequisiteMissing(
            f"{program} is {said.strip() or 'no Databricks CLI'}: too old to know bundles. {_CURE}"
        )
    return program


def _run(program: str, words: Sequence[str], bundle: Bundle) -> str:
    """Run the CLI in the bundle's folder; what it says on standard error is passed on, and its end kept."""
    quiet = {**os.environ, "DATABRICKS_CLI_DO_NOT_SHOW_UPGRADE_MESSAGE": "1"}
    last = ""
    # A file takes all that it prints, where a pipe that nobody reads yet would stop it.
    with (
        TemporaryFile("w+", encoding="utf-8") as printed,
        subprocess.Popen(  # noqa: S603 - the user's own CLI
            [program, *words], cwd=bundle.root, env=quiet, text=True, stdout=printed, stderr=subprocess.PIPE
        ) as running,
    ):
        for line in running.stderr or ():
            sys.stderr.write(line)
            last = line.strip() or last
        code = running.wait()
        printed.seek(0)
        out = printed.read()
    if code:
        said = f"databricks {' '.join(words[:2])} ended with {code}"
        raise RemoteFailed(f"{said}: {last or out.strip()}")
    return out
