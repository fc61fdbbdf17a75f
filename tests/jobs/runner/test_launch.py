"""A run that was launched goes on without whoever launched it."""

import os
import subprocess
import sys
from pathlib import Path

from lakeward.jobs.record.record import Record

BUNDLE = """
bundle: {name: small}
resources: {jobs: {say: {name: Say, tasks: [{task_key: it, spark_python_task: {python_file: say.py}}]}}}
"""


def test_it_goes_on_though_its_launcher_died_before_hearing_of_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text(BUNDLE)
    (tmp_path / "say.py").write_text("print('said')")
    heard, said = os.pipe()
    os.close(heard)
    command = [sys.executable, "-m", "lakeward", "jobs", "run", "say", f"--bundle={tmp_path}", "--announce"]
    subprocess.run(command, stdout=said, stderr=subprocess.DEVNULL, timeout=60)
    os.close(said)
    (run,) = Record().runs()
    assert str(run.state) == "SUCCESS"
