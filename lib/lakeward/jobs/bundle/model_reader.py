"""The subprocess that imports notebooks' parameter models: questions as JSON come in, answers go out.

Example: python -m lakeward.jobs.bundle.model_reader < questions.json
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from lakeward.workspace.errors import ParameterError
from lakeward.workspace.notebooks import Parameters, bind


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a model, and what of each set of values does not fit."""
    cell: dict[str, Any] = question["cell"]
    if not question["module"]:
        properties = {name: {"title": name, "default": value} for name, value in cell.items()}
        return {"schema": {"type": "object", "properties": properties}, "wrong": [{} for _ in question["values"]]}
    try:
        model: type[Parameters] = getattr(import_module(question["module"]), question["name"])
        schema = model.model_json_schema()
    except Exception as error:  # whatever a module raises when it is imported
        return {
            "error": f"{question['module']}.{question['name']} can't be imported ({type(error).__name__}: {error})."
        }
    properties = {name: {**known, "default": cell.get(name)} for name, known in schema["properties"].items()}
    return {
        "schema": {**schema, "properties": properties},
        "wrong": [_wrong(model, cell, given) for given in question["values"]],
    }


def _wrong(model: type[Parameters], cell: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """What does not fit, by the name to blame; by no name if they fit one by one but not together."""
    declared = {name: value for name, value in given.items() if name in model.model_fields}
    if not (together := _misfit(model, {**cell, **declared})):
        return {}
    alone = {name: _misfit(model, {**cell, name: value}) for name, value in declared.items()}
    return {name: text for name, text in alone.items() if text} or {"": together}


def _misfit(model: type[Parameters], values: Mapping[str, Any]) -> str:
    try:
        bind(dict(values), model)
    except ParameterError as error:
        return str(error).removeprefix(f"Parameters don't fit {model.__name__}: ")
    return ""


def main() -> None:
    """Answer; whatever an import prints goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    questions: Sequence[Mapping[str, Any]] = json.load(sys.stdin)
    with out:
        json.dump([answer(question) for question in questions], out)


if __name__ == "__main__":
    main()
