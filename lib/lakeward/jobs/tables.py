"""Tables of the area jobs: the record of runs, published for analysis. The record itself is transactional."""

from lakeward.workspace.tables import Column, Table

_RUN = [
    Column("lakehouse", "STRING", "Which record the run is in: host and folder, since runs are numbered in each"),
    Column("run_id", "BIGINT", "Number of the run in its record"),
    Column("repairs", "INT", "How often it had been repaired by then; the row with most is the latest"),
    Column("job", "STRING", "Key of the job in its bundle"),
]
_END = [
    Column("result", "STRING", "How it ended, as the Jobs API words it", nullable=True),
    Column("code", "STRING", "Why it ended so", nullable=True),
    Column("started_at", "TIMESTAMP", "When it began, UTC", nullable=True),
    Column("ended_at", "TIMESTAMP", "When it ended, UTC", nullable=True),
    Column("seconds", "DOUBLE", "How long it took, s", nullable=True),
]

JOB_RUNS = Table(
    name="jobs.job_runs",
    comment="Runs of jobs that have ended, one row for each and for each repair.",
    columns=[
        *_RUN,
        Column("target", "STRING", "Target of the bundle"),
        Column("started_by", "STRING", "What started it"),
        Column("user", "STRING", "Who started it"),
        Column("parameters", "MAP<STRING, STRING>", "Parameters of the job"),
        Column("git_commit", "STRING", "Commit of the bundle", nullable=True),
        Column("git_dirty", "BOOLEAN", "Whether files differed from the commit", nullable=True),
        Column("environment", "STRING", "SHA-256 over what was installed", nullable=True),
        *_END,
    ],
    key=["lakehouse", "run_id", "repairs"],
    checks={"ended": "ended_at IS NOT NULL", "not_before_start": "started_at IS NULL OR ended_at >= started_at"},
)

TASK_RUNS = Table(
    name="jobs.task_runs",
    comment="Attempts at the tasks of these runs, one row for each.",
    columns=[
        *_RUN,
        Column("task", "STRING", "Key of the task"),
        Column("iteration", "INT", "Which iteration of a loop, from 0", nullable=True),
        Column("attempt", "INT", "Which attempt, from 0, over all repairs"),
        Column("error", "STRING", "Name of what it raised", nullable=True),
        Column("reads", "MAP<STRING, BIGINT>", "Tables, with their versions when it began"),
        Column("writes", "MAP<STRING, BIGINT>", "Tables that it wrote, with the last version that it made"),
        Column("mlflow_runs", "ARRAY<STRING>", "MLflow runs that it made"),
        *_END,
    ],
    key=["lakehouse", "run_id", "task", "iteration", "attempt"],
)

TABLES = [JOB_RUNS, TASK_RUNS]
