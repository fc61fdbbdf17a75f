from pathlib import Path

import pytest

from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import settings

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_lakehouse_is_beside_the_user_unless_told_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKEWARD_HOME")
    assert settings().home == folder / "lakehouse"
    assert settings().environment == "dev"


def test_the_environment_wins_over_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "lakeward.toml").write_text('environment = "staging"\ncatalog = "clinic"\n')
    monkeypatch.setenv("LAKEWARD_ENVIRONMENT", "prod")
    assert (settings().environment, settings().catalog) == ("prod", "clinic")


@pytest.mark.parametrize("line", ['enviroment = "prod"', 'driver_memory = "much"', "not toml"])
def test_a_wrong_file_is_refused_without_quoting_its_values(folder: Path, line: str) -> None:
    (folder / "lakeward.toml").write_text(f'{line}\nsecret_scope = "s3cret"\n')
    with pytest.raises(ConfigurationError) as refused:
        settings()
    assert line.split()[0] in str(refused.value) or "lakeward.toml" in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "much" not in str(refused.value)


def test_a_lakehouse_that_could_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_HOME", "a%20b")
    with pytest.raises(ConfigurationError, match=r"home: .*%"):
        settings()
