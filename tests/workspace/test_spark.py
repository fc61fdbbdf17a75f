import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from lakeward.workspace import jars, java
from lakeward.workspace.errors import PrerequisiteMissing
from lakeward.workspace.spark import session

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


def test_workers_run_this_very_python(spark: "SparkSession") -> None:
    def who(frames):
        import sys

        for frame in frames:
            yield frame.assign(python=sys.executable)

    rows = spark.range(2).mapInPandas(who, "id long, python string").collect()
    assert {row.python for row in rows} == {sys.executable}


def test_there_is_one_session(spark: "SparkSession") -> None:
    assert session() is spark


def test_times_are_utc(spark: "SparkSession") -> None:
    assert spark.sql("SELECT current_timezone()").collect()[0][0] == "UTC"


def test_nothing_listens_beyond_this_machine(spark: "SparkSession") -> None:
    assert spark.conf.get("spark.driver.bindAddress") == "127.0.0.1"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 4040)) != 0


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11, too old"),
        ("exit 1", "Java was not found"),
    ],
)
def test_a_missing_or_old_java_is_told_with_the_cure(
    answer: str, told: str, tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PrerequisiteMissing, match=f"{told}.*Install Java 17"):
        java.java_version()


def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path: "Path", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    name = next(iter(jars.pinned()))
    jars.folder().mkdir(parents=True)
    (jars.folder() / name).write_bytes(os.urandom(9))
    assert name in jars.damaged()
    with pytest.raises(PrerequisiteMissing, match="make setup"):
        jars.classpath()
