"""Notebooks: typed parameters, the same on a laptop and on Databricks, and running one from a program.

A notebook's first code cell is tagged ``parameters`` and holds plain literals; its second is
``p = bind(globals(), ItsParameters)``.
"""

import ast
import json
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeward.workspace.errors import NotebookFailed, ParameterError, PrerequisiteMissing

TAG = "parameters"


class Parameters(BaseModel):
    """Base of a notebook's parameters: none but those declared, none changed later; secrets are never among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Parameters)


class LocalWidgets:
    """Databricks' widgets, served from a notebook's own variables: as strings, as there."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace

    def text(self, name: str, default: str) -> None:
        """Declare a widget; its value is the notebook's variable, so there is nothing to keep."""

    def get(self, name: str) -> str:
        """Value of the variable as text."""
        return _as_text(self._namespace[name])


class LocalDbutils:
    """The part of Databricks' ``dbutils`` that `bind` uses."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.widgets = LocalWidgets(namespace)


def bind(namespace: MutableMapping[str, Any], model: type[Model]) -> Model:
    """Read and validate a notebook's parameters.

    Parameters
    ----------
    namespace : dict
        The notebook's ``globals()``, in which its parameters cell has set every field of the model.
    model : subclass of Parameters
        What the parameters must be.

    Raises
    ------
    ParameterError
        If one is missing or ill-typed.
    """
    if missing := [name for name in model.model_fields if name not in namespace]:
        raise ParameterError(f"The parameters cell lacks {', '.join(missing)}, which {model.__name__} declares.")
    # Databricks puts its own there; a job's parameters arrive through it, and as text.
    widgets = namespace.setdefault("dbutils", LocalDbutils(namespace)).widgets
    texts: dict[str, Any] = {}
    for name in model.model_fields:
        widgets.text(name, _as_text(namespace[name]))
        texts[name] = widgets.get(name)
    try:
        return model.model_validate(texts)
    except ValidationError as error:
        texts |= _structures(texts, {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
    try:
        return model.model_validate(texts)
    except ValidationError as error:
        # Names and reasons only: a value may be the path of a patient's folder.
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ParameterError(f"Parameters don't fit {model.__name__}: {wrong}") from None


def execute(notebook: Path, output: Path, parameters: Mapping[str, Any]) -> Path:
    """Run a notebook with the running interpreter, and store it as it ran.

    Parameters
    ----------
    notebook, output : Path
        The notebook, and where the executed copy goes (also when a cell fails).
    parameters : mapping
        Values that replace those of the parameters cell.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ParameterError
        If the notebook has no such parameter; nothing ran then.
    NotebookFailed
        If a cell raised, or the kernel died.
    """
    _refuse_unknown(notebook, parameters)
    try:
        import papermill
        from nbclient.exceptions import DeadKernelError
    except ModuleNotFoundError:
        raise PrerequisiteMissing("papermill is not installed. Run make setup, or install lakeward[local].") from None
    from lakeward.workspace.kernels import RunningInterpreter

    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            notebook,
            output,
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",
            kernel_manager_class=RunningInterpreter,
            progress_bar=sys.stderr.isatty(),
        )
    except papermill.PapermillExecutionError as error:
        reason = f"{error.ename}: {str(error.evalue).strip().partition(chr(10))[0]}"
        raise NotebookFailed(
            f"{notebook.name}, cell {error.cell_index + 1}: {reason}\nThe notebook as far as it ran: {output}"
        ) from None
    except DeadKernelError:
        raise NotebookFailed(f"{notebook.name}: its process died; was there enough memory?") from None
    return output


def parameter_names(notebook: Path) -> list[str]:
    """Names that a notebook's parameters cell sets, empty if it has no such cell."""
    return [target.id for target in _targets(_parameters_cell(notebook)) if isinstance(target, ast.Name)]


def _refuse_unknown(notebook: Path, parameters: Mapping[str, Any]) -> None:
    known = parameter_names(notebook)
    if unknown := [name for name in parameters if name not in known]:
        raise ParameterError(
            f"{notebook.name} has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(known) or 'none'}."
        )


def _parameters_cell(notebook: Path) -> ast.Module:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if TAG in cell.get("metadata", {}).get("tags", [])]
        return ast.parse("".join(tagged[0]["source"]) if tagged else "")
    except OSError as error:
        raise ParameterError(f"The notebook {notebook} can't be read: {error.strerror}.") from None
    except (ValueError, KeyError, SyntaxError):
        raise ParameterError(f"{notebook} is not a notebook, or its parameters cell is not Python.") from None


def _targets(module: ast.Module) -> Iterable[ast.expr]:
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            yield from statement.targets
        elif isinstance(statement, ast.AnnAssign):
            yield statement.target


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _structures(texts: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    """Those of the texts that are JSON (a list, null), as what they say."""
    found = {}
    for name in names:
        try:
            found[name] = json.loads(texts[name])
        except (KeyError, ValueError):
            continue
    return found
