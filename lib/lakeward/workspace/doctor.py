"""What this machine lacks, or soon will: the cause and the cure."""

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lakeward.workspace import jars
from lakeward.workspace.errors import LakewardError, MissingSecret
from lakeward.workspace.java import java_version
from lakeward.workspace.secrets import secret_key
from lakeward.workspace.settings import settings

GB = 10**9
JUPYTER_PORT = 8888


@dataclass(frozen=True)
class Check:
    """What was looked at, and what was found: a cure where it is not in order."""

    name: str
    status: Literal["ok", "warn", "fail"]
    cause: str
    cure: str = ""


def examine() -> list[Check]:
    """Look at everything that a local workspace needs."""
    first = _safely("settings", _settings)
    checks = _OF_THE_MACHINE if first.status == "fail" else _OF_THE_MACHINE | _OF_THE_WORKSPACE
    return [first, *(_safely(name, check) for name, check in checks.items())]


def _safely(name: str, check: Callable[[str], Check]) -> Check:
    """Run a check; an error says first what is wrong, then the cure."""
    try:
        return check(name)
    except LakewardError as error:
        cause, _, cure = str(error).partition(". ")
        return Check(name, "fail", cause, cure)


def _settings(name: str) -> Check:
    return Check(name, "ok", f"{settings().environment}, lakehouse in {settings().home}")


def _java(name: str) -> Check:
    return Check(name, "ok", f"Java {java_version()}")


def _jars(name: str) -> Check:
    jars.classpath()
    return Check(name, "ok", f"{len(jars.pinned())} in place, with the pinned checksums")


def _home(name: str) -> Check:
    place = _nearest(settings().home)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return Check(name, "fail", f"{place} can't be written to", "Set LAKEWARD_HOME to a folder of yours.")
    return Check(name, "ok", f"{place} can be written to")


def _disk(name: str) -> Check:
    free = shutil.disk_usage(_nearest(settings().home)).free
    found = f"{free / GB:,.1f} GB free for the lakehouse"
    if free >= 10 * GB:
        return Check(name, "ok", found)
    return Check(
        name, "warn" if free >= GB else "fail", found, "Free some space, or set LAKEWARD_HOME to another disk."
    )


def _memory(name: str) -> Check:
    import psutil

    free, driver = psutil.virtual_memory().available, settings().driver_memory
    wanted = int(driver[:-1]) * (GB if driver.endswith("g") else 10**6) + GB
    found = f"{free / GB:,.1f} GB available, Spark's driver may take {driver}"
    if free >= wanted:
        return Check(name, "ok", found)
    return Check(name, "warn", found, "Close other programs, or lower LAKEWARD_DRIVER_MEMORY (1g at least).")


def _port(name: str) -> Check:
    with closing(socket.socket()) as probe:
        taken = probe.connect_ex(("127.0.0.1", JUPYTER_PORT)) == 0
    if taken:
        cure = "JupyterLab will take the next free port: use the address that it prints."
        return Check(name, "warn", f"port {JUPYTER_PORT} is in use", cure)
    return Check(name, "ok", f"port {JUPYTER_PORT} is free")


def _deid_key(name: str) -> Check:
    try:
        secret_key("deid_key")
    except MissingSecret as error:
        return Check(
            name, "warn", str(error).partition(". ")[0], "De-identification needs it. Make one: openssl rand -hex 32"
        )
    return Check(name, "ok", "present and well-formed")


def _nearest(path: Path) -> Path:
    """The path, or the first folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


_OF_THE_MACHINE: dict[str, Callable[[str], Check]] = {
    "Java": _java,
    "Delta's jars": _jars,
    "JupyterLab": _port,
}
_OF_THE_WORKSPACE: dict[str, Callable[[str], Check]] = {
    "lakehouse folder": _home,
    "disk": _disk,
    "memory": _memory,
    "de-identification key": _deid_key,
}
