"""What backups cost the CPU, held against the least that they must do: hash each byte and encrypt or decrypt it.

    python tests/benchmarks/backups.py [--mib 1024] [--json]

The lakehouse has a Delta table of random bytes, as pixels are, in files of 64 MiB, a SQLite file of texts, and many
small files. The floor reads the same files in pieces of 4 MiB, hashes them (SHA-256) and encrypts them (AES-256-GCM):
once it writes nothing, once it writes the pieces and syncs each, as a backup must. A verification reads and decrypts
all of it, writes it into a scratch place and opens that. Processor time is that of all threads, the system's included.
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from deltalake import write_deltalake

from lakeward.governance.backups.create import create
from lakeward.governance.backups.sealing import CHUNK
from lakeward.governance.backups.verify import verify
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings

ROUNDS = 3
FILE = 64 << 20
SMALL = 2000


def fill(home: Path, mib: int) -> None:
    """Make the lakehouse."""
    for _ in range(max(1, (mib << 20) // FILE)):
        blobs = pa.table({"pixels": pa.array([os.urandom(1 << 20) for _ in range(FILE >> 20)], pa.large_binary())})
        write_deltalake(str(home / "imaging" / "pixels"), blobs, mode="append")
    (home / "governance" / "evidence").mkdir(parents=True)
    for number in range(SMALL):
        (home / "governance" / "evidence" / f"{number}").write_bytes(os.urandom(1000))
    (home / "jobs").mkdir()
    with closing(sqlite3.connect(home / "jobs" / "record.sqlite")) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany(
            "INSERT INTO runs (text) VALUES (?)", ((f"run {n} succeeded" * 20,) for n in range(50_000))
        )
        connection.commit()
    record(Event(type="imaging.ingest.finished", object="benchmark"))


def floor(home: Path, into: Path | None = None) -> None:
    """Read, hash and encrypt all files; decrypting them takes as long. Write the result, and sync it, if told where."""
    cipher, nonce, number = AESGCM(bytes(32)), bytes(12), 0
    for file in sorted(it for it in home.rglob("*") if it.is_file()):
        with file.open("rb", buffering=0) as opened:
            while chunk := opened.read(CHUNK):
                sha256(chunk).digest()
                sealed = cipher.encrypt(nonce, chunk, None)
                number += 1
                if into:
                    with (into / str(number)).open("wb", buffering=0) as out:
                        out.write(sealed)
                        os.fsync(out.fileno())


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor."""
    begun, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--folder", type=Path, help="where to write; a disk whose syncs are real")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        found = compared(Path(made), given.mib)
    if given.json:
        json.dump(found, sys.stdout, indent=2)
        return
    for name, value in found.items():
        print(f"  {value:>10,}  {name.replace('_', ' ')}")


def compared(folder: Path, mib: int) -> dict[str, Any]:
    """Back up and verify in turn with the floor."""
    home = folder / "lakehouse"
    os.environ |= {"LAKEWARD_HOME": str(home), "LAKEWARD_BACKUP_KEY": "00" * 32}
    fill(home, mib)
    gb = sum(it.stat().st_size for it in home.rglob("*") if it.is_file()) / 1e9
    rows: dict[str, list[tuple[float, float]]] = {}
    for number in range(ROUNDS):
        os.environ["LAKEWARD_BACKUP_TO"] = str(folder / f"backups{number}")
        settings.cache_clear()
        rows.setdefault("floor", []).append(measured(lambda: floor(home)))
        (folder / f"durable{number}").mkdir()
        writing = partial(floor, home, folder / f"durable{number}")
        rows.setdefault("durable", []).append(measured(writing))
        rows.setdefault("create", []).append(measured(create))
        rows.setdefault("again", []).append(measured(create))
        rows.setdefault("verify", []).append(measured(lambda: verify(1)))
    wall = {name: statistics.median(it[0] for it in found) for name, found in rows.items()}
    cpu = {name: statistics.median(it[1] for it in found) for name, found in rows.items()}
    return {
        "gigabytes": round(gb, 2),
        "floor_cpu_s_a_gb": round(cpu["floor"] / gb, 2),
        "floor_that_writes_cpu_s_a_gb": round(cpu["durable"] / gb, 2),
        "create_cpu_s_a_gb": round(cpu["create"] / gb, 2),
        "verify_cpu_s_a_gb": round(cpu["verify"] / gb, 2),
        "floor_to_create": round(cpu["floor"] / cpu["create"], 2),
        "floor_that_writes_to_create": round(cpu["durable"] / cpu["create"], 2),
        "floor_to_verify": round(cpu["floor"] / cpu["verify"], 2),
        "floor_that_writes_s": round(wall["durable"], 2),
        "create_s": round(wall["create"], 2),
        "create_again_with_nothing_new_s": round(wall["again"], 2),
        "verify_s": round(wall["verify"], 2),
    }


if __name__ == "__main__":
    main()
