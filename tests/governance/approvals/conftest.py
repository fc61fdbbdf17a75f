from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from approving import EVERY_KIND, NAME, Models, let_in_all, login, quick_passwords
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.policy import Risk
from lakeward.governance.approvals.requests import Request
from lakeward.governance.people.people import People


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_795_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def approvals(home: Path, clock: Clock) -> Iterator[Approvals]:
    """Approvals of an empty lakehouse, and the people in it."""
    with quick_passwords():
        people = People(now=clock)
        let_in_all(people)
        yield Approvals(people)


@pytest.fixture
def models(home: Path, empty_mlflow: Path) -> Models:
    return Models(empty_mlflow)


@pytest.fixture
def in_review(approvals: Approvals, models: Models, tmp_path: Path) -> Callable[..., Request]:
    """A new version, whose request is in review."""

    def make(risk: Risk = Risk.HIGH) -> Request:
        version = models.add()
        approvals.draft(login("dan"), NAME, version, risk)
        for kind in EVERY_KIND:
            file = tmp_path / f"{kind}.json"
            file.write_text(f'{{"about": "{kind}", "version": {version}}}')
            approvals.attach(login("dan"), NAME, version, kind, file)
        approvals.submit(login("dan"), NAME, version)
        return approvals.review(login("ann"), NAME, version)

    return make
