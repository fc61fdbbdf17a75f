"""What MLflow knows about a version of a model, and the digest of its artefact; nothing is changed there."""

import gc
import hashlib
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import rfc8785
import yaml

from lakeward.governance.approvals import witness
from lakeward.governance.approvals.errors import RequestRefused
from lakeward.workspace.tracking import tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

AUTHOR = "lakeward.author"
"""Tag of a version: the identity of who registered it."""

_WRITTEN_BY_READERS = "registered_model_meta"
_NAME = re.compile(r"\S+")
_TELLS = {"model_name", "model_version"}
_SHORT = 1000


@dataclass(frozen=True)
class Version:
    """A version of a model.

    Attributes
    ----------
    digest : str
        SHA-256 of the artefact.
    authors : frozenset of str
        Who trained or registered it, as MLflow and the trail know them.
    """

    model: str
    version: str
    digest: str
    authors: frozenset[str]


def read(model: str, version: str) -> Version:
    """Read a version.

    Raises
    ------
    RequestRefused
        If MLflow has no such version, or its files can't be read.
    """
    client = client_here()
    found = registered(client, model, version)
    return Version(model, str(found.version), digest_of(client, found), authors_of(found, run_of(client, found)))


def check_name(model: str) -> None:
    """Make sure that a model has a name that can be signed.

    Raises
    ------
    RequestRefused
        If it has spaces.
    """
    if not _NAME.fullmatch(model):
        raise RequestRefused(f"A model whose name has spaces can't be signed: {model!r}. Name it otherwise in MLflow.")


def client_here() -> "MlflowClient":
    """Return a client of the lakehouse's MLflow."""
    with _unswept():
        from mlflow import MlflowClient

        # Else it tells on the way how it makes its store.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri(), registry_uri=tracking_uri())


@contextmanager
def _unswept() -> Iterator[None]:
    """Collect no garbage while MLflow is imported, and never look through what that has made.

    It makes a million objects that stay; to look through all of them again and again, and at the process's end, took
    half of the time of a command.
    """
    if "mlflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def registered(client: "MlflowClient", model: str, version: str) -> "ModelVersion":
    """Return a version as MLflow has it.

    Raises
    ------
    RequestRefused
        If there is none.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(model, version)
    except MlflowException:
        raise RequestRefused(f"MLflow has no version {version!r} of a model {model!r}.") from None


def run_of(client: "MlflowClient", version: "ModelVersion") -> "Run | None":
    """Return the run that made a version, None if it is not known."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(version.run_id) if version.run_id else None
    except MlflowException:
        return None


def authors_of(version: "ModelVersion", run: "Run | None") -> frozenset[str]:
    """Return who trained or registered a version: as MLflow has it, where it can be changed, and as the trail tells."""
    named: list[Any] = [version.user_id, version.tags.get(AUTHOR)]
    named += witness.registrars(version.name, version.run_id, version.source)
    if run:
        named += [run.info.user_id, run.data.tags.get("mlflow.user"), run.data.tags.get(AUTHOR)]
    return frozenset(filter(None, named))


def digest_of(client: "MlflowClient", version: "ModelVersion") -> str:
    """Return the SHA-256 of a version's artefact: the canonical JSON of its files' names and their SHA-256.

    Raises
    ------
    RequestRefused
        If its files can't be had, or there are none.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        address = client.get_model_version_download_uri(version.name, str(version.version))
        with TemporaryDirectory() as copy:
            local = urlsplit(address).scheme in ("", "file")
            there = download_artifacts(
                artifact_uri=address, dst_path=None if local else copy, tracking_uri=tracking_uri()
            )
            files = dict(_hashed(Path(there)))
    except (MlflowException, OSError) as error:
        what = type(error).__name__
        raise RequestRefused(f"The files of {version.name} {version.version} can't be read: {what}.") from None
    if not files:
        raise RequestRefused(f"{version.name} {version.version} has no files.")
    return hashlib.sha256(rfc8785.dumps(files)).hexdigest()


def _hashed(folder: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise RequestRefused(f"The artefact has a link, {path.name}, so what it is can change. Put the file there.")
        if path.is_file() and not (path == folder / _WRITTEN_BY_READERS and _is_a_readers(path)):
            with path.open("rb") as file:
                yield path.relative_to(folder).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()


def _is_a_readers(path: Path) -> bool:
    """Whether a file is what MLflow puts beside a model when somebody loads it, which is no part of the artefact."""
    if path.stat().st_size > _SHORT:
        return False
    try:
        told: Any = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(told, dict) and told.keys() == _TELLS
