"""What ingestion costs: CPU time, memory and speed of the whole pipeline on Spark, beside what is usually done.

The images are synthetic (data-samples/make_ct.py): CT, 512 x 512, 12 bits, about 130 elements each, in series of 200.
Each way runs in a process of its own, on the same files. Two sizes tell the cost of an image (the slope) from what is
fixed (starting the JVM and the job). CPU time is that of the driver, the JVM and the Python workers together.

Example: python tests/benchmarks/ingest.py --files 500 2000 --ways lakeward naive
"""

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).parents[2]
SERIES = 200
MIB = 1024**2


def make_files(folder: Path, count: int) -> None:
    """Write synthetic slices; those of one series differ in their pixels, those of different series do not."""
    made = runpy.run_path(str(ROOT / "data-samples" / "make_ct.py"))
    random = np.random.default_rng(1)
    pixels = [made["phantom"](512, n / SERIES, random) for n in range(min(SERIES, count))]
    for number in range(count):
        series, place = divmod(number, SERIES)
        path = folder / f"series-{series:04d}" / f"{place:04d}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        ds = made["ct_slice"](series, place, SERIES, 512, pixels[place])
        ds.save_as(path, enforce_file_format=True)


def ingest(source: Path, report: Callable[[str], None]) -> None:
    """Lakeward: headers de-identified, frames enhanced, object and enhanced image stored; then all of it again."""
    from lakeward.imaging.deidentification.profile import load_profile
    from lakeward.imaging.pipeline.ingest import ingest as run
    from lakeward.imaging.pipeline.recipe import Recipe
    from lakeward.imaging.pipeline.runs import prepared_session

    recipe = Recipe(load_profile("research"), bytes(range(32)))
    prepared_session()
    report("started")
    done = run(source, recipe)
    assert done.stored == done.found, done
    report("first run")
    done = run(source, recipe)
    assert done.known == done.found, done
    report("run over known files")


def naive(source: Path, report: Callable[[str], None], bits: int = 8) -> None:
    """What tutorials do: binaryFile, and a function a row that does the same job by pydicom, see `naive`."""
    from lakeward.workspace.settings import settings
    from lakeward.workspace.spark import session

    spark = session("naive")
    spark.range(1).write.format("delta").save(str(settings().home / "warm"))
    report("started")
    from naive import rows

    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(str(source))
    rows(files, bits).write.format("delta").save(str(settings().home / "naive"))
    report("first run")


def naive16(source: Path, report: Callable[[str], None]) -> None:
    """The same with the contrast of 16 bits enhanced, as tutorials do too."""
    naive(source, report, bits=16)


def files(source: Path, report: Callable[[str], None]) -> None:
    """Lakeward without tables: headers de-identified, files to files."""
    from lakeward.imaging.deidentification.profile import load_profile
    from lakeward.imaging.pipeline.files import deidentify_folder
    from lakeward.imaging.pipeline.recipe import Recipe
    from lakeward.workspace.settings import settings

    recipe = Recipe(load_profile("basic"), bytes(range(32)))
    report("started")
    done = deidentify_folder(source, settings().home.with_name("files"), recipe)
    assert done.written == done.read, done
    report("first run")


def copy(source: Path, report: Callable[[str], None]) -> None:
    """The floor: every file read and written, by one process."""
    from lakeward.workspace.settings import settings

    report("started")
    for path in source.rglob("*.dcm"):
        new = settings().home.with_name("files") / path.relative_to(source)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(path.read_bytes())
    report("first run")


def dicognito(source: Path, report: Callable[[str], None]) -> None:
    """Another de-identifier of headers, one process, if it is installed (it is not among the dependencies)."""
    import pydicom
    from dicognito.anonymizer import Anonymizer

    from lakeward.workspace.settings import settings

    anonymizer = Anonymizer(seed="benchmark")
    report("started")
    for path in source.rglob("*.dcm"):
        new = settings().home.with_name("files") / path.relative_to(source)
        new.parent.mkdir(parents=True, exist_ok=True)
        ds = pydicom.dcmread(path)
        anonymizer.anonymize(ds)
        ds.save_as(new)
    report("first run")


WAYS = {"lakeward": ingest, "naive": naive, "naive16": naive16, "files": files, "copy": copy, "dicognito": dicognito}


class Meter:
    """CPU time and memory of this process and all that it starts."""

    def __init__(self) -> None:
        self.workers_mib = 0.0
        self._me = psutil.Process()
        self._last: dict[str, float] = {"wall": time.monotonic(), "jvm": 0.0, "python": 0.0}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            for process in self._me.children(recursive=True):
                try:
                    if process.name().startswith("python"):
                        self.workers_mib = max(self.workers_mib, process.memory_info().rss / MIB)
                except psutil.Error:
                    continue
            time.sleep(0.5)

    def lap(self) -> dict[str, float]:
        """Seconds since the last lap."""
        now = {"wall": time.monotonic(), "jvm": 0.0, "python": 0.0}
        for process in [self._me, *self._me.children(recursive=True)]:
            try:
                used, kind = process.cpu_times(), "jvm" if "java" in process.name() else "python"
            except psutil.Error:
                continue
            now[kind] += used.user + used.system
            if kind == "python":  # workers that have ended; what the JVM has ended are Python's as well
                now["python"] += used.children_user + used.children_system
        spent = {name: round(now[name] - self._last[name], 3) for name in now}
        self._last = now
        return spent


def run_one(way: str, source: Path) -> None:
    """Run one way and print its laps; for a process of its own."""
    meter = Meter()
    laps: dict[str, Any] = {}

    def report(name: str) -> None:
        laps[name] = meter.lap()

    WAYS[way](source, report)
    print(json.dumps({"laps": laps, "workers_mib": round(meter.workers_mib)}))


def measure(way: str, source: Path, scratch: Path) -> dict[str, Any]:
    """Run one way in a fresh lakehouse and a fresh process."""
    home = scratch / "lakehouse"
    # Spark's workers, too, must find what is beside this file.
    path = os.pathsep.join(map(str, (ROOT / "lib", Path(__file__).parent)))
    environment = {**os.environ, "LAKEWARD_HOME": str(home), "PYTHONPATH": path}
    ran = subprocess.run(
        [sys.executable, __file__, "--run", way, str(source)], env=environment, stdout=subprocess.PIPE, check=True
    )
    for made in (home, home.with_name("files")):
        shutil.rmtree(made, ignore_errors=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs=2, default=[2000, 20000], help="two sizes")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["lakeward", "naive"])
    parser.add_argument("--scratch", type=Path, help="folder for files and tables, some 40 GB for 20,000 files")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run_one(given.run[0], Path(given.run[1]))
        return
    results = []
    with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
        for count in given.files:
            source = Path(scratch) / f"files-{count}"
            make_files(source, count)
            results += [{"way": way, "files": count} | measure(way, source, Path(scratch)) for way in given.ways]
            shutil.rmtree(source)
    if given.json:
        print(json.dumps(results, indent=2))
        return
    print("Synthetic CT 512 x 512, 12 bits")
    print(f"{'':>38} CPU s: {'JVM':>7} {'Python':>7} {'wall s':>8} {'CPU ms a file':>15} {'files an hour':>15}")
    for result in results:
        for name, lap in result["laps"].items():
            count = result["files"]
            each, rate = (lap["jvm"] + lap["python"]) / count * 1000, count / lap["wall"] * 3600
            print(
                f"{result['way']:<9}{count:>7}  {name:<20}       {lap['jvm']:>8.1f} {lap['python']:>7.1f} "
                f"{lap['wall']:>8.1f} {each:>15.2f} {rate:>15,.0f}"
            )
        print(f"{'':18}largest worker       {result['workers_mib']} MiB")
    for way in given.ways:
        small, large = (next(r for r in results if (r["way"], r["files"]) == (way, n)) for n in given.files)
        used = [r["laps"]["first run"]["jvm"] + r["laps"]["first run"]["python"] for r in (small, large)]
        slope = (used[1] - used[0]) / (given.files[1] - given.files[0])
        print(
            f"{way:<9} {slope * 1000:.2f} ms CPU for each further file; {used[0] - slope * given.files[0]:.1f} s fixed"
        )


if __name__ == "__main__":
    main()
