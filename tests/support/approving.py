"""People who decide on models, and versions of models to decide on, for tests of approvals and of the registry."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from fpdf import FPDF
from mlflow import MlflowClient

from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.policy import DEFAULT, Risk
from lakeward.governance.approvals.requests import Login, Request
from lakeward.governance.approvals.versions import AUTHOR, client_here
from lakeward.governance.people import sealing
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.workspace.settings import settings
from lakeward.workspace.tracking import folder

PASSWORD = "correct horse battery"
ROLES = {
    "dan": [Role.DATA_SCIENTIST],
    "eve": [Role.ML_ENGINEER],
    "ann": [Role.CLINICAL_REVIEWER],
    "bob": [Role.QUALITY_MANAGER],
    "cat": [Role.COMPLIANCE_OFFICER],
    "fay": [Role.QUALITY_MANAGER],
    "max": [Role.DATA_SCIENTIST, Role.QUALITY_MANAGER],
}
NAME = "nodules"


def login(user: str) -> Login:
    return Login(user, PASSWORD)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_795_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Models:
    """Versions of a model in the lakehouse's MLflow, with files that are quickly made."""

    def __init__(self) -> None:
        self.client = client_here()

    def add(self, author: str = "max") -> str:
        """Register another version, and return its number."""
        run = self.client.create_run("1", tags={"mlflow.user": "dan"})
        self.client.log_param(run.info.run_id, "C", "1.0")
        self.client.log_metric(run.info.run_id, "auc", 0.97)
        files = folder() / "models" / run.info.run_id
        files.mkdir(parents=True)
        (files / "MLmodel").write_text("flavors: {}\n")
        (files / "weights.txt").write_text(run.info.run_id)
        made = self.client.create_model_version(NAME, str(files), run.info.run_id, tags={AUTHOR: author})
        return str(made.version)

    def log(self) -> str:
        """Log a model, and return its id."""
        run = self.client.create_run("1")
        logged = self.client.create_logged_model("1", "model", run.info.run_id)
        (folder() / "MLmodel").write_text("flavors: {}\n")
        self.client.log_model_artifact(logged.model_id, str(folder() / "MLmodel"))
        return str(self.client.finalize_logged_model(logged.model_id, "READY").model_id)

    def files(self, version: str) -> Path:
        """Where the files of a version are."""
        return Path(self.client.get_model_version(NAME, version).source or "")

    def change(self, version: str) -> None:
        """Change the files of a version."""
        with (self.files(version) / "weights.txt").open("a") as file:
            file.write(" 0.3")

    @property
    def champion(self) -> str | None:
        """The version that the alias names."""
        found = self.client.get_registered_model(NAME).aliases.get("champion")
        return None if found is None else str(found)


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lakehouse with people and a model that has no version yet; copying it is quicker than making another.

    Passwords cost next to nothing from here on: what they stand for is not what is tested.
    """
    home = tmp_path_factory.mktemp("peopled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "_HASHER", PasswordHasher(1, 8, 1))
        for name, least in (("_TIME", 1), ("_MEMORY_KIB", 8), ("_LANES", 1)):
            patch.setattr(sealing, name, least)
        patch.setenv("LAKEWARD_HOME", str(home))
        settings.cache_clear()
        people = People(now=Clock())
        root = people.add(None, "root", "Rita Root", [], PASSWORD)
        for user, roles in ROLES.items():
            people.add(root, user, f"Dr. {user.title()}", roles, "a first password")
            people.change_password(user, "a first password", PASSWORD)
        client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
        client.create_experiment("nodules", str(home / "artifacts"))
        client.create_registered_model(NAME)
        settings.cache_clear()
        yield home


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(home: Path, peopled: Path, clock: Clock) -> Approvals:
    """Approvals of a lakehouse with people, in which nothing was asked for yet."""
    shutil.copytree(peopled, home, dirs_exist_ok=True)
    (home / "mlflow.db").replace(folder() / "mlflow.db")
    return Approvals(People(now=clock))


@pytest.fixture
def models(approvals: Approvals) -> Models:
    return Models()


@pytest.fixture
def in_review(approvals: Approvals, models: Models, tmp_path: Path) -> Callable[..., Request]:
    """A new version, whose request is in review."""

    def make(risk: Risk = Risk.HIGH) -> Request:
        version = models.add()
        approvals.draft(login("dan"), NAME, version, risk)
        for kind in approvals.store.policy().rule(risk).evidence:
            approvals.attach(login("dan"), NAME, version, kind, evidence(tmp_path, kind))
        approvals.submit(login("dan"), NAME, version)
        return approvals.review(login("ann"), NAME, version)

    return make


def evidence(where: Path, kind: Kind, told: str = "all is well") -> Path:
    """Write a file to attach, of the form that the policy asks for; the same that is told gives the same bytes."""
    form = DEFAULT.forms[kind]
    file = where / f"{kind}.{form.type}"
    file.write_bytes(_pdf(told) if form.type == "pdf" else json.dumps([dict.fromkeys(form.names, told)]).encode())
    return file


@cache
def _pdf(told: str) -> bytes:
    page = FPDF()
    page.add_page()
    page.set_font("helvetica")
    page.cell(text=told)
    return bytes(page.output())
