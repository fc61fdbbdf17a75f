import base64
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.secrets import secret, secret_key

pytestmark = pytest.mark.usefixtures("home")

KEY = bytes(range(32))


def test_the_environment_comes_first_then_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deid_key").write_text("from the file\n")
    monkeypatch.setenv("LAKEWARD_SECRETS_DIR", str(tmp_path))
    assert secret("deid_key") == "from the file"
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "from the environment")
    assert secret("deid_key") == "from the environment"


def test_on_databricks_the_scope_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(scope: str, key: str) -> str:
        return {("clinic", "deid_key"): "from the scope"}[scope, key]

    runtime = ModuleType("databricks.sdk.runtime")
    runtime.dbutils = SimpleNamespace(secrets=SimpleNamespace(get=get))
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", runtime)
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setenv("LAKEWARD_SECRET_SCOPE", "clinic")
    assert secret("deid_key") == "from the scope"
    with pytest.raises(MissingSecret):
        secret("other")


def test_a_missing_secret_names_all_its_places() -> None:
    with pytest.raises(MissingSecret, match=r"LAKEWARD_DEID_KEY.*LAKEWARD_SECRETS_DIR.*LAKEWARD_SECRET_SCOPE"):
        secret("deid_key")


def test_a_secret_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", "hush")
    assert "hush" not in repr({"key": secret("deid_key")})


@pytest.mark.parametrize("text", [KEY.hex(), base64.b64encode(KEY).decode()])
def test_a_key_may_be_hex_or_base64(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", text)
    assert secret_key("deid_key") == KEY


@pytest.mark.parametrize("text", [KEY[:31].hex(), "hush hush", base64.b64encode(KEY[:31]).decode()])
def test_a_short_or_malformed_key_is_refused_without_quoting_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_DEID_KEY", text)
    with pytest.raises(ConfigurationError) as refused:
        secret_key("deid_key")
    assert text not in str(refused.value)
