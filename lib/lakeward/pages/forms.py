"""The form 'run with other parameters': a field for each of the job's parameters, typed by the notebooks' models."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lakeward.jobs.bundle.job import Job

Schema = Mapping[str, Any]

_ATTRIBUTES = re.compile(r"Attributes\n-+\n(.*)", re.DOTALL)
_TYPES = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a JSON list"}
_WORDS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "pattern": "must match {}",
}


@dataclass(frozen=True)
class Field:
    """A field of the form.

    Attributes
    ----------
    options : list of str
        All that it can be, if that is known.
    limits : dict of str to float
        ``min``, ``max`` and ``step`` of a number, empty for any other.
    fault : str
        What is wrong with the value.
    """

    name: str
    value: str
    default: str
    description: str
    expected: str
    options: list[str]
    limits: dict[str, float | str]
    fault: str


def fields(job: Job, models: Iterable[Schema], given: Mapping[str, str]) -> list[Field]:
    """Return the fields, filled with what was given, else with the defaults; each with its fault.

    Parameters
    ----------
    models : iterable of mapping
        JSON schemas of the notebooks' parameters.
    """
    known = _properties(models)
    made = []
    for parameter in job.parameters:
        schema = known.get(parameter.name, {})
        value = given.get(parameter.name, parameter.default)
        number = _type(schema) in ("integer", "number") and not _refers(value)
        made.append(
            Field(
                name=parameter.name,
                value=value,
                default=parameter.default,
                description=schema.get("description", ""),
                expected=_expected(schema),
                options=[] if _refers(value) else _options(schema),
                limits=_limits(schema) if number else {},
                fault=fault(value, schema),
            )
        )
    return made


def fault(text: str, schema: Schema) -> str:
    """Return what is wrong with a value, empty if nothing is.

    As for a notebook, a text is taken as it is, and else as the JSON that it may be.
    """
    if _refers(text) or not schema:
        return ""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    validator = Draft202012Validator(dict(schema))
    faults = [list(validator.iter_errors(value)) for value in _readings(text)]
    if not all(faults):
        return ""
    # The last reading is the one that was meant: that of a number, if it is one.
    return "; ".join(dict.fromkeys(_worded(error.validator, error.validator_value, schema) for error in faults[-1]))


def _worded(keyword: str, limit: Any, schema: Schema) -> str:
    if keyword == "minLength" and limit == 1:
        return "must not be empty"
    if keyword in _WORDS:
        return _WORDS[keyword].format(limit)
    return f"must be {_expected(schema) or 'something else'}"


def _readings(text: str) -> list[Any]:
    try:
        return [text, json.loads(text)]
    except ValueError:
        return [text]


def _refers(text: str) -> bool:
    """Whether it is known only when the run starts."""
    return "{{" in text


def _properties(models: Iterable[Schema]) -> dict[str, dict[str, Any]]:
    """All parameters of the notebooks by name, each as a schema that stands for itself."""
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        told = _told(model.get("description", ""))
        for name, schema in model.get("properties", {}).items():
            alone = {"description": told.get(name, ""), **schema, "$defs": model.get("$defs", {})}
            found.setdefault(name, alone)
    return found


def _told(docstring: str) -> dict[str, str]:
    """What a numpy-style docstring says of each attribute."""
    section = _ATTRIBUTES.search(docstring)
    told: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else ():
        if line.startswith(" "):
            told.update({name: f"{told.get(name, '')} {line.strip()}".strip() for name in names})
        else:
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
    return {name: text.replace("`", "") for name, text in told.items()}


def _type(schema: Schema) -> str:
    return str(schema.get("type", ""))


def _options(schema: Schema) -> list[str]:
    if _type(schema) == "boolean":
        return ["true", "false"]
    return [value if isinstance(value, str) else json.dumps(value) for value in schema.get("enum", [])]


def _expected(schema: Schema) -> str:
    """What it must be, in words."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    parts = [_TYPES.get(_type(schema), "")]
    parts += [
        _WORDS[keyword].format(schema[keyword]).removeprefix("must be ")
        for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
        if keyword in schema
    ]
    return ", ".join(filter(None, parts))


def _limits(schema: Schema) -> dict[str, float | str]:
    limits: dict[str, float | str] = {"step": 1 if _type(schema) == "integer" else "any"}
    limits |= {name: schema[keyword] for name, keyword in (("min", "minimum"), ("max", "maximum")) if keyword in schema}
    return limits
