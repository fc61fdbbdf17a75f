"""What a person must say before a deed that is put on record."""

from lakeward.imaging.pipeline.quarantine import MIN_REASON
from lakeward.workspace.errors import ConfigurationError


def reason_given(reason: str) -> str:
    """Return a reason, stripped.

    Raises
    ------
    ConfigurationError
        If it is too short to be one.
    """
    if len(reason.strip()) < MIN_REASON:
        raise ConfigurationError(f"The reason is too short: say why in {MIN_REASON} characters or more.")
    return reason.strip()
