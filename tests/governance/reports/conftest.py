"""The furnished lakehouse, built once and copied for each test."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from approving import approvals, clock, in_review, models, peopled
from furnished import PERIOD, World, furnish
from lakeward.workspace.events import use_sink
from lakeward.workspace.settings import settings

__all__ = ["approvals", "clock", "in_review", "models", "peopled"]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, pyotp.TOTP]]:
    folder = tmp_path_factory.mktemp("furnished")
    (folder / "heads").mkdir()
    before = use_sink(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEWARD_HOME", str(folder / "lakehouse"))
        settings.cache_clear()
        codes = furnish(folder / "heads").codes
    use_sink(before)
    settings.cache_clear()
    return folder / "lakehouse", codes


@pytest.fixture
def world(home: Path, furnished: tuple[Path, dict[str, pyotp.TOTP]]) -> Iterator[World]:
    """The lakehouse, at the evening of the second day."""
    shutil.copytree(furnished[0], home)
    before = use_sink(None)
    world = World(PERIOD.end - timedelta(minutes=30))
    world.codes = furnished[1]
    yield world
    use_sink(before)
