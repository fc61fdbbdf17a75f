"""The tables of the imaging area, declared once: schema, comments, keys and checks.

``imaging.*`` is free of patient data; ``intake.*`` is the restricted zone, where originals are known by path.
"""

from lakeward.imaging.columns import COLUMNS
from lakeward.workspace.tables import Column, Table

_RECIPE = [
    Column("source_hmac", "STRING", "Keyed HMAC-SHA-256 of the original file's content"),
    Column("profile_hash", "STRING", "Hash of the profile and enhancement it was made with"),
    Column("key_id", "STRING", "Which key its pseudonyms come from"),
    Column("code_version", "STRING", "Lakeward's version"),
]
_RUN = Column("run_id", "STRING", "The run in imaging.runs that wrote the row")
_KEY = [column.name for column in _RECIPE]

IMAGES = Table(
    name="imaging.images",
    comment="One row per de-identified object; a row here is what makes an object exist.",
    columns=[
        *_RECIPE,
        _RUN,
        Column("ingested_at", "TIMESTAMP", "When it was processed, UTC"),
        Column("pixels_id", "STRING", "The row in imaging.pixels that holds the object"),
        Column("patient_id", "STRING", "The patient's pseudonym"),
        Column("sop_class", "STRING", "Name of the SOP Class", nullable=True),
        *(Column(c.name, c.type, f"{c.comment} ({c.keyword})", nullable=True) for c in COLUMNS),
        Column("patient_age_years", "DOUBLE", "Patient's Age in years, where the profile keeps it", nullable=True),
        Column("number_of_frames", "INT", "Frames of an image; null for an object without pixels", nullable=True),
        Column("transfer_syntax_uid", "STRING", "Transfer syntax of the object"),
        Column("size_bytes", "BIGINT", "Size of the de-identified DICOM file, bytes"),
        Column("content_sha256", "STRING", "SHA-256 of the de-identified DICOM file"),
        Column("changes", "STRING", "JSON: each element changed, with action and rule; no values"),
        Column("header", "STRING", "The whole de-identified header as DICOM JSON (PS3.18 F)"),
        Column("thumbnail", "BINARY", "PNG of the enhanced middle frame; null without pixels", nullable=True),
    ],
    key=_KEY,
    cluster_by=["modality", "study_instance_uid"],
    checks={
        "uid_is_ours": "sop_instance_uid IS NULL OR sop_instance_uid RLIKE '^[0-9.]+$'",
        "has_size": "size_bytes > 0",
    },
)

PIXELS = Table(
    name="imaging.pixels",
    comment="The de-identified DICOM objects and their enhanced frames; rows that imaging.images names count.",
    columns=[
        Column("pixels_id", "STRING", "Name of the row"),
        _RUN,
        Column("dicom", "BINARY", "The de-identified DICOM file"),
        Column(
            "enhanced",
            "ARRAY<BINARY>",
            "Each frame enhanced, in 8 bits, as lossless TIFF (Zstandard), which Pillow opens; empty without pixels",
            nullable=True,
        ),
    ],
    key=["pixels_id"],
    properties={"delta.enableDeletionVectors": "true", "delta.dataSkippingStatsColumns": "pixels_id,run_id"},
)

QUARANTINE = Table(
    name="imaging.quarantine",
    comment="Objects set aside, each with its reason; the files themselves are in the restricted intake zone.",
    columns=[
        *_RECIPE,
        _RUN,
        Column("quarantined_at", "TIMESTAMP", "When, UTC"),
        Column("reason", "STRING", "Code of the reason"),
        Column("detail", "STRING", "More on it, in fixed words", nullable=True),
        Column("size_bytes", "BIGINT", "Size of the original file, bytes"),
        Column("status", "STRING", "open or closed"),
        Column("resolution", "STRING", "How it was closed: retried, or released with the reason given", nullable=True),
        Column("closed_by", "STRING", "Who closed it", nullable=True),
        Column("closed_at", "TIMESTAMP", "When, UTC", nullable=True),
    ],
    key=[*_KEY, "run_id"],
    checks={"status_is_known": "status IN ('open', 'closed')"},
)

RUNS = Table(
    name="imaging.runs",
    comment="Runs of the ingestion: found = known + stored + quarantined, always, once a run has succeeded.",
    columns=[
        Column("run_id", "STRING", "Name of the run"),
        Column("state", "STRING", "RUNNING, SUCCESS, FAILED or INTERRUPTED"),
        Column("started_at", "TIMESTAMP", "Start, UTC"),
        Column("ended_at", "TIMESTAMP", "End, UTC", nullable=True),
        Column("profile", "STRING", "Name of the profile"),
        *_RECIPE[1:],
        Column("found", "BIGINT", "Files found", nullable=True),
        Column("known", "BIGINT", "Files that an earlier run had processed", nullable=True),
        Column("stored", "BIGINT", "Files whose object is stored", nullable=True),
        Column("duplicates", "BIGINT", "Those of them with the same content as another", nullable=True),
        Column("quarantined", "BIGINT", "Files set aside", nullable=True),
        Column("seconds", "DOUBLE", "Duration of the processing, s", nullable=True),
    ],
    key=["run_id"],
    checks={
        "state_is_known": "state IN ('RUNNING', 'SUCCESS', 'FAILED', 'INTERRUPTED')",
        "nothing_is_lost": "state <> 'SUCCESS' OR found = known + stored + quarantined",
    },
)

FILES = Table(
    name="intake.files",
    comment="Restricted: every original file that a run has processed, by path, and what came of it.",
    columns=[
        Column("path", "STRING", "Where the original is"),
        Column("size_bytes", "BIGINT", "Its size, bytes"),
        Column("mtime_ns", "BIGINT", "When it was last changed, ns since 1970 UTC"),
        *_RECIPE,
        _RUN,
        Column("outcome", "STRING", "stored or quarantined"),
    ],
    key=["path", "run_id"],
    restricted=True,
    checks={"outcome_is_known": "outcome IN ('stored', 'quarantined')"},
)

WITHDRAWN = Table(
    name="intake.withdrawn",
    comment="Restricted: patients who were withdrawn; their originals are refused when they come again.",
    columns=[
        Column("withdrawn", "STRING", "Keyed HMAC of the patient's pseudonym"),
        Column("key_id", "STRING", "Which key it and the pseudonym come from"),
        Column("withdrawn_at", "TIMESTAMP", "When, UTC"),
    ],
    key=["withdrawn"],
    restricted=True,
)

REVIEWS = Table(
    name="imaging.reviews",
    comment="Images that were drawn at random for people to look at, and what they saw.",
    columns=[
        Column("review_id", "STRING", "Name of the review"),
        Column("sample", "STRING", "The sample that it is of"),
        Column("population", "BIGINT", "Images that the sample was drawn from"),
        Column("pixels_id", "STRING", "The object, as in imaging.images"),
        Column("modality", "STRING", "Its modality", nullable=True),
        Column("sampled_at", "TIMESTAMP", "When it was drawn, UTC"),
        Column("verdict", "STRING", "clean, text, face or other; null until somebody has looked", nullable=True),
        Column("reviewer", "STRING", "Who looked", nullable=True),
        Column("reviewed_at", "TIMESTAMP", "When, UTC", nullable=True),
    ],
    key=["review_id"],
    checks={"verdict_is_known": "verdict IS NULL OR verdict IN ('clean', 'text', 'face', 'other')"},
)

CROSSWALK = Table(
    name="intake.crosswalk",
    comment="Restricted: what pseudonyms stood for, sealed; only runs that ask for it write here.",
    columns=[
        Column("pseudonym", "STRING", "A patient's pseudonym or a UID, as in imaging.images"),
        Column("kind", "STRING", "patient, study, series or instance"),
        Column("key_id", "STRING", "Which key the pseudonym comes from"),
        Column("crosswalk_key_id", "STRING", "Which key the original is sealed under"),
        Column("sealed", "BINARY", "The original: nonce and AES-256-GCM"),
        _RUN,
    ],
    key=["pseudonym"],
    restricted=True,
    checks={"kind_is_known": "kind IN ('patient', 'study', 'series', 'instance')"},
)

TABLES = (IMAGES, PIXELS, QUARANTINE, RUNS, FILES, WITHDRAWN, CROSSWALK, REVIEWS)
