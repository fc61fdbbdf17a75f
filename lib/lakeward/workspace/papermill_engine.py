"""How papermill runs the cells of a notebook here: until one of them ends it, and knowing of a kernel's death."""

import ast
import json
import signal
from pathlib import Path
from typing import Any, ClassVar

from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from lakeward.workspace.errors import NotebookFailed
from lakeward.workspace.kernels import RunningInterpreter
from lakeward.workspace.scrub import NO_TEXT, scrubbed, scrubbed_output

_ASK = "__import__('lakeward.workspace.dbutils', fromlist=['_']).last_failure()"


class Client(PapermillNotebookClient):  # type: ignore[misc]
    """Runs cells until one ends the notebook, and tells how it ended."""

    last: ClassVar["Client"]
    """The one of this process that ran cells last."""
    parameters = ""
    """Source of the cell that papermill has put in."""
    exit_value: str | None = None
    failure: NotebookFailed | None = None

    def papermill_execute_cells(self) -> None:
        """Run the cells in turn, as papermill does, but let a notebook end itself, and know of a kernel's death."""
        Client.last = self
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self._execute(cell, index)
            except CellExecutionError as error:
                self._end(index, error)
                return
            except DeadKernelError:
                self._died(index)
                raise
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    def _execute(self, cell: Any, index: int) -> None:
        """Run a cell; that of the parameters has them only while it runs."""
        kept = cell.source
        if _is_injected(cell):
            cell.source = self.parameters
        try:
            self.execute_cell(cell, index)
        finally:
            cell.source = kept

    def _end(self, index: int, error: Exception) -> None:
        """Note why the cells end here."""
        cell = self.nb.cells[index]
        told = self._ask()
        if "exit_value" in told or told.get("exit_code") == 0:
            self.exit_value = told.get("exit_value")
            cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            return
        lines, line = cell.source.splitlines(), told.get("line") or 0
        source = scrubbed(lines[line - 1].strip()) if 0 < line <= len(lines) else ""
        raised = told.get("error", getattr(error, "ename", type(error).__name__))
        code = told.get("exit_code", 1)
        self.failure = NotebookFailed(*self._place(index), raised, told.get("message", NO_TEXT), source, code)
        self.nb_man.cell_exception(cell, cell_index=index)

    def _died(self, index: int) -> None:
        """Note that the kernel is dead; papermill's notice on top of the copy is made of the cell's error."""
        cell = self.nb.cells[index]
        self.failure = NotebookFailed.died(*self._place(index), _end(self.km))
        text = self.failure.message
        cell.outputs.append(new_output("error", ename="DeadKernel", evalue=text, traceback=[text]))
        self.nb_man.cell_exception(cell, cell_index=index)

    def _place(self, index: int) -> tuple[str, int]:
        """Name of the notebook, and number of a cell in it, without the one that papermill has put in."""
        name = Path(self.nb.metadata.papermill["input_path"]).name
        return name, index + 1 - any(_is_injected(before) for before in self.nb.cells[:index])

    def _ask(self) -> dict[str, Any]:
        """Ask the kernel about the last error; empty if it can't tell any more."""
        for _ in range(2):  # a request that comes right after an error may be dropped
            reply = self.wait_for_reply(
                self.kc.execute("", silent=True, store_history=False, user_expressions={"told": _ASK})
            )
            told = reply["content"].get("user_expressions", {}).get("told", {}) if reply else {}
            if told.get("status") == "ok":
                return dict(json.loads(ast.literal_eval(told["data"]["text/plain"])))
        return {}


def _end(kernel: RunningInterpreter) -> int:
    """Return how a dead kernel's process ended: its exit code, or the negative number of a signal."""
    process = getattr(kernel.provisioner, "process", None)
    return process.wait() if process else 1


def _is_injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


class Engine(NBClientEngine):  # type: ignore[misc]
    """Papermill's own way to run a notebook, with `Client`."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Run a notebook whose copy, which is written from the beginning on, has no patient data in its parameters."""
        parameters = ""
        for cell in filter(_is_injected, nb.cells):
            parameters, cell.source = cell.source, scrubbed(cell.source)
            nb.metadata.papermill["parameters"] = scrubbed_output(nb.metadata.papermill["parameters"])
        return super().execute_notebook(nb, kernel_name, parameters=parameters, **options)

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        kernel: RunningInterpreter,
        parameters: str,
        start_timeout: int = 60,
        **options: Any,
    ) -> None:
        """Run the notebook of papermill's manager in a kernel that was started for it, and end that."""
        # No state of widgets: it may hold patient data, and the archive's page draws none.
        client = Client(nb_man, km=kernel, startup_timeout=start_timeout, timeout=None, store_widget_state=False)
        client.parameters = parameters
        try:
            client.execute(cleanup_kc=True)
        except DeadKernelError:
            if client.failure is None:  # it died between two cells
                name = Path(nb_man.nb.metadata.papermill["input_path"]).name
                raise NotebookFailed.died(name, None, _end(kernel)) from None


ENGINE = "lakeward"
papermill_engines.register(ENGINE, Engine)


def interrupt() -> bool:
    """Interrupt the cell that runs now, as Ctrl-C does; False if no kernel runs."""
    last = getattr(Client, "last", None)
    process = getattr(last.km.provisioner, "process", None) if last and last.km else None
    if process is None or process.poll() is not None:
        return False
    process.send_signal(signal.SIGINT)
    return True
