"""Notebooks: typed parameters, the same on a laptop and on Databricks, and running one from a program.

A notebook's first code cell is tagged ``parameters`` and holds plain literals; its second is
``p = bind(globals(), ItsParameters)``.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeward.workspace.dbutils import CONTEXT, Dbutils, as_text
from lakeward.workspace.errors import NotebookFailed, ParameterError, PrerequisiteMissing
from lakeward.workspace.processes import end_with_parent, replace_text

TAG = "parameters"


class Parameters(BaseModel):
    """Base of a notebook's parameters: none but those declared, none changed later; secrets are never among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=Parameters)


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
    widgets = namespace.setdefault("dbutils", Dbutils(namespace)).widgets
    texts: dict[str, Any] = {}
    for name in model.model_fields:
        widgets.text(name, as_text(namespace[name]))
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
    """Run a notebook as `run` does, and return `output`."""
    run(notebook, output, parameters)
    return output


def run(notebook: Path, output: Path, parameters: Mapping[str, Any]) -> str | None:
    """Run a notebook with the running interpreter, and store it as it ran.

    Parameters
    ----------
    notebook, output : Path
        The notebook, and where the executed copy goes (also when a cell fails).
    parameters : mapping
        Values that replace those of the parameters cell.

    Returns
    -------
    str or None
        The value that it gave to ``dbutils.notebook.exit``.

    Raises
    ------
    ParameterError
        If the notebook has no such parameter; nothing ran then.
    NotebookFailed
        If a cell raised, or the kernel died.
    """
    _refuse_unknown(notebook, parameters)
    try:
        from lakeward.workspace import kernels
    except ModuleNotFoundError:
        raise PrerequisiteMissing("papermill is not installed. Run make setup, or install lakeward[local].") from None
    output.parent.mkdir(parents=True, exist_ok=True)
    with kernels.started() as kernel:
        # Only now, so that the kernel starts while papermill is imported, which takes as long.
        with _no_grammar():
            import papermill

        from lakeward.workspace.papermill_engine import ENGINE, Client

        try:
            papermill.execute_notebook(
                notebook,
                output,
                parameters=dict(parameters),
                engine_name=ENGINE,
                kernel_name="python3",
                language="python",
                progress_bar=sys.stderr.isatty(),
                kernel=kernel,
            )
        except papermill.PapermillExecutionError as error:
            # Raised once the copy is written, with a notice of the failure on top.
            raise (Client.last.failure or error) from None
    return Client.last.exit_value


@contextmanager
def _no_grammar() -> Iterator[None]:
    """Keep jsonschema from building a grammar of IRIs, which takes longer than all else; no notebook has an IRI."""
    name = "rfc3987_syntax"
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


def run_in_process(notebook: Path, parameters: Mapping[str, Any], timeout_s: float | None = None) -> str:
    """Run a notebook in a process of its own, keep no copy of it, and return the value that it ended with.

    Raises
    ------
    ParameterError
        If the notebook has no such parameter.
    NotebookFailed
        If it failed, or took longer than `timeout_s`.
    """
    _refuse_unknown(notebook, parameters)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = {"notebook": str(notebook), "parameters": {k: as_text(v) for k, v in parameters.items()}}
        (folder / "context.json").write_text(json.dumps(context), encoding="utf-8")
        command = [sys.executable, "-m", __name__, str(notebook), name, json.dumps(dict(parameters))]
        environment = {**os.environ, CONTEXT: str(folder / "context.json")}
        try:
            ended = subprocess.run(  # noqa: S603 - this Python
                command, env=environment, timeout=timeout_s, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotebookFailed(notebook.name, None, "", f"it took longer than {timeout_s} seconds") from None
        if ended.returncode == 0:
            return json.loads((folder / "value.json").read_text(encoding="utf-8")) or ""
        failure = folder / "failure.json"
        if failure.exists():
            raise NotebookFailed(**json.loads(failure.read_text(encoding="utf-8")))
        raise NotebookFailed.died(notebook.name, None, ended.returncode)


def _main(notebook: str, folder: str, parameters: str) -> None:
    """Be the process of `run_in_process`."""
    end_with_parent(os.getppid())
    try:
        value = run(Path(notebook), Path(folder) / "ran.ipynb", json.loads(parameters))
    except NotebookFailed as failed:
        replace_text(Path(folder) / "failure.json", json.dumps({"notebook": Path(notebook).name, **vars(failed)}))
        sys.exit(1)
    replace_text(Path(folder) / "value.json", json.dumps(value))


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


def _structures(texts: Mapping[str, str], names: Iterable[str]) -> dict[str, Any]:
    """Those of the texts that are JSON (a list, null), as what they say."""
    found = {}
    for name in names:
        try:
            found[name] = json.loads(texts[name])
        except (KeyError, ValueError):
            continue
    return found


if __name__ == "__main__":
    _main(*sys.argv[1:])
