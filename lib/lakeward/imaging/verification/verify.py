"""Verification: whether what a profile promises is so."""

import secrets
from pathlib import Path

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.pseudonyms import KEY_BYTES
from lakeward.imaging.pipeline.discovery import find
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.samples import sample_folder
from lakeward.imaging.verification.answers import check_answers
from lakeward.imaging.verification.consistency import check_objects
from lakeward.imaging.verification.leaks import check_leaks
from lakeward.imaging.verification.report import Verification
from lakeward.imaging.verification.tables import check_folder
from lakeward.imaging.verification.trial import Trial
from lakeward.workspace.settings import settings


def verify(profile: Profile, source: Path | None = None) -> Verification:
    """Put the engine on trial under a profile.

    All pseudonyms come from a key that is made for this and thrown away: what is checked holds for any.

    Parameters
    ----------
    profile : Profile
        What must be removed, and may stay.
    source : Path, optional
        Folder of originals, to try the engine on them and to search the lakehouse for what identifies them; without
        it, the real files that pydicom ships are tried and no lakehouse is searched. The report calls files by their
        number in the order of their paths.

    Returns
    -------
    Verification
        Every check with its counts; it holds no value of anybody's.

    Raises
    ------
    ConfigurationError
        If there is no such folder.
    """
    trial = Trial(Recipe(profile, secrets.token_bytes(KEY_BYTES)))
    files = [Path(original.path) for original in find(source or sample_folder())]
    checks = [*check_leaks(trial), *check_answers(trial)]
    of_objects, texts = check_objects(trial, files)
    checks += of_objects
    home = settings().home
    if source and home.is_dir():
        checks += check_folder(home, texts, without=home / "intake")
    return Verification(
        profile=profile.name,
        profile_hash=profile.hash,
        objects=trial.cleaned,
        set_aside=trial.set_aside.total(),
        checks=tuple(checks),
    )
