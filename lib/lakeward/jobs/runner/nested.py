"""A run that is a task of another run: it ends with that one's process, and tells it how it ended or was refused."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeward.jobs.record.rows import Run
from lakeward.jobs.record.states import Result
from lakeward.jobs.runner.truth import OUTCOME
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.processes import end_with_parent, replace_text


@dataclass(frozen=True)
class Nested:
    """Where a run is nested: the folder of the attempt whose process it is; in none if it is a run by itself."""

    folder: Path | None
    parent: tuple[int, str] | None

    @classmethod
    def of(cls, folder: Path | None) -> "Nested":
        """Read from an attempt's folder which run and task it belongs to."""
        if folder is None:
            return cls(None, None)
        told = json.loads((folder / "task.json").read_text(encoding="utf-8"))
        end_with_parent(told["process"])
        run_id, task = told["parent"]
        return cls(folder, (run_id, task))

    def end(self, run: Run) -> None:
        """Write how the run ended."""
        success = run.state.result in (Result.SUCCESS, Result.SUCCESS_WITH_FAILURES)
        message = f"Run {run.run_id} of the job {run.job} ended as {run.state}. lakeward jobs show {run.run_id}"
        failure = None if success else {"error": "RunFailed", "message": message}
        self._tell({"success": success, "code": 0 if success else 1, "run_id": run.run_id, "failure": failure})

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Write why the run was refused, if it is."""
        try:
            yield
        except LakewardError as error:
            failure = {"error": type(error).__name__, "message": str(error)}
            self._tell({"success": False, "code": error.exit_code, "failure": failure})
            raise

    def _tell(self, outcome: Mapping[str, Any]) -> None:
        if self.folder:
            replace_text(self.folder / OUTCOME, json.dumps(outcome))
