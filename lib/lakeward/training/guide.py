"""What the guide to approvals shows: a lakehouse of its own, invented people, a small real model and its evidence."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from pydantic import Field

from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.policy import Risk
from lakeward.governance.approvals.requests import Login
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.workspace.notebooks import Parameters
from lakeward.workspace.settings import settings
from lakeward.workspace.tracking import folder, tracking_uri

if TYPE_CHECKING:
    import pandas as pd

    Answers = pd.Series[bool]

_CAST = {
    "dan": ("Dan Data", [Role.DATA_SCIENTIST, Role.QUALITY_MANAGER]),
    "eve": ("Eve Engineer", [Role.ML_ENGINEER]),
    "ann": ("Dr. Ann Clinic", [Role.CLINICAL_REVIEWER]),
    "bob": ("Bob Quality", [Role.QUALITY_MANAGER]),
    "cat": ("Cat Compliance", [Role.COMPLIANCE_OFFICER]),
}


class ApprovalsParameters(Parameters):
    """Parameters of the guide to approvals."""

    model: str = Field(pattern=r"^\S+$", description="Name that the model gets in MLflow.")
    risk: Risk = Field(description="What a wrong answer of it may do to a patient.")
    seed: int = Field(ge=0, description="Which rows are held out.")


def scratch_lakehouse() -> Mapping[str, Login]:
    """Go to a new lakehouse for the rest of the process, and return its people, who are invented, and how they log in.

    So nothing of the guide gets into the real audit trail, where nothing ever gets out again.
    """
    home = Path(mkdtemp(prefix="lakeward-"))
    os.environ.update({"LAKEWARD_HOME": str(home), "LAKEWARD_ENVIRONMENT": "dev"})
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    settings.cache_clear()
    warnings.filterwarnings("ignore", message="IProgress not found")
    people, first = People(), f"first-{os.urandom(8).hex()}"
    root = people.add(None, "root", "Rita Root", [], first)
    logins = {user: Login(user, os.urandom(12).hex()) for user in _CAST}
    for user, (name, roles) in _CAST.items():
        people.add(root, user, name, roles, first)
        people.change_password(user, first, logins[user].password)
    return logins


def train(seed: int) -> tuple[str, Mapping[Kind, Path]]:
    """Train a model on breast masses (Wolberg et al., 1995), and return MLflow's id of it and files to attach.

    The data are measures of 569 cell pictures, which scikit-learn ships; `malignant` is what is to be found.
    """
    import mlflow
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data = load_breast_cancer(as_frame=True)
    malignant = data.target == 0
    rows = train_test_split(data.data, malignant, test_size=0.3, random_state=seed, stratify=malignant)
    mlflow.set_tracking_uri(tracking_uri())
    mlflow.create_experiment("approvals", str(folder() / "artifacts"))
    mlflow.set_experiment("approvals")
    with mlflow.start_run() as run:
        run_id = run.info.run_id
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows[0], rows[2])
        mlflow.log_params({"model": "logistic regression", "seed": seed, "rows": len(rows[0])})
        mlflow.log_metric("auc", float(roc_auc_score(rows[3], model.predict_proba(rows[1])[:, 1])))
        frame = rows[0].assign(malignant=rows[2])
        dataset = mlflow.data.from_pandas(frame, targets="malignant", name="breast masses")  # type: ignore[attr-defined]
        mlflow.log_input(dataset, context="training")
        # Named, for to find them out MLflow would start another Python.
        logged = mlflow.sklearn.log_model(model, name="masses", pip_requirements=["scikit-learn"])
    lineage = {"data": dataset.name, "digest": dataset.digest, "rows": len(rows[0]), "use": "training", "run": run_id}
    return str(logged.model_id), _written({**_told(model, rows[1], rows[3]), Kind.DATA_LINEAGE: lineage})


def _told(model: Any, x: "pd.DataFrame", malignant: "Answers") -> dict[Kind, Any]:
    """Measure a model on rows that it has not seen; what is a text becomes a PDF."""
    right = model.predict(x) == malignant
    small = x["mean radius"] < x["mean radius"].median()
    groups = {"small masses": small, "large masses": ~small}
    weights = dict(zip(x.columns, model[-1].coef_[0], strict=True))
    strongest = sorted(weights, key=lambda name: -abs(weights[name]))[:5]
    return {
        Kind.METRICS: [_share("sensitivity", right[malignant]), _share("specificity", right[~malignant])],
        Kind.BIAS_BY_SUBGROUP: [
            {"subgroup": name, **_share("sensitivity", right[malignant & of])} for name, of in groups.items()
        ],
        Kind.EXPLANATION: "What weighs most:\n" + "\n".join(f"{name}: {weights[name]:+.2f}" for name in strongest),
        Kind.CLINICAL_VALIDATION: "A guide's model: no clinic has validated it, and none must use it.",
    }


def _share(metric: str, right: "Answers") -> dict[str, Any]:
    """Tell how many answers were right, with the 95 % interval of Wilson (1927)."""
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    found = binomtest(int(right.sum()), len(right))
    interval = [round(float(end), 3) for end in found.proportion_ci(method="wilson")]
    return {"metric": metric, "n": len(right), "value": round(float(found.statistic), 3), "interval": interval}


def _written(told: Mapping[Kind, Any]) -> dict[Kind, Path]:
    where = Path(mkdtemp(prefix="lakeward-"))
    return {kind: _file(where / kind, what) for kind, what in told.items()}


def _file(path: Path, what: Any) -> Path:
    from fpdf import FPDF

    if not isinstance(what, str):
        file = path.with_suffix(".json")
        file.write_text(json.dumps(what, indent=2), encoding="utf-8")
        return file
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica")
    pdf.multi_cell(0, text=what)
    pdf.output(str(path.with_suffix(".pdf")))
    return path.with_suffix(".pdf")
