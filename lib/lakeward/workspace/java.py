"""Java, the one system prerequisite."""

import os
import re
import subprocess
from pathlib import Path

from lakeward.workspace.errors import PrerequisiteMissing

OLDEST = 17
_CURE = f"Install Java {OLDEST} or later (Debian: openjdk-17-jre-headless), or set JAVA_HOME."


def java_version() -> int:
    """Major version of the Java that Spark will take: that of JAVA_HOME, else the first on the PATH.

    Raises
    ------
    PrerequisiteMissing
        If there is none, or it is too old for Spark.
    """
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home, "bin", "java")) if home else "java"
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        raise PrerequisiteMissing(f"Java was not found ({program} does not run). {_CURE}") from None
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if found is None or int(found[1]) < OLDEST:
        raise PrerequisiteMissing(f"{program} is Java {found[1] if found else 'unknown'}, too old for Spark. {_CURE}")
    return int(found[1])
