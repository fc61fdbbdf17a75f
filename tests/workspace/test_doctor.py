import socket
import sys
from pathlib import Path

import pytest

from lakeward.workspace import doctor
from lakeward.workspace.doctor import Check, examine

pytestmark = pytest.mark.usefixtures("home")


def _found() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def test_a_machine_that_make_setup_ran_on_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "ab" * 32)
    assert {check.name for check in examine() if check.status == "fail"} == set()
    assert _found()["de-identification key"].status == "ok"


def test_looking_makes_nothing(home: Path) -> None:
    examine()
    assert not home.exists()


@pytest.mark.parametrize(
    ("variable", "value", "name", "status"),
    [
        ("JAVA_HOME", "/nowhere", "Java", "fail"),
        ("LAKEWARD_DEID_KEY", "too short", "de-identification key", "fail"),
        ("LAKEWARD_NONE", "", "de-identification key", "warn"),
        ("LAKEWARD_HOME", "/dev/null/lakehouse", "lakehouse folder", "fail"),
        ("LAKEWARD_DRIVER_MEMORY", "9000g", "memory", "warn"),
    ],
)
def test_what_is_wrong_is_told_with_its_cure(
    variable: str, value: str, name: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    found = _found()[name]
    assert found.status == status
    assert found.cure


def test_wrong_settings_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_ENVIRONMENT", "production")
    told = [check.name for check in examine() if "environment" in check.cause]
    assert told == ["settings"]


def test_missing_jars_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert _found()["Delta's jars"].cure == "Run: make setup"


def test_a_port_in_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(doctor, "JUPYTER_PORT", server.getsockname()[1])
        assert _found()["JupyterLab"].status == "warn"
