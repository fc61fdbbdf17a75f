"""Delta's jars: resolved once into the environment, pinned by checksum, so that sessions start with no network.

``python -m lakeward.workspace.jars`` (a step of ``make setup``) fetches what is missing.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from lakeward.workspace.errors import PrerequisiteMissing
from lakeward.workspace.java import java_version

CLASSES = "classes.jsa"
"""File in the folder of the jars with the classes in them as `class_archive` has recorded them."""

# Transitive, but pyspark ships them already, as newer versions.
_SHIPPED_WITH_SPARK = "org.apache.*:*"


def folder() -> Path:
    """Where the jars lie: in the running environment, beside its packages."""
    return Path(sys.prefix, "share", "lakeward", "jars")


def pinned() -> dict[str, str]:
    """File name of each jar that a session needs, with its SHA-256 as hex."""
    lines = files(__package__).joinpath("jars.sha256").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def damaged(where: Path | None = None) -> list[str]:
    """Names of the pinned jars that are missing from a folder or differ from their checksum."""
    where = where or folder()
    return [name for name, digest in pinned().items() if _sha256(where / name) != digest]


def classpath() -> str:
    """The jars as a Java class path.

    Raises
    ------
    PrerequisiteMissing
        If a jar is missing or is not the one that was pinned.
    """
    if wrong := damaged():
        raise PrerequisiteMissing(f"Delta's jars are missing or damaged in {folder()}: {wrong[0]}. Run: make setup")
    return os.pathsep.join(str(folder() / name) for name in pinned())


def resolve() -> None:
    """Fetch the pinned jars with Spark's own resolver, check them, and put them in place.

    Raises
    ------
    PrerequisiteMissing
        If they can't be fetched, or are not those that were pinned.
    """
    if not damaged():
        return
    with tempfile.TemporaryDirectory() as scratch:
        release = ".".join(version("pyspark").split(".")[:2])
        delta = f"io.delta:delta-spark_{release}_2.13:{version('delta-spark')}"
        fetched = fetch(delta, _SHIPPED_WITH_SPARK, Path(scratch))
        if wrong := damaged(fetched):
            raise PrerequisiteMissing(f"The resolver's {wrong[0]} is missing or not the one that jars.sha256 pins.")
        folder().mkdir(parents=True, exist_ok=True)
        for name in pinned():
            shutil.copy(fetched / name, folder() / name)


def fetch(package: str, excluded: str, scratch: Path) -> Path:
    """Let Spark's own resolver fetch a package's jars, which it offers to a program; here to an empty one.

    Parameters
    ----------
    package : str
        Group, artifact and version, with colons between them.
    excluded : str
        Groups and artifacts that it depends on and that are left out, with commas between them.
    scratch : Path
        An empty folder.

    Returns
    -------
    Path
        The folder of the jars. Their checksums are yet to be compared.

    Raises
    ------
    PrerequisiteMissing
        If they can't be fetched.
    """
    import pyspark

    java_version()
    home = Path(pyspark.__file__).parent
    program = scratch / "nothing.py"
    program.touch()
    command = [
        str(home / "bin" / "spark-submit"),
        *("--packages", package),
        *("--exclude-packages", excluded),
        *("--conf", f"spark.jars.ivy={scratch / 'ivy'}"),
        str(program),
    ]
    environment = os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise PrerequisiteMissing(f"{package} could not be fetched; is there a network?\n{done.stderr[-2000:]}")
    return scratch / "ivy" / "jars"


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


if __name__ == "__main__":
    resolve()
