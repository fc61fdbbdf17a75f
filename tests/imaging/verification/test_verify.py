"""The whole verification, as the command and the notebook run it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lakeward.cli import main
from lakeward.imaging.verification.report import Check, Verification, as_table, matrix, reasons_table, screen
from lakeward.workspace.notebooks import execute

NOTEBOOK = Path(__file__).parents[3] / "notebooks" / "imaging" / "03_verify.ipynb"


@pytest.fixture
def originals(home: Path, tmp_path: Path, build: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.dcm").write_bytes(build(1))
    (home / "imaging").mkdir(parents=True)
    (home / "imaging" / "log").write_text("nothing")
    return folder


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["lakeward", "imaging", "verify", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().out


def test_a_lakehouse_with_an_originals_name_fails_and_the_name_is_not_told(
    originals: Path, home: Path, marker: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "imaging" / "log").write_text(f"wrote {marker}^Maria")
    code, told = run(capsys, monkeypatch, str(originals), "--json")
    assert code == 1
    done = json.loads(told)
    assert not done["ok"]
    [failed] = [check for check in done["checks"] if check["failed"]]
    assert (failed["group"], failed["name"]) == ("tables", "imaging")
    assert failed["findings"] == ["files: PatientName (3)"]
    assert marker not in told


def test_the_notebook_tells_what_it_found(originals: Path, tmp_path: Path) -> None:
    done = execute(NOTEBOOK, tmp_path / "03_verify.ipynb", {"source": str(originals), "profile": "basic"})
    outputs: list[Any] = [output for cell in nbformat.read(done, 4).cells for output in cell.get("outputs", ())]
    texts = [output["text"] for output in outputs if "text" in output]
    assert any("Nothing was found that must not be there." in text for text in texts)
    assert any("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)


def test_a_verification_is_told_in_a_table_and_a_sentence() -> None:
    fine = Check(group="answer key", name="uid_changed", passed=2, allowed={"an option": 3})
    bad = Check(group="tables", name="imaging.images", passed=1, failed=1, findings=("header: PatientName (1)",))
    done = Verification(profile="p", profile_hash="0" * 64, objects=1, set_aside=0, checks=(fine, bad))
    assert not done.ok
    assert screen(done).splitlines()[-1] == "1 objects de-identified, 0 set aside. FAILED: imaging.images."
    assert "      header: PatientName (1)" in screen(done)
    assert as_table(done)["failed"].tolist() == [0, 1]
    assert reasons_table(done).to_dict("records") == [{"may stay since": "an option", "texts": 3}]
    assert matrix(done).data[0]["text"].tolist() == [[2, 0, 3, 0], [1, 0, 0, 1]]
    assert not Verification(profile="p", profile_hash="", objects=0, set_aside=0, checks=()).ok
