"""The demonstration: the ingestion and exploration notebooks over real DICOM files, as jobs would run them."""

import os
import secrets
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.parameters import KEY_NAME
from lakeward.imaging.pipeline.runs import intake
from lakeward.imaging.samples import sample_folder
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE, RUNS
from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.lakehouse import query
from lakeward.workspace.notebooks import execute
from lakeward.workspace.report import write_report
from lakeward.workspace.secrets import secret
from lakeward.workspace.settings import settings


class Demonstration(BaseModel):
    """What a demonstration did and where it can be looked at.

    Attributes
    ----------
    found, known, stored, quarantined : int
        Files; the first is the sum of the others.
    by_reason : dict of str to int
        Files in quarantine by the code of their reason.
    images_per_second : float or None
        Files processed in each second of the run, the start of Spark left out; None if all were known.
    seconds : float
        Wall time of everything.
    throw_away_key : bool
        Whether a key was made for this folder because there was none.
    report : str
        The HTML report.
    tables : dict of str to str
        Folder of each table.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    found: int
    known: int
    stored: int
    quarantined: int
    by_reason: dict[str, int]
    images_per_second: float | None
    seconds: float
    throw_away_key: bool
    notebooks: list[str]
    report: str
    tables: dict[str, str]


def demonstrate(notebooks: Path) -> Demonstration:
    """Run the imaging notebooks with their embedded defaults and write an HTML report.

    Parameters
    ----------
    notebooks : Path
        Folder that holds ``imaging/01_ingest.ipynb`` and ``imaging/02_explore.ipynb``.
    """
    begun = time.monotonic()
    # A notebook's JVM lives for seconds here: compiling quickly beats compiling well.
    os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")
    thrown_away = _ensure_key()
    folder = settings().home / "notebooks" / "imaging"
    done = []
    for name in ("01_ingest", "02_explore"):
        notebook = notebooks / "imaging" / f"{name}.ipynb"
        if not notebook.is_file():
            raise ConfigurationError(
                f"No notebook at {notebook}: run this in the project's folder or give --notebooks."
            )
        done.append(execute(notebook, folder / f"{name}.ipynb", {}))
    report = write_report(done, "Lakeward: the imaging job on real DICOM files", settings().home / "report.html")
    last = f"SELECT * FROM {RUNS.name} WHERE state = 'SUCCESS' ORDER BY started_at DESC LIMIT 1"
    run = query(last, RUNS).to_pylist()[0]
    processed = run["stored"] + run["quarantined"]
    return Demonstration(
        source=str(sample_folder()),
        **{name: run[name] for name in ("found", "known", "stored", "quarantined")},
        by_reason=_reasons(run["run_id"]),
        images_per_second=round(processed / run["seconds"], 1) if processed else None,
        seconds=round(time.monotonic() - begun, 1),
        throw_away_key=thrown_away,
        notebooks=[str(path) for path in done],
        report=str(report),
        tables={table.name: str(table.location) for table in (IMAGES, PIXELS, QUARANTINE, RUNS)},
    )


def _reasons(run_id: str) -> dict[str, int]:
    """Files that a run has set aside, by reason, the most frequent first."""
    rows = query(
        f"""
        SELECT q.reason, count(*) AS files FROM {FILES.name} AS f
        JOIN {QUARANTINE.name} AS q USING ({", ".join(IMAGES.key)})
        WHERE f.run_id = '{run_id}' AND f.outcome = 'quarantined' AND q.status = 'open'
        GROUP BY q.reason ORDER BY files DESC, q.reason
        """,
        FILES,
        QUARANTINE,
    )
    return {row["reason"]: row["files"] for row in rows.to_pylist()}


def _ensure_key() -> bool:
    """Make a key for this lakehouse if there is none anywhere, for this process and its notebooks. True if made."""
    try:
        secret(KEY_NAME)
    except MissingSecret:
        path = intake() / "throw-away-key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(32))
        os.environ[f"LAKEWARD_{KEY_NAME.upper()}"] = path.read_text()
        return True
    return False
