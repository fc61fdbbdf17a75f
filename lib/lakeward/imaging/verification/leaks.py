"""Which of the planted markers are left once the objects went through the engine."""

from collections.abc import Iterable, Iterator

from pydicom import uid

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.pipeline.recipe import Clean
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.verification.hiding import PLACES
from lakeward.imaging.verification.markers import Supply
from lakeward.imaging.verification.planting import Planted, every_attribute, every_sequence, new_object
from lakeward.imaging.verification.report import Check, Tally
from lakeward.imaging.verification.search import Needles
from lakeward.imaging.verification.trial import Trial


class NotPlanted(AssertionError):
    """A marker can't be found in the very object that holds it: then finding none afterwards would prove nothing."""


def planted(profile: Profile) -> Iterator[Planted]:
    """Yield every planted object, with what the profile lets stay in it."""
    supply = Supply()
    for vr in (None, "UN", "OB", "LO", "PN"):
        yield every_attribute(profile, supply, vr)
    for syntax in (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian):
        yield every_attribute(profile, supply, syntax=syntax, ds=new_object())
    yield every_sequence(profile, supply)
    for make in PLACES:
        yield from make(profile, supply)


def check_leaks(trial: Trial, objects: Iterable[Planted] | None = None) -> Iterator[Check]:
    """Yield one check for each kind of hiding place.

    Parameters
    ----------
    trial : Trial
        The engine.
    objects : iterable of Planted, optional
        Objects to try; all of `planted` if not given.

    Raises
    ------
    NotPlanted
        If the search does not find a marker in an original.
    """
    tallies: dict[str, Tally] = {}
    for one in planted(trial.profile) if objects is None else objects:
        _judge(one, trial, tallies)
    for tally in tallies.values():
        yield tally.check()


def _judge(one: Planted, trial: Trial, tallies: dict[str, Tally]) -> None:
    markers = one.markers
    needles = Needles(marker.text for marker in markers)
    if missing := len({marker.text for marker in markers} - needles.found(one.content)):
        raise NotPlanted(f"{missing} markers can't be found in {one.name!r} before it is de-identified")
    done = trial.run(one.content)
    left = needles.found(done.dicom) | needles.found(_row(done)) if done else None
    for marker in markers:
        tally = tallies.setdefault(marker.place, Tally("hiding places", marker.place))
        if left is None:
            tally.set_aside += 1
        elif marker.text in left and marker.allowed:
            tally.allowed[marker.allowed] += 1
        else:
            tally.note(marker.text not in left, f"{one.name}: {marker.path}")


def _row(done: Clean) -> bytes:
    """What tables would hold of an object besides itself; nothing where the pipeline would set it aside for that."""
    try:
        with contained(Reason.UNREADABLE):
            return "\n".join((done.changes, done.header, str(done.columns))).encode()
    except Quarantined:
        return b""
