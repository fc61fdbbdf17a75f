"""What must be so before a deed that is put on record."""

from collections.abc import Iterable

from lakeward.imaging.pipeline.quarantine import MIN_REASON
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event, record
from lakeward.workspace.ports import holds


class Held(ConfigurationError):
    """A legal hold keeps what was to be removed."""


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


def held(objects: Iterable[str]) -> list[str]:
    """Return the names of the legal holds that keep everything, or one of some objects by its pseudonym."""
    kept = {"", *objects}
    return sorted(name for name, object_ in holds().items() if object_ in kept)


def not_held(objects: Iterable[str], refused: Iterable[Event]) -> None:
    """Go on if no legal hold keeps any of some objects, or everything (GDPR, article 17(3)(e)).

    Parameters
    ----------
    objects : iterable of str
        Pseudonyms, under any key.
    refused : iterable of Event
        What is recorded if one does.

    Raises
    ------
    Held
        If one does.
    """
    if names := held(objects):
        for event in refused:
            record(event.model_copy(update={"outcome": "refused", "details": {"holds": names}}))
        raise Held(
            f"Under a legal hold: {', '.join(names)}. Nothing was removed; it may be once that has ended, see lakeward "
            "audit release."
        )
