"""The commonest ways to treat an element, on its bytes alone; what they can't do with certainty is left to the engine.

Everything here gives what `Deidentifier` and pydicom's writer give (PS3.5 7.1.2, Explicit VR Little Endian).
"""

from lakeward.imaging.deidentification import descriptors
from lakeward.imaging.deidentification.actions import Plan, resolve
from lakeward.imaging.deidentification.deidentifier import ALWAYS_REPLACED, About, Change
from lakeward.imaging.deidentification.iods import attribute_type
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.deidentification.temporal import shift
from lakeward.imaging.deidentification.values import NUMERIC_BINARY, TEMPORAL, TEXT, is_valid
from lakeward.imaging.objects.writing import encode_element

_NOT_HERE = frozenset({"SQ", "UN", "AS"})
_SEARCHED = TEXT | {"CS"}
_ESCAPE = b"\x1b"
_TIMEZONE_OFFSET = 0x00080201

Outcome = tuple[bytes, Change | None]


def quick(
    tag: int, vr: str, raw: bytes, value: bytes, plan: Plan, about: About, pseudonyms: Pseudonyms
) -> Outcome | None:
    """Treat one element of the top level.

    Parameters
    ----------
    tag : int
        Its tag.
    vr : str
        The VR that it comes with.
    raw, value : bytes
        The element as it is encoded, and its value field.
    plan : Plan
        What is to be done to such an element.
    about : About
        The object that it is in.
    pseudonyms : Pseudonyms
        The keyed replacements.

    Returns
    -------
    tuple of bytes and (Action, str) or None
        The element as it is to be written, empty if it goes, and what was done to it, None if nothing; or None where
        this isn't one of the common cases.
    """
    if (
        plan.by_value
        or plan.vr != vr
        or not plan.trusted
        or vr in _NOT_HERE
        or len(value) % 2
        or tag == _TIMEZONE_OFFSET
    ):
        return None
    action, why = plan.decision.action, plan.decision.why
    if action == "K":
        return (raw, None) if _stays(vr, value, plan, about) else None
    taken = resolve(action, attribute_type(about.sop_class, (), plan.keyword) if action != "X" else None)
    if taken == "X":
        return b"", ("X", why)
    if tag in ALWAYS_REPLACED:
        return None
    if taken == "Z":
        return encode_element(tag, vr, b""), ("Z", why)
    new = _new_value(taken, vr, value, about, pseudonyms)
    return (encode_element(tag, vr, new), (taken, why)) if new else None


def _stays(vr: str, value: bytes, plan: Plan, about: About) -> bool:
    """Whether the engine, too, would leave it as it is."""
    if plan.formed:
        if not is_valid(vr, value):
            return False
    elif plan.max_values is not None and len(value) / NUMERIC_BINARY[vr] > plan.max_values:
        return False
    if vr not in _SEARCHED or not about.telling or plan.decision.by_user:
        return True
    return (
        value.isascii() and _ESCAPE not in value and about.telling.isdisjoint(descriptors.words(value.decode("ascii")))
    )


def _new_value(action: str, vr: str, value: bytes, about: About, pseudonyms: Pseudonyms) -> bytes:
    """Return new UIDs or moved dates; nothing where there are none."""
    texts = [text.strip("\0 ") for text in value.decode("ascii", "replace").split("\\")]
    if action == "U" and vr == "UI":
        return "\\".join(pseudonyms.uid(text) for text in texts).encode()
    if action == "C" and vr in TEMPORAL:
        moved = [shift(vr, text, about.days) for text in texts]
        if None not in moved:
            return "\\".join(text for text in moved if text).encode() if all(moved) else b""
    return b""
