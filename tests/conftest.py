"""Fixtures for all areas: a lakehouse of the test's own, and the one Spark session of the test run."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakeward.workspace.settings import settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A test's JVM lives for seconds: compiling quickly beats compiling well. Queries are over a handful of rows: compiling
# them costs more than running them. (A folder of settings on the class path would keep out the archive of classes.)
_FOR_SECONDS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Dspark.sql.codegen.wholeStage=false",
    "-Dspark.sql.codegen.factoryMode=NO_CODEGEN",
    "-Dspark.sql.adaptive.enabled=false",
)
os.environ.setdefault("SPARK_SUBMIT_OPTS", " ".join(_FOR_SECONDS))
# Tests start some dozens of Pythons: without this each would compile pandas, pydicom and pyspark again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first the tests on Spark's session, then those marked `slow`.

    Of the two processes of `make test` each begins with half of the tests, and then takes of the other's last ones: so
    Spark starts in one only, and none waits for a slow one at the end.
    """
    items.sort(key=_order)


def _order(item: pytest.Item) -> tuple[bool, bool]:
    return "_one_session" not in getattr(item, "fixturenames", ()), item.get_closest_marker("slow") is None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty lakehouse, and no other setting or secret from outside."""
    for name in [name for name in os.environ if name.startswith("LAKEWARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAKEWARD_HOME", str(tmp_path / "lakehouse"))
    settings.cache_clear()
    yield tmp_path / "lakehouse"
    settings.cache_clear()


@pytest.fixture(scope="session")
def _one_session(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SparkSession]":
    from lakeward.workspace.spark import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEWARD_HOME", str(tmp_path_factory.mktemp("session")))
        settings.cache_clear()
        spark = session("tests")
    settings.cache_clear()
    yield spark
    spark.stop()


@pytest.fixture
def spark(_one_session: "SparkSession", home: Path) -> "SparkSession":
    """The session, with the tables that a test ensures in that test's lakehouse."""
    return _one_session
