"""Where MLflow keeps experiments and models: the address that MLFLOW_TRACKING_URI names, else the lakehouse."""

import os
from pathlib import Path

from lakeward.workspace.settings import settings

# MLflow would tell its makers what is done with it, and asks for this when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def tracking_uri() -> str:
    """Return MLflow's tracking address; the lakehouse's own is a SQLite file, whose folder is made if need be."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder() / 'mlflow.db'}"


def tracking_environment() -> dict[str, str]:
    """Return the environment in which a process, and all that it starts, uses this MLflow."""
    # Without a server the second is the only way to say where files go; else they land in the current folder.
    return {"MLFLOW_TRACKING_URI": tracking_uri(), "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder() / "artifacts")}


def folder() -> Path:
    """Return the lakehouse's folder for MLflow, made if need be."""
    path = settings().home / "mlflow"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path
