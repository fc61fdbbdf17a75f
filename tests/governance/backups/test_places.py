"""Places of backups: a folder, and object storage; and the memory that a large file takes."""

import os
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

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


def test_object_storage_is_a_place_too(
    lakehouse: Lakehouse, object_storage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKEWARD_BACKUP_TO", f"{object_storage}/lakehouse")
    settings.cache_clear()
    with pytest.raises(PlaceFails):
        create()
    files, root = fsspec.core.url_to_fs(vault().url, use_listings_cache=False)
    files.mkdir(object_storage)
    create()
    lakehouse.write("imaging.images", 5)
    second = create().manifest
    assert verify().ok
    restore("newest", tmp_path / "back")
    assert numbers(tmp_path / "back" / "imaging" / "images") == [1, 2, 3, 4, 5]
    with leased(vault()), pytest.raises(FileExistsError):
        vault().put_new("lease", b"theirs")
    files.pipe_file(f"{root}/lease", b'{"holder": "elsewhere", "token": "theirs", "until": 9e9}')
    with pytest.raises(Busy, match="elsewhere"):
        create()
    files.rm_file(f"{root}/lease")
    chunk = files.find(f"{root}/chunks")[0]
    held = files.cat_file(chunk)
    files.pipe_file(chunk, held[:-1] + bytes([held[-1] ^ 1]))
    assert not verify().ok
    files.rm_file(chunk)
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
