"""Passwords that cost little: what a real one costs is measured where it is the point."""

import pytest
from argon2 import PasswordHasher

from lakeward.governance.people import sealing


@pytest.fixture(autouse=True, scope="session")
def _cheap_passwords() -> None:
    sealing._TIME, sealing._MEMORY_KIB, sealing._LANES = 1, 64, 1  # type: ignore[misc]
    sealing._HASHER = PasswordHasher(1, 64, 1)
