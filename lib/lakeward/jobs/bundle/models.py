"""The parameters of notebooks: what they are called, what they may be, and whether given values fit.

A notebook's model is read in a subprocess, which imports the notebook's library; this area must not. What came out is
kept beside the run records, and asked for again when the notebook's cells or the library's files have changed.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lakeward.jobs.record.record import home
from lakeward.workspace.errors import ParameterError
from lakeward.workspace.notebooks import TAG

Schema = dict[str, Any]
_KEPT = 500


@dataclass(frozen=True)
class Model:
    """Where a notebook's model is, as module and name, and the values of its parameters cell."""

    module: str
    name: str
    cell: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a notebook's model says: its JSON schema, and for each set of values what does not fit, by name."""

    schema: Schema
    wrong: Sequence[Mapping[str, str]]


def notebook_models(notebooks: Iterable[Path]) -> dict[Path, Schema]:
    """Return the JSON schema of each notebook's parameters, each with the default of the parameters cell.

    Raises
    ------
    ParameterError
        If a notebook can't be read, or its model can't be imported.
    """
    return {path: verdict.schema for path, verdict in judge({path: [] for path in notebooks}).items()}


def judge(values: Mapping[Path, Sequence[Mapping[str, str]]]) -> dict[Path, Verdict]:
    """Hold sets of values against the models of notebooks; names that a notebook does not declare are passed over.

    Raises
    ------
    ParameterError
        If a notebook can't be read, or its model can't be imported.
    """
    questions = {path: _question(path, sets) for path, sets in values.items()}
    keys = {path: _key(question) for path, question in questions.items()}
    kept = _kept()
    if missing := [path for path in questions if keys[path] not in kept]:
        answered = _ask([questions[path] for path in missing])
        _keep(kept := kept | {keys[path]: answer for path, answer in zip(missing, answered, strict=True)})
    answers = {path: kept[keys[path]] for path in questions}
    if broken := [f"{path.name}: {answer['error']}" for path, answer in answers.items() if "error" in answer]:
        raise ParameterError("\n".join(broken))
    return {path: Verdict(answer["schema"], answer["wrong"]) for path, answer in answers.items()}


def find_model(notebook: Path) -> Model:
    """Return where a notebook's model is: what it imports and then gives to ``bind``; no module if it binds none.

    Raises
    ------
    ParameterError
        If it is not a notebook, or its parameters are not plain literals.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        tagged = next((c for c in code if TAG in c.get("metadata", {}).get("tags", [])), None)
        assigned = ast.parse("".join(tagged["source"]) if tagged else "").body
        cell = {name: value for one in assigned for name, value in _literal(one)}
    except OSError as error:
        raise ParameterError(f"The notebook {notebook} can't be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, SyntaxError):
        raise ParameterError(f"{notebook} is not a notebook whose parameters cell holds plain literals.") from None
    trees = [tree for one in code if (tree := _parsed("".join(one["source"])))]
    bound = next((name for tree in trees for name in _bound(tree)), "")
    module, name = next((found for tree in trees for found in _imports(tree, bound)), ("", ""))
    return Model(module, name, cell)


def _literal(statement: ast.stmt) -> list[tuple[str, Any]]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, ast.literal_eval(value))]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return [(name, ast.literal_eval(value))]
    return []


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except SyntaxError:  # a cell of magics
        return None


def _bound(tree: ast.Module) -> list[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        call.args[1].id
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "bind" and len(call.args) == 2
        if isinstance(call.args[1], ast.Name)
    ]


def _imports(tree: ast.Module, name: str) -> list[tuple[str, str]]:
    """Module and name that a name was imported from."""
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return [
        (str(node.module), alias.name) for node in froms for alias in node.names if (alias.asname or alias.name) == name
    ]


def _question(notebook: Path, sets: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    found = find_model(notebook)
    return {"module": found.module, "name": found.name, "cell": found.cell, "values": [dict(one) for one in sets]}


def _ask(questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "lakeward.jobs.bundle.model_reader"],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise ParameterError(f"The notebooks' parameters can't be read: their process ended with {last or 'nothing'}.")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def _file() -> Path:
    return home() / "models.json"


def _kept() -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept


def _keep(kept: Mapping[str, Any]) -> None:
    """Keep the newest answers; where that can't be done, they are asked for again."""
    newest = dict(list(kept.items())[-_KEPT:])
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = _file().with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(newest), encoding="utf-8")
        beside.replace(_file())


def _key(question: Mapping[str, Any]) -> str:
    """Hash of all that an answer depends on: question, interpreter, and the library's files."""
    said = json.dumps([question, sys.version, _state(str(question["module"]).partition(".")[0])], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _state(package: str) -> list[tuple[str, int, int]]:
    spec = find_spec(package) if package else None
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    if spec and spec.origin:
        files.append(Path(spec.origin))
    return [(str(file), (stat := file.stat()).st_mtime_ns, stat.st_size) for file in files if file.is_file()]
