"""What a question to a million headers costs, before and after the tables are optimized.

The rows are synthetic, in the declared schema: studies of 100 images, in files of 5,000 rows as the ingestion makes
them. Questions go through `workspace.lakehouse`, as the commands and pages ask them; each is asked five times by a new
process; the first time, the median, and the processor time of the median are shown. Optimizing needs Spark.

Example: python tests/benchmarks/tables.py --rows 1000000 --home /tmp/bench
"""

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COMMIT_ROWS = 5000
STUDY_IMAGES = 100
MODALITIES = ["CT", "MR", "CT", "DX", "US", "MG", "CT", "PT", "MR", "XA"]
MAKERS = ["SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "Canon", "Acme", "FUJIFILM", "Hologic", "United Imaging"]

QUESTIONS = {
    "count": "SELECT count(*) FROM imaging.images",
    "count by modality": "SELECT modality, count(*) FROM imaging.images GROUP BY modality",
    "one study": "SELECT sop_instance_uid, instance_number, rows FROM imaging.images "
    "WHERE study_instance_uid = '{study}' ORDER BY instance_number",
    "a month, by modality": "SELECT modality, count(DISTINCT study_instance_uid) FROM imaging.images "
    "WHERE study_date BETWEEN '2021-03-01' AND '2021-03-31' GROUP BY modality",
    "top manufacturers": "SELECT manufacturer, count(*) AS n, avg(slice_thickness_mm) FROM imaging.images "
    "GROUP BY manufacturer ORDER BY n DESC LIMIT 5",
    "thin slices of CT": "SELECT count(DISTINCT patient_id) FROM imaging.images "
    "WHERE modality = 'CT' AND slice_thickness_mm < 1",
    "one object, whole": "SELECT * FROM imaging.images WHERE sop_instance_uid = '{object}'",
}

ASK = """
import json, sys, time
from lakeward.imaging.tables import IMAGES
from lakeward.workspace.lakehouse import query
sql, wall, cpu = sys.argv[1], [], []
for _ in range(5):
    begun, used = time.perf_counter(), time.process_time()
    rows = query(sql, IMAGES).num_rows
    wall.append(time.perf_counter() - begun)
    cpu.append(time.process_time() - used)
print(json.dumps([rows, wall, cpu]))
"""


def uid(name: str) -> str:
    """A UID as `Pseudonyms.uid` makes them."""
    return f"2.25.{int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)}"


def rows(start: int, random: np.random.Generator) -> pa.Table:
    """One commit's rows."""
    from lakeward.imaging.tables import IMAGES

    numbers = np.arange(start, start + COMMIT_ROWS)
    studies = [uid(f"study {n // STUDY_IMAGES}") for n in numbers]
    objects = [uid(f"object {n}") for n in numbers]
    kinds = [MODALITIES[n // STUDY_IMAGES % len(MODALITIES)] for n in numbers]
    days = [date(2019, 1, 1) + timedelta(days=int(n) // STUDY_IMAGES * 7919 % 1800) for n in numbers]
    header = (
        '{{"0020000D":{{"vr":"UI","Value":["{}"]}},"00080018":{{"vr":"UI","Value":["{}"]}},"filler":"'
        + "x" * 1500
        + '"}}'
    )
    values = {
        "source_hmac": [hashlib.sha256(o.encode()).hexdigest() for o in objects],
        "pixels_id": [hashlib.md5(o.encode(), usedforsecurity=False).hexdigest() for o in objects],
        "content_sha256": [hashlib.sha256(o[::-1].encode()).hexdigest() for o in objects],
        "patient_id": [f"LW{n // STUDY_IMAGES // 2:014d}" for n in numbers],
        "sop_instance_uid": objects,
        "series_instance_uid": [uid(f"series {n // 50}") for n in numbers],
        "study_instance_uid": studies,
        "modality": kinds,
        "manufacturer": [MAKERS[int(n) // STUDY_IMAGES % 7919 % len(MAKERS)] for n in numbers],
        "study_date": days,
        "slice_thickness_mm": random.choice([0.6, 1.0, 2.5, 5.0], COMMIT_ROWS).tolist(),
        "instance_number": (numbers % STUDY_IMAGES).tolist(),
        "header": [header.format(s, o) for s, o in zip(studies, objects, strict=True)],
        "thumbnail": [random.bytes(512) for _ in numbers],
    }
    defaults = {"STRING": "research", "BIGINT": 524288, "INT": 512, "DOUBLE": 0.7, "TIMESTAMP": datetime.now(UTC)}
    defaults |= {"DATE": date(2020, 1, 1), "BINARY": b""}
    columns = [
        pa.array(values.get(c.name) or [defaults[c.type]] * COMMIT_ROWS, IMAGES.arrow_schema.field(c.name).type)
        for c in IMAGES.columns
    ]
    return pa.table(columns, schema=IMAGES.arrow_schema)


def fill(home: Path, count: int) -> None:
    """Make the tables and their rows."""
    from lakeward.imaging.pipeline.runs import intake_lock, prepared_session
    from lakeward.imaging.tables import IMAGES

    random = np.random.default_rng(1)
    scratch = home / "scratch"
    scratch.mkdir(parents=True)
    for start in range(0, count, COMMIT_ROWS):
        pq.write_table(rows(start, random), scratch / f"{start:09d}.parquet")
    with intake_lock():
        spark = prepared_session()
        spark.conf.set("spark.sql.files.openCostInBytes", "128m")  # each file stays one
        spark.read.parquet(str(scratch)).write.format("delta").mode("append").saveAsTable(IMAGES.name)
    shutil.rmtree(scratch)


def ask(name: str, home: Path) -> dict[str, object]:
    """Ask one question in a process of its own."""
    sql = QUESTIONS[name].format(study=uid("study 77"), object=uid("object 4242"))
    environment = os.environ | {"LAKEWARD_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", ASK, sql], env=environment, capture_output=True, check=True)
    found, wall, cpu = json.loads(done.stdout)
    times = {"first_s": wall[0], "median_s": statistics.median(wall), "median_cpu_s": statistics.median(cpu)}
    return {"question": name, "rows": found, **{unit: round(value, 3) for unit, value in times.items()}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, required=True, help="Folder for the lakehouse; filled if it is empty.")
    given = parser.parse_args()
    os.environ["LAKEWARD_HOME"] = str(given.home)
    if not (given.home / "imaging" / "images").exists():
        fill(given.home, given.rows)
    show("before", given.home)
    from lakeward.imaging.stewardship.maintenance import optimize

    for done in optimize():
        print(done.model_dump_json())
    show("after", given.home)


def show(when: str, home: Path) -> None:
    """Ask all questions and print what they cost."""
    for name in QUESTIONS:
        print(json.dumps({"when": when, **ask(name, home)}), flush=True)


if __name__ == "__main__":
    main()
