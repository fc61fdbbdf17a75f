from collections.abc import Callable
from pathlib import Path

import pytest

from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.governance.people.store import Person
from lakeward.workspace.settings import settings

PASSWORD = "correct horse battery"


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
def people(home: Path, clock: Clock) -> People:
    return People(now=clock)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say in which environment this shell is."""

    def enter(environment: str) -> None:
        monkeypatch.setenv("LAKEWARD_ENVIRONMENT", environment)
        settings.cache_clear()

    return enter


@pytest.fixture
def production(home: Path, enter: Callable[[str], None]) -> None:
    """A lakehouse that is begun as production."""
    enter("prod")


@pytest.fixture
def root(people: People) -> Person:
    """The first person, an administrator."""
    return people.add(None, "root", "Rita Root", [], PASSWORD)


@pytest.fixture
def join(people: People, root: Person) -> Callable[..., Person]:
    """Add somebody who has changed the first password already."""

    def join(user: str, *roles: Role) -> Person:
        people.add(root, user, f"Dr. {user.title()}", roles, "a first password")
        people.change_password(user, "a first password", PASSWORD)
        return people.let_in(user, PASSWORD)

    return join
