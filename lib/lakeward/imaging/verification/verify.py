"""Verification: whether what a profile promises is so."""

import secrets

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.pseudonyms import KEY_BYTES
from lakeward.imaging.pipeline.process import Recipe
from lakeward.imaging.verification.answers import check_answers
from lakeward.imaging.verification.leaks import check_leaks
from lakeward.imaging.verification.report import Verification
from lakeward.imaging.verification.trial import Trial


def verify(profile: Profile) -> Verification:
    """Put the engine on trial under a profile.

    All pseudonyms come from a key that is made for this and thrown away: what is checked holds for any.

    Parameters
    ----------
    profile : Profile
        What must be removed, and may stay.

    Returns
    -------
    Verification
        Every check with its counts; it holds no value of anybody's.
    """
    trial = Trial(Recipe(profile, secrets.token_bytes(KEY_BYTES)))
    checks = (*check_leaks(trial), *check_answers(trial))
    return Verification(
        profile=profile.name,
        profile_hash=profile.hash,
        objects=trial.cleaned,
        set_aside=trial.set_aside.total(),
        checks=checks,
    )
