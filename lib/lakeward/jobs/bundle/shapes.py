"""Holding nodes against a model, with every fault at its file and line."""

from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from lakeward.jobs.bundle.faults import Fault, hint
from lakeward.jobs.bundle.places import Node

Model = TypeVar("Model", bound=BaseModel)

_ONLY_THERE = "is a kind of task that runs on Databricks only"
_REPOSITORY = "takes code out of a repository, where the parameters can't be checked; name files of this one"
_PYTHON = "makes jobs by Python code, which is not run to read them; write them as YAML"
_NO_MEANING = "is known to Databricks, and has no meaning here"
NOT_HERE = {
    "access_control_list": "is written as permissions in a bundle",
    "compute": _NO_MEANING,
    "deployment": _NO_MEANING,
    "duration_target": _NO_MEANING,
    "environment_variables": _NO_MEANING,
    "environment_variables_key": _NO_MEANING,
    "format": _NO_MEANING,
    "model": _NO_MEANING,
    "on_maintenance_complete": _NO_MEANING,
    "on_maintenance_start": _NO_MEANING,
    "on_streaming_backlog_exceeded": _NO_MEANING,
    "parent_path": _NO_MEANING,
    "pipeline_params": _NO_MEANING,
    "serverless_compute_id": _NO_MEANING,
    "sql_condition": _NO_MEANING,
    "triggers": _NO_MEANING,
    "ai_runtime_task": _ONLY_THERE,
    "alert_task": _ONLY_THERE,
    "clean_rooms_notebook_task": _ONLY_THERE,
    "dashboard_task": _ONLY_THERE,
    "dbt_cloud_task": _ONLY_THERE,
    "dbt_platform_task": _ONLY_THERE,
    "dbt_task": _ONLY_THERE,
    "gen_ai_compute_task": _ONLY_THERE,
    "pipeline_task": _ONLY_THERE,
    "power_bi_task": _ONLY_THERE,
    "python_operator_task": _ONLY_THERE,
    "spark_jar_task": _ONLY_THERE,
    "spark_submit_task": _ONLY_THERE,
    "git_source": _REPOSITORY,
    "GIT": _REPOSITORY,
    "continuous": "has no meaning here; give the job a schedule or a trigger",
    "python": _PYTHON,
    "pydabs": _PYTHON,
    "environments": "is the old name of targets",
    "alert": "has no meaning here; sql_task takes a file",
    "dashboard": "has no meaning here; sql_task takes a file",
    "query": "is a query of a workspace, which is not here; sql_task takes a file",
}
"""Fields that Databricks knows and that can't run here, and why."""


def check_shape(model: type[Model], node: Node, base: Path) -> tuple[Model | None, list[Fault]]:
    """Return a node as a model, or what is wrong with it."""
    try:
        return model.model_validate(node.plain()), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A task whose only kind is refused has no kind left: that is told once.
        refused = {fault["loc"][:-1] for fault in found if fault["type"] == "extra_forbidden"}
        return None, [_fault(model, node, base, e) for e in found if not (_of_whole(e) and e["loc"] in refused)]


def elsewhere(model: type[BaseModel], path: tuple[str | int, ...]) -> bool:
    """Whether a path in a model is Databricks' alone, so that its content is not looked at."""
    here = model
    for step in path:
        if isinstance(step, int):
            continue
        if step not in here.model_fields:
            return False
        annotation = here.model_fields[step].annotation
        if Any in _parts(annotation):
            return True
        here = _models(annotation)[0] if _models(annotation) else here
    return False


def _of_whole(error: Any) -> bool:
    return bool(error["type"] == "value_error")


def _fault(model: type[BaseModel], node: Node, base: Path, error: Any) -> Fault:
    loc: tuple[str | int, ...] = tuple(step for step in error["loc"] if step != "[key]")
    return node.place_of(*loc).fault(f"{_written(loc)}{_reason(model, loc, error)}", base)


def _reason(model: type[BaseModel], loc: tuple[str | int, ...], error: Any) -> str:
    name = str(loc[-1]) if loc else ""
    if error["type"] == "extra_forbidden":
        if name in NOT_HERE:
            return f" {NOT_HERE[name]}."
        return f" is not known{hint(name, _model_at(model, loc[:-1]).model_fields)}"
    if error["type"] == "missing":
        return " is missing."
    if error["type"] == "literal_error" and error["input"] in NOT_HERE:
        return f": {error['input']} {NOT_HERE[error['input']]}."
    if error["type"] == "string_pattern_mismatch":
        return f": {error['input']!r} should match {error['ctx']['pattern']}"
    return f": {error['msg'].removeprefix('Value error, ')}."


def _written(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _model_at(model: type[BaseModel], path: tuple[str | int, ...]) -> type[BaseModel]:
    for step in path:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        found = _models(field.annotation) if field else []
        model = found[0] if found else model
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _parts(annotation: Any) -> list[Any]:
    args = get_args(annotation)
    return [inner for arg in args for inner in _parts(arg)] if args else [annotation]
