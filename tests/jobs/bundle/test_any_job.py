"""Whatever job our models allow, the official models allow too, and both say the same of it."""

import re
from pathlib import Path
from typing import Any

import databricks.bundles.jobs as official
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lakeward.jobs.bundle.job import Job
from lakeward.jobs.bundle.paths import settings_of

SCHEMA = Job.model_json_schema()
CLUSTER = {"spark_version": "17.3.x-scala2.13", "num_workers": 1}
ELSEWHERE = Path("/nowhere")
Strategy = st.SearchStrategy[Any]


def _values(schema: dict[str, Any], name: str = "") -> Strategy:
    """Return what a JSON schema of our models allows; null says no more than leaving the field out."""
    if "$ref" in schema:
        return _values(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of(_values(one, name) for one in schema["anyOf"] if one.get("type") != "null")
    if name == "new_cluster":
        return st.just(CLUSTER)
    if name == "job_id":
        return st.integers(1, 2**63 - 1).map(str)
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    match schema["type"]:
        case "object" if "properties" in schema:
            return _objects(schema)
        case "object":
            return st.dictionaries(st.text(min_size=1, max_size=8), _values(schema["additionalProperties"]), max_size=3)
        case "array":
            return st.lists(_values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case _:
            return _scalars(schema)


def _scalars(schema: dict[str, Any]) -> Strategy:
    match schema["type"]:
        case "string" if "pattern" in schema:
            return st.from_regex(re.compile(schema["pattern"].replace("100", "9"), re.ASCII), fullmatch=True)
        case "string":
            return st.text(max_size=8)
        case "integer":
            low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
            return st.integers(low, schema.get("maximum", 2**31 - 1))
        case kind:
            return {"boolean": st.booleans()}[kind]


def _objects(schema: dict[str, Any]) -> Strategy:
    required = schema.get("required", [])
    typed = {"type", "$ref", "anyOf", "enum", "const"}
    # What is Databricks' alone has no type here: any text will do where it must be there.
    known = {
        n: one if typed & one.keys() else {"type": "string"}
        for n, one in schema["properties"].items()
        if typed & one.keys() or n in required
    }
    fields = {name: st.deferred(lambda name=name, one=one: _values(one, name)) for name, one in known.items()}
    kinds = [name for name in fields if name.endswith("_task")]
    match schema["title"]:
        case "Task" | "BaseTask":
            return _one_of(fields, kinds, required)
        case "Trigger":
            return _one_of(fields, ["file_arrival", "periodic", "table_update"], required)
        case "PythonWheelTask":
            return _one_of(fields, ["parameters", "named_parameters"], required)
        case "Job":
            return _one_of(fields, ["schedule", "trigger"], required)
    return _one_of(fields, [], required)


def _one_of(fields: dict[str, Strategy], choice: list[str], required: list[str]) -> Strategy:
    """Return mappings with one of the fields in `choice`."""

    def mapping(chosen: str) -> Strategy:
        needed = {name: fields[name] for name in [*required, *([chosen] if chosen else [])]}
        rest = {name: one for name, one in fields.items() if name not in needed and name not in choice}
        return st.fixed_dictionaries(needed, optional=rest)

    return st.sampled_from(choice or [""]).flatmap(mapping)


jobs = _values(SCHEMA).map(Job.model_validate)
a_few = settings(max_examples=50, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@a_few
@given(jobs)
def test_the_official_models_take_it_and_lose_nothing(job: Job) -> None:
    said = settings_of(job, ELSEWHERE)
    assert official.Job.from_dict(said).as_dict() == said  # type: ignore[arg-type]


@a_few
@given(jobs)
def test_it_is_read_again_from_what_it_says(job: Job) -> None:
    assert Job.model_validate(settings_of(job, ELSEWHERE)) == job
    assert Job.model_validate(job.model_dump(mode="json")) == job
