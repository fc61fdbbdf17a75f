"""How two runs differ: parameters, code, settings, tables, values and metrics."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakeward.jobs.archive.finish import NOTEBOOK
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Attempt

Difference = dict[str, dict[str, tuple[Any, Any]]]
"""Section, what differs in it, and what it is in the first run and in the second (None: it has none)."""


def differences(record: Record, first: int, second: int) -> Difference:
    """Return what differs between two runs; what is the same in both is left out.

    Raises
    ------
    NoSuchRun
        If there is no such run.
    """
    runs = [record.run(first), record.run(second)]
    last = [_last_attempts(record, run.run_id) for run in runs]
    sections: dict[str, list[Mapping[str, Any]]] = {
        "run": [{"job": r.job, "target": r.target, "result": str(r.state), "user": r.user} for r in runs],
        "parameters": [r.parameters for r in runs],
        "code": [r.provenance for r in runs],
        "settings": [_leaves(r.settings) for r in runs],
        "tasks": [{name: str(attempt.state) for name, attempt in attempts.items()} for attempts in last],
        "tables read": [_versions(attempts, "reads") for attempts in last],
        "tables written": [_versions(attempts, "writes") for attempts in last],
        "values": [_values(record, run.run_id) for run in runs],
        "metrics": _metrics(last),
    }
    found = {name: _apart(*pair) for name, pair in sections.items()}
    return {name: apart for name, apart in found.items() if apart}


def code_difference(record: Record, first: int, second: int) -> list[str]:
    """Return the lines of code that differ between the notebooks as they ran, as a unified diff."""
    before, after = (_last_attempts(record, run_id) for run_id in (first, second))
    lines: list[str] = []
    for name in sorted(before.keys() & after.keys()):
        old, new = (_code(attempts[name].folder / NOTEBOOK) for attempts in (before, after))
        lines += difflib.unified_diff(old, new, f"{name}, run {first}", f"{name}, run {second}", lineterm="")
    return lines


def _last_attempts(record: Record, run_id: int) -> dict[str, Attempt]:
    """Each task's last attempt, by the name of its folder."""
    return {attempt.folder.parent.name: attempt for attempt in record.attempts(run_id)}


def _versions(attempts: Mapping[str, Attempt], kind: str) -> dict[str, int]:
    """Each table's last version that a task of the run read or wrote."""
    found: dict[str, int] = {}
    for attempt in attempts.values():
        for table, version in getattr(attempt, kind).items():
            found[table] = max(version, found.get(table, -1))
    return found


def _values(record: Record, run_id: int) -> dict[str, Any]:
    named = record.values(run_id).items()
    return {
        f"{task if iteration is None else f'{task}.{iteration}'}.{name}": value
        for (task, iteration), values in named
        for name, value in values.items()
    }


def _metrics(last: list[dict[str, Attempt]]) -> list[Mapping[str, Any]]:
    """Last value of each metric that MLflow knows of each task's runs."""
    if not any(attempt.mlflow_runs for attempts in last for attempt in attempts.values()):
        return [{}, {}]
    from mlflow import MlflowClient

    from lakeward.workspace.tracking import tracking_uri

    client = MlflowClient(tracking_uri())
    return [
        {
            f"{name}.{metric}": value
            for name, attempt in attempts.items()
            for mlflow_run in attempt.mlflow_runs
            for metric, value in client.get_run(mlflow_run).data.metrics.items()
        }
        for attempts in last
    ]


def _apart(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted({*first, *second})
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _leaves(settings: Any, name: str = "") -> dict[str, Any]:
    """Nested settings as one level, by dotted names; a task is called by its key."""
    match settings:
        case dict():
            parts = {str(key): part for key, part in settings.items()}
        case list():
            parts = {_called(part, number): part for number, part in enumerate(settings)}
        case _:
            return {name: settings}
    found: dict[str, Any] = {}
    for key, part in parts.items():
        found |= _leaves(part, f"{name}.{key}" if name else key)
    return found


def _called(part: Any, number: int) -> str:
    return str(part.get("task_key", number)) if isinstance(part, dict) else str(number)


def _code(notebook: Path) -> list[str]:
    if not notebook.exists():
        return []
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    # What papermill put in holds the parameters, which are told apart from the code.
    own = [cell for cell in cells if "injected-parameters" not in cell["metadata"].get("tags", [])]
    return "\n\n".join("".join(cell["source"]) for cell in own if cell["cell_type"] == "code").splitlines()
