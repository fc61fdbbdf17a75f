import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeward.cli import main
from lakeward.imaging.pipeline.quarantine import entries

Run = Callable[..., tuple[int, str, str]]
COMMANDS = [
    "ingest",
    "deidentify",
    "export",
    "verify",
    "new-key",
    "demo",
    "quarantine list",
    "quarantine show",
    "quarantine retry",
    "quarantine release",
    "crosswalk lookup",
    "crosswalk find",
    "crosswalk reseal",
    "review sample",
    "review next",
    "review verdict",
    "review summary",
    "withdraw",
    "retire-key",
    "optimize",
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward imaging ...` in this process: exit code, standard output, standard error."""

    def run_(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lakeward", "imaging", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run_


@pytest.fixture
def source(tmp_path: Path, build: Callable[..., bytes], marker: str) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"{marker}.dcm").write_bytes(build(1))
    (folder / f"{marker}.txt").write_text(marker)
    return folder


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(command: str, run: Run) -> None:
    code, told, _ = run(*command.split(), "--help")
    assert code == 0
    assert f"Example: lakeward imaging {command}" in re.sub(r"\s+", " ", told)
    assert "--json" in told


def test_help_imports_nothing_heavy() -> None:
    program = "import sys, lakeward.imaging.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"pyspark", "pandas", "pydicom", "numpy", "pyarrow", "cv2"}.isdisjoint(done.stdout.split())


@pytest.mark.usefixtures("home")
def test_files_to_files_tells_what_came_of_them(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "ab" * 32)
    code, told, err = run("deidentify", str(source), str(tmp_path / "out"), "--json")
    assert code == 0
    assert json.loads(told) == {
        "read": 2,
        "written": 1,
        "duplicates": 0,
        "quarantined": 1,
        "by_reason": {"not_dicom": 1},
    }
    code, text, _ = run("deidentify", str(source), str(tmp_path / "out"))
    assert re.findall(r"(\d+)\s+(files|stored|in quarantine|not_dicom)", text) == [
        ("2", "files"),
        ("1", "stored"),
        ("1", "in quarantine"),
        ("1", "not_dicom"),
    ]
    assert marker not in told + text + err


@pytest.mark.usefixtures("home")
def test_a_new_key_is_for_its_owner_and_never_overwritten(tmp_path: Path, run: Run, source: Path) -> None:
    path = tmp_path / "deid_key"
    assert run("new-key", str(path))[0] == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_text()
    assert len(bytes.fromhex(key)) == 32
    code, _, told = run("new-key", str(path))
    assert (code, path.read_text()) == (2, key)
    assert "never overwritten" in told
    assert key.strip() not in told


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["deidentify", "{in}", "{out}"], "MissingSecret", "LAKEWARD_DEID_KEY"),
        (["ingest", "{in}"], "MissingSecret", "LAKEWARD_DEID_KEY"),
        (["ingest", "{in}", "--profile", "none"], "ConfigurationError", "basic, longitudinal, research"),
        (["deidentify", "{in}", "{out}", "--profile", "{bad}"], "ConfigurationError", "name"),
        (["ingest", "{in}", "--clip-limit", "0"], "UsageError", "--clip-limit"),
        (["ingest"], "UsageError", "source"),
        (["new-key", "{none}/key"], "ConfigurationError", "none"),
        (["quarantine", "list"], "TableError", "does not exist yet"),
        (["quarantine", "release", "3f2a"], "UsageError", "--reason"),
        (["export", "{out}"], "TableError", "does not exist yet"),
        (
            ["crosswalk", "lookup", "LWAAAAAAAAAAAAAA", "--reason", "A finding to tell"],
            "MissingSecret",
            "CROSSWALK_KEY",
        ),
        (["crosswalk", "lookup", "LWAAAAAAAAAAAAAA"], "UsageError", "--reason"),
        (["withdraw", "--reason", "Consent was withdrawn"], "UsageError", "--originals"),
        (["withdraw", "LWAAAAAAAAAAAAAA", "--reason", "Consent was withdrawn"], "MissingSecret", "LAKEWARD_DEID_KEY"),
        (["review", "next", "--out", "{out}"], "TableError", "does not exist yet"),
        (["review", "verdict", "nice", "3f2a"], "UsageError", "clean"),
        (["demo", "--notebooks", "{none}"], "ConfigurationError", "01_ingest.ipynb"),
    ],
)
@pytest.mark.usefixtures("home")
def test_wrong_input_gives_one_message_and_no_jvm(
    arguments: list[str], error: str, told: str, run: Run, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text("name: B A D\n")
    places = {"in": source, "out": tmp_path / "out", "none": tmp_path / "none", "bad": tmp_path / "bad.yaml"}
    arguments = [argument.format(**places) for argument in arguments]
    code, text, err = run(*arguments)
    assert code in (1, 2)
    assert text == ""
    assert told in err
    assert "Traceback" not in err
    code, text, err = run(*arguments, "--json")
    assert json.loads(text)["error"] == error
    assert err in ("", "Nobody was added here yet, so anybody may do this. Begin with: lakeward people add\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("command", ["ingest", "deidentify"])
def test_a_source_that_is_not_there_or_not_named_is_told(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "ab" * 32)
    more = [str(tmp_path / "out")] if command == "deidentify" else []
    assert "No folder at" in run(command, str(tmp_path / "none"), *more)[2]
    assert "No source is given" in run(command, "", *more)[2]


def test_commands_on_tables_tell_what_the_functions_return(story: Any, run: Run, tmp_path: Path, marker: str) -> None:
    assert story.retried
    outputs = []

    def told(*arguments: str, code: int = 0) -> str:
        ended, out, err = run(*arguments)
        outputs.append(out + err)
        assert ended == code, err
        return err if code else out

    report = json.loads(told("ingest", str(story.source), "--json"))
    assert (report["found"], report["known"]) == (18, 18)
    held = entries()
    assert [e["source_hmac"] for e in json.loads(told("quarantine", "list", "--json"))] == [e.source_hmac for e in held]
    lines = told("quarantine", "list").splitlines()
    assert [line.split()[:2] for line in lines] == [[e.source_hmac[:12], e.reason] for e in held]
    shown = json.loads(told("quarantine", "show", held[0].source_hmac[:12], "--json"))
    assert shown["explanation"] == held[0].reason.explain
    damaged = next(e for e in held if not e.reason.releasable)
    refused = told("quarantine", "release", damaged.source_hmac, "--reason", "It was looked at closely", code=1)
    assert "Nobody can release it" in refused
    done = json.loads(told("export", str(tmp_path / "out"), "--where", "modality = 'CT'", "--json"))
    assert done["written"] == len(list((tmp_path / "out").rglob("*.dcm")))
    assert "nonsense" in told("export", str(tmp_path / "out"), "--where", "nonsense", code=1)
    assert marker not in "".join(outputs).replace(str(story.source), "")
