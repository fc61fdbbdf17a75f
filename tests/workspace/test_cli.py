import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakeward.cli import declared_tables

pytestmark = pytest.mark.usefixtures("home")

LAKEWARD = "import sys; sys.argv[0] = 'lakeward'; from lakeward.cli import main; main()"
HEAVY = {"pyspark", "pandas", "pydicom", "numpy", "pyarrow", "deltalake", "cv2", "lakeward.imaging"}


def _run(*arguments: str, program: str = LAKEWARD) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)


def test_help_lists_the_areas() -> None:
    assert {"doctor", "tables", "imaging"} <= set(_run("--help").stdout.split())


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; sys.argv = ['lakeward', '--help']; from lakeward.cli import app\napp(standalone_mode=False)"
    done = _run(program=f"{program}\nprint(*sys.modules, file=sys.stderr)")
    assert "lakeward.cli" in done.stderr.split()
    assert HEAVY & set(done.stderr.split()) == set()


def test_version() -> None:
    assert _run("--version").stdout == "0.1.0\n"


def test_doctor_ends_with_1_when_something_must_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run("doctor").returncode == 0
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    done = _run("doctor", "--json")
    assert done.returncode == 1
    assert {check["name"]: check["status"] for check in json.loads(done.stdout)}["Java"] == "fail"


def test_tables_are_listed_and_shown_before_they_exist() -> None:
    listed = json.loads(_run("tables", "list", "--json").stdout)
    assert {k: listed[0][k] for k in ("table", "exists")} == {"table": "imaging.images", "exists": False}
    shown = json.loads(_run("tables", "show", "imaging.images", "--json").stdout)
    assert shown["key"][0] in {column["column"] for column in shown["columns"]}


def test_rows_and_commits_are_shown_with_binary_values_by_size() -> None:
    pixels = next(table for table in declared_tables() if table.name == "imaging.pixels")
    row = {"pixels_id": "1f3a", "run_id": "r1", "dicom": bytes(3000), "enhanced": [bytes(20)]}
    write_deltalake(str(pixels.location), pa.Table.from_pylist([row], schema=pixels.arrow_schema))
    assert "3,000 bytes" in _run("tables", "preview", "imaging.pixels").stdout
    (shown,) = json.loads(_run("tables", "preview", "imaging.pixels", "--columns", "run_id,enhanced", "--json").stdout)
    assert shown == {"run_id": "r1", "enhanced": ["20 bytes"]}
    assert "WRITE" in _run("tables", "history", "imaging.pixels").stdout


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (["tables", "preview", "imaging.images"], "TableError", 1),
        (["tables", "show", "imaging.imagse"], "TableError", 1),
        (["tabels"], "UsageError", 2),
        (["tables", "history", "imaging.images", "-n", "0"], "UsageError", 2),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(arguments: list[str], error: str, code: int) -> None:
    done = _run(*arguments, "--json")
    assert done.returncode == code
    assert done.stderr == ""
    assert json.loads(done.stdout)["error"] == error


def test_a_person_gets_the_message_alone() -> None:
    done = _run("tables", "show", "imaging.imagse")
    assert done.stdout == ""
    assert done.stderr.startswith("There is no table 'imaging.imagse'; there are imaging.images")


def test_an_unforeseen_error_says_where_but_quotes_nothing() -> None:
    program = (
        "import sys, lakeward.workspace.doctor as d\n"
        "def examine(): raise ValueError('SMITH^JOHN')\n"
        "d.examine = examine; sys.argv = ['lakeward', 'doctor']\n"
        "from lakeward.cli import main; main()"
    )
    done = _run(program=program)
    assert done.returncode == 70
    assert "ValueError" in done.stderr
    assert "cli.py" in done.stderr
    assert "SMITH" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["doctor", "tables list", "tables show", "tables preview", "tables history"])
def test_every_command_has_help_with_an_example(command: str, home: Path) -> None:
    told = _run(*command.split(), "--help").stdout
    assert f"Example: lakeward {command}" in told
    assert "--json" in told
    assert not home.exists()
