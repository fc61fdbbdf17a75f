"""Places of backups: a folder, and object storage; and the memory that a large file takes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from backed_up import Lakehouse, numbers
from lakeward.governance.backups.create import create
from lakeward.governance.backups.errors import PlaceFails
from lakeward.governance.backups.keeping import remove_old
from lakeward.governance.backups.lease import leased
from lakeward.governance.backups.restore import restore
from lakeward.governance.backups.vault import Vault, vault
from lakeward.governance.backups.verify import verify
from lakeward.workspace.errors import Busy, ConfigurationError
from lakeward.workspace.settings import settings
from object_storage import s3_here


@pytest.fixture
def s3(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    """Object storage on this machine, as the place of backups."""
    monkeypatch.setenv("LAKEWARD_BACKUP_TO", "s3://backups/lakehouse")
    settings.cache_clear()
    with s3_here(monkeypatch):
        yield s3fs.S3FileSystem(use_listings_cache=False)


def test_object_storage_is_a_place_too(lakehouse: Lakehouse, s3: s3fs.S3FileSystem, tmp_path: Path) -> None:
    with pytest.raises(PlaceFails):
        create()
    s3.mkdir("backups")
    create()
    lakehouse.write("imaging.images", 5)
    second = create().manifest
    assert verify().ok
    restore("newest", tmp_path / "back")
    assert numbers(tmp_path / "back" / "imaging" / "images") == [1, 2, 3, 4, 5]
    with leased(vault()), pytest.raises(FileExistsError):
        vault().put_new("lease", b"theirs")
    s3.pipe_file("backups/lakehouse/lease", b'{"holder": "elsewhere", "token": "theirs", "until": 9e9}')
    with pytest.raises(Busy, match="elsewhere"):
        create()
    s3.rm_file("backups/lakehouse/lease")
    chunk = s3.find("backups/lakehouse/chunks")[0]
    held = s3.cat_file(chunk)
    s3.pipe_file(chunk, held[:-1] + bytes([held[-1] ^ 1]))
    assert not verify().ok
    s3.rm_file(chunk)
    assert not verify().ok
    assert remove_old(lakehouse.at(200))[0] != [second.id]


def test_only_places_where_a_write_is_whole_or_nothing_are_taken(lakehouse: Lakehouse) -> None:
    for url in ("memory://x", "no-such-protocol://x", str(lakehouse.home / "backups")):
        with pytest.raises(ConfigurationError, match=url):
            Vault(url)


_PROGRAM = """
import resource
from lakeward.governance.backups.create import create
from lakeward.governance.backups.verify import verify
made = create()
assert verify().ok
print(made.manifest.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_a_large_file_takes_no_more_memory_than_a_few_chunks(lakehouse: Lakehouse) -> None:
    def mebibytes() -> list[int]:
        environment = {**os.environ, "LAKEWARD_HOME": str(lakehouse.home)}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        return [int(it) for it in done.stdout.split()]

    _, before = mebibytes()
    with (lakehouse.home / "large").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(4 << 20))
    size, after = mebibytes()
    assert size > 160 << 20
    assert after - before < 100
