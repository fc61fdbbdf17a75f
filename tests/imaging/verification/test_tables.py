"""Every byte of a folder is searched, and what is found is told by its place alone."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakeward.imaging.verification.report import Check
from lakeward.imaging.verification.tables import check_folder

SECRET = {"Oyarzabal": "PatientName", "2.16.840.77.1": "StudyInstanceUID"}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write_deltalake(tmp_path / "imaging" / "images", pa.table({"header": ["CT"] * 9, "rows": range(9)}))
    return tmp_path


def found(folder: Path, without: Path | None = None) -> dict[str, tuple[str, ...]]:
    return {check.name: check.findings for check in check_folder(folder, SECRET, without) if check.failed}


def test_a_clean_lakehouse_passes(lake: Path) -> None:
    checks = list(check_folder(lake, SECRET))
    assert [check.name for check in checks] == ["imaging.images", "names of files"]
    assert all(isinstance(check, Check) and check.passed and not check.failed for check in checks)


def test_a_text_is_told_by_table_and_column_and_never_shown(lake: Path) -> None:
    rows = pa.table({"header": ["seen by OYARZABAL", "2.16.840.77.1"], "rows": [1, 2]})
    write_deltalake(lake / "imaging" / "images", rows, mode="append")
    [(table, findings)] = found(lake).items()
    assert table == "imaging.images"
    assert {line.partition(":")[0] for line in findings} == {
        "header",
        "statistics",
        "log and statistics",
        "bytes of files",
    }
    assert "header: PatientName (1), StudyInstanceUID (1)" in findings
    assert "oyarzabal" not in str(findings).lower()


@pytest.mark.parametrize(
    ("name", "content"),
    [("logs/run.log", "for Oyarzabal"), ("report.html", "oyarzabal"), ("out/Oyarzabal.dcm", ""), ("Oyarzabal.x", "")],
)
def test_logs_reports_and_names_of_files_are_searched(lake: Path, name: str, content: str) -> None:
    (lake / name).parent.mkdir(exist_ok=True)
    (lake / name).write_text(content)
    assert found(lake)
    assert "oyarzabal" not in str(found(lake)).lower()


def test_the_restricted_zone_is_left_out(lake: Path) -> None:
    (lake / "intake").mkdir()
    (lake / "intake" / "Oyarzabal").touch()
    assert found(lake)
    assert not found(lake, without=lake / "intake")
