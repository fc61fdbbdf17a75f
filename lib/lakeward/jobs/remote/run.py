"""Running a deployed job in its workspace, and following it to its end."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lakeward.jobs.bundle.bundle import Bundle, load
from lakeward.jobs.bundle.checks import check
from lakeward.jobs.record.states import LifeCycle
from lakeward.jobs.remote.workspace import RemoteFailed, connect, deploying_user, refusals
from lakeward.workspace.events import Event, record

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run

_SECONDS_BETWEEN_LOOKS = 5.0
_ENDED = {state.value for state in LifeCycle if state.ended}


@dataclass(frozen=True)
class RemoteRun:
    """A run in a workspace, as it was when it was looked at.

    Attributes
    ----------
    state : str
        How it ended (SUCCESS, FAILED ...), or where it is (PENDING, RUNNING ...), in the Jobs API's words.
    tasks : dict of str to str
        The same for each task.
    """

    run_id: int
    job_id: int
    url: str
    state: str
    ended: bool
    tasks: dict[str, str]

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.ended and self.state in ("SUCCESS", "SUCCESS_WITH_FAILURES")


def run_remote(
    root: Path,
    target: str | None,
    job: str,
    parameters: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
    *,
    seen: Callable[[RemoteRun], None] = lambda run: None,
    seconds: float = _SECONDS_BETWEEN_LOOKS,
) -> RemoteRun:
    """Run a job where it was deployed, and follow it to its end.

    Parameters
    ----------
    parameters : mapping of str to str
        Values for the job's parameters; checked against the notebooks' models first.
    seen : callable
        Is told of the run at its start, and whenever a state has changed.
    seconds : float
        How long to wait between looks.

    Raises
    ------
    BundleRefused
        If the job could not run, or has no such parameter; nothing was run then.
    RemoteFailed
        If it is not deployed, or the workspace refused.
    """
    check(load(root, target, variables), job, parameters)
    client = connect(load(root, target, variables))
    bundle = load(root, target, variables, user=deploying_user(client))
    job_id = deployed_job(client, bundle, job)
    record(
        Event(
            type="jobs.run.started",
            object=f"{bundle.name}/{bundle.target}/{job}",
            details={"job_id": job_id, "parameters": sorted(parameters)},
        )
    )
    with refusals(f"starting job {job_id}"):
        # The token keeps a request that is sent again from starting a second run.
        started = client.jobs.run_now(job_id, job_parameters=dict(parameters) or None, idempotency_token=uuid4().hex)
    return follow(client, int(started.bind()["run_id"]), seen, seconds)


def deployed_job(client: "WorkspaceClient", bundle: Bundle, job: str) -> int:
    """Return the workspace's number of a job that a bundle has put there.

    Raises
    ------
    RemoteFailed
        If there is none, or more than one.
    """
    name = bundle.job(job).name
    ours = _anyones(f"{bundle.workspace['state_path']}/metadata.json")
    with refusals(f"looking for the job {name}"):
        found = [
            one.job_id
            for one in client.jobs.list(name=name)
            if one.job_id and one.settings and one.settings.name == name and one.settings.deployment
            # Another target's job may have the same name in the same workspace.
            if _anyones(one.settings.deployment.metadata_file_path or "") == ours
        ]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(map(str, sorted(found)))
        raise RemoteFailed(
            f"The workspace has {len(found)} deployed jobs named {name}: {numbers}. Destroy all but one."
        )
    raise RemoteFailed(
        f"The workspace has no job named {name} that was deployed from target {bundle.target} of {bundle.name}: "
        f"first run lakeward jobs deploy --target {bundle.target}"
    )


def _anyones(path: str) -> str:
    """Return a path of a workspace with whose home it is in left out: who runs a job need not have deployed it."""
    return re.sub(r"^(/Workspace)?/Users/[^/]+/", "~/", path)


def follow(
    client: "WorkspaceClient",
    run_id: int,
    seen: Callable[[RemoteRun], None] = lambda run: None,
    seconds: float = _SECONDS_BETWEEN_LOOKS,
) -> RemoteRun:
    """Look at a run until it has ended; the run goes on when looking is stopped."""
    last = _look(client, run_id)
    seen(last)
    while not last.ended:
        time.sleep(seconds)
        now = _look(client, run_id)
        if now != last:
            seen(now)
        last = now
    return last


def _look(client: "WorkspaceClient", run_id: int) -> RemoteRun:
    with refusals(f"looking at run {run_id}"):
        run = client.jobs.get_run(run_id)
    # A task that is tried again is there once for each attempt, the last one last.
    states = {
        str(task.task_key): _state(task)[0]
        for task in sorted(run.tasks or [], key=lambda task: task.attempt_number or 0)
    }
    state, ended = _state(run)
    return RemoteRun(run_id, run.job_id or 0, run.run_page_url or "", state, ended, states)


def _state(thing: "Run | Any") -> tuple[str, bool]:
    """Return one word for where a run or task is, and whether it has ended there."""
    state = thing.state
    if state is None or state.life_cycle_state is None:
        return "PENDING", False
    life_cycle = str(state.life_cycle_state.value)
    return str(state.result_state.value if state.result_state else life_cycle), life_cycle in _ENDED
