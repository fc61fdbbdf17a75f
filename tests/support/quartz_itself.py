"""Quartz's own CronExpression, in a small JVM: what our reading of cron expressions is held against."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyspark
import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from cache import CACHE
from lakeward.workspace.errors import PrerequisiteMissing
from lakeward.workspace.jars import fetch

PACKAGE = "org.quartz-scheduler:quartz:2.3.2"
SHA256 = "639c6a675bc472e1568df9d8c954ff702da6f83ed27da0ff9a7bd12ed73b8bf0"
NOT_NEEDED = "com.mchange:*,com.zaxxer:*,org.slf4j:*"


def quartz_jar() -> Path:
    """Return Quartz's jar, fetched once for all checkouts; no network skips the test, but not where CI is set."""
    cache = CACHE / f"quartz-{SHA256[:16]}.jar"
    if not cache.is_file():
        with tempfile.TemporaryDirectory() as scratch:
            try:
                (fetched,) = fetch(PACKAGE, NOT_NEEDED, Path(scratch)).iterdir()
            except PrerequisiteMissing as error:
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"Quartz is not there: {str(error).splitlines()[0]}")
            cache.parent.mkdir(parents=True, exist_ok=True)
            # Whole under another name first: two test runs may do this at once.
            shutil.copy(fetched, whole := cache.with_suffix(f".{os.getpid()}"))
            whole.replace(cache)
    assert hashlib.sha256(cache.read_bytes()).hexdigest() == SHA256, f"remove {cache}: it is not the pinned one"
    return cache


class Quartz:
    """Asks Quartz; times are in UTC and whole seconds."""

    def __init__(self, gateway: JavaGateway) -> None:
        self.java: Any = gateway.jvm

    def accepts(self, expression: str) -> bool:
        """Whether it is an expression to Quartz."""
        return bool(self.java.org.quartz.CronExpression.isValidExpression(expression))

    def fires(self, expression: str, zone: str, after: datetime, count: int) -> list[datetime]:
        """Return the next fire times, as a trigger of Quartz would have them one after the other."""
        cron = self.java.org.quartz.CronExpression(expression)
        cron.setTimeZone(self.java.java.util.TimeZone.getTimeZone(zone))
        found: list[datetime] = []
        while len(found) < count:
            try:
                date = cron.getNextValidTimeAfter(self.java.java.util.Date(int(after.timestamp() * 1000)))
            except Py4JJavaError as error:
                pytest.fail(f"Quartz: {expression}: {error.java_exception}")
            if date is None:
                break
            after = datetime.fromtimestamp(date.getTime() // 1000, UTC)
            found.append(after)
        return found


@contextmanager
def quartz() -> Iterator[Quartz]:
    """Start a JVM with Quartz, and end it."""
    folder = Path(pyspark.__file__).parent / "jars"
    (bridge,) = folder.glob("py4j-*.jar")
    (logging,) = folder.glob("slf4j-api-*.jar")
    home = os.environ.get("JAVA_HOME")
    port = launch_gateway(
        jarpath=str(bridge),
        classpath=os.pathsep.join([str(quartz_jar()), str(logging)]),
        javaopts=["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
        java_path=str(Path(home, "bin", "java")) if home else "java",
        die_on_exit=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=True))
    try:
        yield Quartz(gateway)
    finally:
        gateway.shutdown()
