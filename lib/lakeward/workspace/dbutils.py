"""Databricks' ``dbutils``, as far as a notebook needs it here: widgets, task values, exit, run, secrets.

A kernel that `notebooks.execute` starts has it before its first cell; elsewhere `notebooks.bind` puts it there. What a
task of a job is told (its parameters, the values of the tasks before it) lies in a JSON file, named in the environment.
Source: Databricks Utilities reference (widgets, jobs.taskValues, notebook, secrets).
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lakeward.workspace.errors import LakewardError
from lakeward.workspace.processes import end_with_parent, replace_text
from lakeward.workspace.scrub import told

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

CONTEXT = "LAKEWARD_TASK_CONTEXT"
"""Environment variable with the path of a task's JSON file, which has the fields of `Context`."""
LARGEST_VALUE = 48 * 1024
"""Bytes of JSON that a task value may have, as on Databricks."""
_CHOICES = 1024


class NotebookExit(Exception):
    """Ends a notebook as a success; its text is the notebook's value."""


class NotThere(LakewardError):
    """A part of ``dbutils`` that is Databricks' alone."""


class _Part:
    """A part of ``dbutils``, which says what it has when asked for more."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        there = ", ".join(part for part in dir(type(self)) if not part.startswith("_"))
        raise NotThere(
            f"dbutils.{type(self).__name__.lower().removeprefix('dbutils')}.{name} is not there outside Databricks. "
            f"There are: {there}.".replace("dbutils..", "dbutils.")
        )


class Context:
    """What the process that runs a task has told it; empty where no task runs."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.in_task = bool(told)
        self.parameters: dict[str, str] = told.get("parameters", {})
        self.values: dict[str, dict[str, Any]] = told.get("values", {})
        self.set_values: str | None = told.get("set_values")
        self.notebook: str | None = told.get("notebook")

    @classmethod
    def of_environment(cls) -> "Context":
        """Read the file that the environment names."""
        path = os.environ.get(CONTEXT)
        return cls(json.loads(Path(path).read_text(encoding="utf-8")) if path else {})


class Widgets(_Part):
    """Parameters as text: what a job passed, else the notebook's variable of that name, else the widget's default."""

    def __init__(self, namespace: Mapping[str, Any], context: Context) -> None:
        self._namespace = namespace
        self._context = context
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: N803
        """Declare a parameter."""
        if not isinstance(defaultValue, str):
            raise TypeError(f"The default of the widget {name!r} must be text.")
        self._defaults[name] = defaultValue

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a parameter that is one of the choices."""
        if defaultValue not in choices:
            raise ValueError(f"The default of the widget {name!r} is none of its choices.")
        self.combobox(name, defaultValue, choices, label)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a parameter with suggestions."""
        if len(choices) > _CHOICES:
            raise ValueError(f"The widget {name!r} has {len(choices)} choices; at most {_CHOICES} are possible.")
        self.text(name, defaultValue, label)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a parameter that is some of the choices, with commas between."""
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        """Value of a parameter as text.

        Raises
        ------
        KeyError
            If no job passed it and no widget or variable has that name.
        """
        for values in (self._context.parameters, self._namespace, self._defaults):
            if name in values:
                return as_text(values[name])
        raise KeyError(f"InputWidgetNotDefined: no input widget named {name} is defined")

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:  # noqa: N802, N803
        """Value of a parameter, else the default given here."""
        try:
            return self.get(name)
        except KeyError:
            if defaultValue is None:
                raise
            return defaultValue

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """All parameters by name."""
        return {name: self.get(name) for name in {**self._context.parameters, **self._defaults}}

    def remove(self, name: str) -> None:
        """Forget a widget."""
        self._defaults.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802
        """Forget all widgets."""
        self._defaults.clear()


class TaskValues(_Part):
    """Small values that tasks of one run hand on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._set: dict[str, Any] = {}

    def set(self, key: str, value: Any) -> None:
        """Hand a value to the tasks that come after this one; outside a job nothing happens.

        Raises
        ------
        ValueError
            If it is not JSON, or takes more than 48 KiB of it.
        """
        if not isinstance(key, str) or not key:
            raise ValueError("The key of a task value must be text.")
        try:
            size = len(json.dumps(value).encode())
        except (TypeError, ValueError):
            raise ValueError(f"The task value {key!r} can't be told as JSON.") from None
        if size > LARGEST_VALUE:
            raise ValueError(f"The task value {key!r} takes {size:,} bytes of JSON; {LARGEST_VALUE:,} are possible.")
        self._set[key] = value
        if self._context.set_values:
            replace_text(Path(self._context.set_values), json.dumps(self._set))

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803
        """Value that a task before this one has set; outside a job `debugValue`.

        Raises
        ------
        ValueError
            If there is no such task or value, and no default.
        TypeError
            If no job runs, and there is no `debugValue`.
        """
        if not self._context.in_task:
            if debugValue is None:
                raise TypeError("Must pass debugValue when calling get outside of a job context")
            return debugValue
        found = self._context.values.get(taskKey, {})
        if key in found:
            return found[key]
        if default is None:
            raise ValueError(f"Task {taskKey!r} has set no value {key!r}, and no default is given.")
        return default


class Jobs(_Part):
    """Only `taskValues`."""

    def __init__(self, context: Context) -> None:
        self.taskValues = TaskValues(context)


class Notebook(_Part):
    """Ending this notebook, and running another."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def exit(self, value: str) -> NoReturn:
        """End the notebook as a success, with a value."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: int, arguments: Mapping[str, str] | None = None) -> str:
        """Run another notebook in a process of its own, and return the value that it ends with.

        Parameters
        ----------
        path : str
            Relative to this notebook's folder; the ending ``.ipynb`` may be left out.
        timeout_seconds : int
            0 for as long as it takes.

        Raises
        ------
        NotebookFailed
            If it fails, or takes longer.
        """
        from lakeward.workspace.notebooks import run_in_process

        here = Path(self._context.notebook).parent if self._context.notebook else Path.cwd()
        notebook = here / path
        if notebook.suffix != ".ipynb":
            notebook = notebook.with_name(f"{notebook.name}.ipynb")
        return run_in_process(notebook, arguments or {}, timeout_seconds or None)


class Secrets(_Part):
    """Secrets from the workspace's places."""

    def get(self, scope: str, key: str) -> str:
        """Look up a secret by its key; the scope means something on Databricks alone."""
        from lakeward.workspace.secrets import secret

        return secret(key)


class Dbutils(_Part):
    """What a notebook knows as ``dbutils``."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace

    @cached_property
    def _context(self) -> Context:
        return Context.of_environment()

    @cached_property
    def widgets(self) -> Widgets:
        """Parameters."""
        return Widgets(self._namespace, self._context)

    @cached_property
    def jobs(self) -> Jobs:
        """Task values."""
        return Jobs(self._context)

    @cached_property
    def notebook(self) -> Notebook:
        """How to end this notebook, and to run others."""
        return Notebook(self._context)

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets."""
        return Secrets()


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Give a kernel its ``dbutils``, and let it end with the process that started it."""
    end_with_parent(int(os.environ.get("JPY_PARENT_PID", "0")))
    shell.push({"dbutils": Dbutils(shell.user_ns)}, interactive=False)


def last_failure() -> str:
    """Tell in JSON what the last cell raised, with no patient data; of a notebook that ended itself, its value."""
    error: BaseException = sys.last_value  # type: ignore[assignment]
    failure: dict[str, Any] = {"error": type(error).__name__, "message": told(error), "line": _line(error)}
    if isinstance(error, NotebookExit):
        failure["exit_value"] = str(error)
    elif isinstance(error, SystemExit):
        failure["exit_code"] = exit_code(error)
    return json.dumps(failure)


def exit_code(ended: SystemExit) -> int:
    """Return the exit code that Python ends with."""
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _line(error: BaseException) -> int | None:
    """Line of the cell that ran, the last one on the way to where an error arose; that may be in another cell."""
    cell, found, trace = None, None, error.__traceback__
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if cell is None and "ipykernel_" in file:
            cell = file
        if file == cell:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def as_text(value: Any) -> str:
    """Return a value as a widget gives it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
