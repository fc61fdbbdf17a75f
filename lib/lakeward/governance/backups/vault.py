"""The place where backups lie: a folder, or object storage that fsspec knows; what has its name there is whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeward.governance.backups.errors import BackupDamaged, PlaceFails
from lakeward.workspace.errors import ConfigurationError, PrerequisiteMissing
from lakeward.workspace.settings import settings

MANIFESTS, PENDING, CHUNKS = "manifests", "pending", "chunks"
LEASE = "lease"
_UNFINISHED = "unfinished"
_STORES = {"file", "s3", "gs", "abfs", "az"}
"""A folder, whose files get their name once they are whole, and stores in which a write is whole or not at all."""


class Vault:
    """A place of backups.

    Parameters
    ----------
    url : str
        A folder, or an address of fsspec's such as ``s3://bucket/folder``. Endpoints and the like come from fsspec's
        own configuration and the store's, for example ``AWS_ENDPOINT_URL``.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        try:
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except ImportError as error:
            raise PrerequisiteMissing(f"Backups to {url} need a package that is missing: {error}") from None
        except ValueError as error:
            raise ConfigurationError(f"LAKEWARD_BACKUP_TO={url} is no place for backups: {error}") from None
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        if not protocols & _STORES:
            raise ConfigurationError(f"Backups can lie in a folder, S3, Google or Azure storage, not in {url}.")
        self.url = url
        self._root = root.rstrip("/")
        self._folder = Path(root) if "file" in protocols else None
        if self._folder and self._folder.resolve().is_relative_to(settings().home.resolve()):
            raise ConfigurationError(f"{url} is in the lakehouse, and would be lost with it. Set another place.")
        self._named = set[str]()

    def put(self, path: str, data: bytes) -> None:
        """Write a file, in place of what was there, whole or not at all."""
        with self._asked(FileExistsError):
            if self._folder is None:
                self._fs.pipe_file(f"{self._root}/{path}", data)
            else:
                self._finished(self._folder, path, data).replace(self._folder / path)
                self._named.update(map(str, (self._folder / path).parents[: path.count("/") + 1]))

    def put_new(self, path: str, data: bytes) -> None:
        """Write a file that must not be there yet.

        Raises
        ------
        FileExistsError
            If it is.
        """
        with self._asked(FileExistsError):
            if self._folder is None:
                self._create(f"{self._root}/{path}", data)
                return
            file = self._finished(self._folder, path, data)
            try:
                (self._folder / path).hardlink_to(file)
            finally:
                file.unlink()

    def get(self, path: str) -> bytes:
        """Read a file.

        Raises
        ------
        BackupDamaged
            If it is gone.
        """
        try:
            with self._asked(FileNotFoundError):
                data: bytes = self._fs.cat_file(f"{self._root}/{path}")
        except FileNotFoundError:
            raise BackupDamaged(f"{self.url} has lost the file {path}.") from None
        return data

    def names(self, folder: str) -> list[str]:
        """Return the names of the files under a folder, in order, without what leads to them."""
        try:
            with self._asked(FileNotFoundError):
                found = self._fs.find(f"{self._root}/{folder}")
        except FileNotFoundError:
            return []
        return sorted(path.rpartition("/")[2] for path in found)

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        try:
            with self._asked(FileNotFoundError):
                self._fs.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return

    def begin(self) -> None:
        """Remove what a process left unfinished that was killed; nobody else must be writing."""
        if self._folder:
            for file in (self._folder / _UNFINISHED).glob("*"):
                file.unlink()

    def flush(self) -> None:
        """Return when a power cut can't undo what was written."""
        # The files are on the disk already; their names, too, from here on.
        for folder in sorted(self._named):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._named.clear()

    def _create(self, path: str, data: bytes) -> None:
        try:
            self._fs.pipe_file(path, data, mode="create")
        except OSError as error:  # stores have names of their own for a condition that does not hold
            if self._fs.exists(path):
                raise FileExistsError(path) from None
            raise error

    @contextmanager
    def _asked(self, expected: type[OSError]) -> Iterator[None]:
        """Name the place in the error of one that does not answer, or has no room."""
        try:
            yield
        except expected:
            raise
        except Exception as error:  # each store has errors of its own
            raise PlaceFails(f"The place of backups, {self.url}, fails: {type(error).__name__}: {error}") from error

    @staticmethod
    def _finished(root: Path, path: str, data: bytes) -> Path:
        """Write a file under a name of its own, to be renamed; its folders are there then."""
        file = root / _UNFINISHED / secrets.token_hex(8)
        for folder in (file.parent, (root / path).parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as out:
            view = memoryview(data)
            while view:
                view = view[out.write(view) :]
            os.fsync(out.fileno())
        return file


def vault() -> Vault:
    """Return the place that the settings name.

    Raises
    ------
    ConfigurationError
        If they name none.
    """
    url = settings().backup_to
    if not url:
        raise ConfigurationError(
            "No place for backups is set. Set LAKEWARD_BACKUP_TO to a folder or s3://bucket/folder."
        )
    return Vault(url)


def chunk_path(key: str, name: str) -> str:
    """Return where the chunk of a name lies; in folders, so that none has too many."""
    return f"{CHUNKS}/{key}/{name[:2]}/{name}"
