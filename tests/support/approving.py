"""People who decide on models, and versions of models to decide on, for tests of approvals and of the registry."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.requests import Login
from lakeward.governance.approvals.versions import AUTHOR, client_here
from lakeward.governance.people import sealing
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.workspace.tracking import folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
EVERY_KIND = tuple(Kind)
NAME = "nodules"


def login(user: str) -> Login:
    return Login(user, PASSWORD)


@contextmanager
def quick_passwords() -> Iterator[None]:
    """Hash passwords with as little work as argon2id knows: what they stand for is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "_HASHER", PasswordHasher(1, 8, 1))
        for name, least in (("_TIME", 1), ("_MEMORY_KIB", 8), ("_LANES", 1)):
            patch.setattr(sealing, name, least)
        yield


def let_in_all(people: People) -> None:
    """Add everybody, with their roles."""
    root = people.add(None, "root", "Rita Root", [], PASSWORD)
    for user, roles in ROLES.items():
        people.add(root, user, f"Dr. {user.title()}", roles, "a first password")
        people.change_password(user, "a first password", PASSWORD)


class Models:
    """Versions of a model in the lakehouse's MLflow, with files that are quickly made."""

    def __init__(self, empty: Path) -> None:
        shutil.copy(empty, folder() / "mlflow.db")
        self.client: MlflowClient = client_here()
        self.client.create_registered_model(NAME)
        self._experiment = self.client.create_experiment("nodules", str(folder() / "artifacts"))

    def add(self, author: str = "max", weights: str = "0.1 0.2") -> str:
        """Register another version, and return its number."""
        run = self.client.create_run(self._experiment, tags={"mlflow.user": "dan"})
        self.client.log_param(run.info.run_id, "C", "1.0")
        self.client.log_metric(run.info.run_id, "auc", 0.97)
        files = folder() / "models" / run.info.run_id
        files.mkdir(parents=True)
        (files / "MLmodel").write_text("flavors: {}\n")
        (files / "weights.txt").write_text(weights)
        made = self.client.create_model_version(NAME, str(files), run.info.run_id, tags={AUTHOR: author})
        return str(made.version)

    def change(self, version: str) -> None:
        """Change the files of a version."""
        source = self.client.get_model_version(NAME, version).source
        with (Path(source or "") / "weights.txt").open("a") as file:
            file.write(" 0.3")

    @property
    def champion(self) -> str | None:
        """The version that the alias names."""
        found = self.client.get_registered_model(NAME).aliases.get("champion")
        return None if found is None else str(found)
