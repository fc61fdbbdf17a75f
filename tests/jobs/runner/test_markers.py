"""What identifies a patient in a real file is in nothing that a run leaves behind, however a job lets it out."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from deltalake import DeltaTable
from pydicom.data import get_testdata_file

from lakeward.jobs.archive.finish import summary
from lakeward.jobs.record.record import Record
from lakeward.jobs.record.rows import Run
from lakeward.workspace.scrub import WITHHELD
from running import states

Write = Callable[..., dict[str, Any]]
Go = Callable[..., Run]

READ = """
import pydicom
from pydicom.data import get_testdata_file
ds = pydicom.dcmread(get_testdata_file('CT_small.dcm'))
"""
OUT = """
import logging, os, subprocess, sys, warnings
print(ds)
print('plain', ds.PatientID, ds.StudyDate, ds.StudyInstanceUID, ds['PatientName'].value.family_name)
print('no line end', ds.PatientID, end='')
sys.stderr.write(f'{ds.AccessionNumber} {ds.PatientName}')
logging.warning('%s', ds.PatientID)
warnings.warn(str(ds.PatientName))
subprocess.run(['echo', f'{ds.PatientName} {ds.StudyInstanceUID} {ds.StudyDate}'])
"""
RAISE = """
try:
    {}[ds.PatientID]
except KeyError as error:
    raise ValueError(f'no {ds.PatientName} of {ds.StudyDate}') from error
"""
WIDGET = """
from comm import create_comm
model = {'_model_name': 'HTMLModel', '_model_module': '@jupyter-widgets/controls', '_model_module_version': '2.0.0'}
create_comm(target_name='jupyter.widget', data={'state': {**model, 'value': str(ds.PatientName)}})
"""
LITERAL = "raise ValueError('CompressedSamples^CT1')"


@pytest.fixture(scope="module")
def markers() -> list[str]:
    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    uid = ".".join(ds.StudyInstanceUID.split(".")[:8])
    return [*str(ds.PatientName).split("^"), ds.PatientID, ds.StudyDate, uid, ds.OtherPatientIDsSequence[0].PatientID]


def left(home: Path, record: Record, run: Run) -> bytes:
    """All that is kept: every byte of every file, the rows of the published tables, and what commands tell."""
    files = b"\n".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    rows = [DeltaTable(str(home / "jobs" / name)).to_pyarrow_table().to_pylist() for name in ("job_runs", "task_runs")]
    return files + str(rows).encode() + str(summary(record, run)).encode()


def found(markers: list[str], kept: bytes) -> list[str]:
    """Markers that stand for themselves: three letters come about by chance in the midst of a salt."""
    return [it for it in markers if re.search(rb"(?<![\w-])" + re.escape(it.encode()) + rb"(?![\w-])", kept)]


def test_a_notebook_lets_nothing_out(record: Record, notebook: Write, run: Go, home: Path, markers: list[str]) -> None:
    shown = "from IPython.display import HTML, display\ndisplay(HTML(f'<b>{ds.PatientID}</b>'))\n[str(ds.PatientName)]"
    ended = run(notebook("it", "", READ, OUT, shown, RAISE))
    assert states(record, ended) == {"it": "FAILED"}
    kept = left(home, record, ended)
    assert found(markers, kept) == []
    assert kept.count(WITHHELD.encode()) > 200


def test_nor_do_widgets_and_the_keys_of_what_is_shown(
    record: Record, notebook: Write, run: Go, home: Path, markers: list[str]
) -> None:
    ended = run(notebook("it", "", READ, WIDGET, "display({'application/json': {ds.PatientID: {}}}, raw=True)"))
    assert states(record, ended) == {"it": "SUCCESS"}
    assert found(markers, left(home, record, ended)) == []


def test_a_folder_that_is_a_parameter_is_in_the_record_and_what_the_task_is_told_alone(
    record: Record, notebook: Write, run: Go, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    source = "/data/pacs/Planted^Marker/Ann 1/"
    # Not even while it runs, nor if it is killed then.
    look = f"import os; os._exit(9 if len(source) == {len(source)} else 1)"
    given = {"parameters": [{"name": "source", "default": source}], "tags": {"who": source}}
    ended = run(notebook("it", "source = ''", look, given={"source": source}), **given)
    assert record.attempts(ended.run_id)[0].exit_code == 9
    files = [path for folder in (home, tmp_path / "ipython") for path in folder.rglob("*") if path.is_file()]
    holding = {
        path.name.partition("-")[0] for path in files if any(m in path.read_bytes() for m in (b"Planted", b"Ann 1"))
    }
    assert holding == {"record.sqlite", "task.json"}
    told = DeltaTable(str(home / "jobs" / "job_runs")).to_pyarrow_table().to_pylist()
    assert dict(told[0]["parameters"]) == summary(record, ended)["parameters"] == {"source": WITHHELD}


@pytest.mark.parametrize("end", [RAISE, "import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)"])
def test_a_program_lets_nothing_out(
    end: str, record: Record, program: Write, run: Go, home: Path, markers: list[str]
) -> None:
    ended = run(program("it", READ + OUT + end))
    assert states(record, ended) == {"it": "FAILED"}
    log = (record.attempts(1)[0].folder / "log.txt").read_text()
    assert log.count(WITHHELD) > 200, "nothing is lost"
    assert found(markers, left(home, record, ended)) == []


def test_nor_does_the_line_that_failed(record: Record, program: Write, run: Go) -> None:
    run(program("it", LITERAL))
    [attempt] = record.attempts(1)
    assert attempt.failure is not None
    assert attempt.failure.source.startswith(f"raise ValueError('{WITHHELD}")
    log = (attempt.folder / "log.txt").read_text()
    assert "CT1" not in str(attempt.failure) + log
    assert "it.py:1 in <module>" in log.splitlines()[0], "nothing of what runs the program"


def test_a_line_of_any_length_is_kept_safely_and_nothing_waits(record: Record, program: Write, run: Go) -> None:
    text = "import sys\nfor _ in range(20): sys.stdout.write('x ' * 40_000 + 'Doe^John')\nprint()\nprint('the last')"
    ended = run(program("it", text))
    assert states(record, ended) == {"it": "SUCCESS"}
    log = (record.attempts(1)[0].folder / "log.txt").read_text()
    assert len(log) < 20_000
    assert log.endswith(f"x{WITHHELD}\nthe last\n")
    assert "Doe" not in log
