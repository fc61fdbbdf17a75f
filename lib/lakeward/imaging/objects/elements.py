"""Where the elements of an everyday DICOM file lie: one pass over its bytes that copies nothing.

It knows Explicit VR Little Endian with the file meta information in front (PS3.10 7.1) and gives up on all that is
unusual, which `reading.read_object` then looks at in full.
"""

from struct import Struct, error
from typing import NamedTuple

from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from lakeward.imaging.objects.structure import UNDEFINED_LENGTH, Fragments, Walk
from lakeward.imaging.reasons import Quarantined

_START, _MARK = 132, b"DICM"
_LONG = {str(vr).encode(): str(vr) for vr in EXPLICIT_VR_LENGTH_32}
_SHORT = {str(vr).encode(): str(vr) for vr in VR if len(vr) == 2 and str(vr).encode() not in _LONG}
_header = Struct("<HH2sH").unpack_from
_length = Struct("<L").unpack_from


Element = tuple[int, str, int, int, int]
"""An element of the top level: its tag and VR, and the offsets where it starts, where its value starts, and its end."""


class Elements(NamedTuple):
    """All elements of a file, group 0002 included, in ascending order; and the fragments of encapsulated pixels."""

    found: list[Element]
    fragments: Fragments | None


def locate(data: bytes, max_depth: int, max_elements: int, size: int | None = None) -> Elements | None:
    """Find the elements of a file.

    Parameters
    ----------
    data : bytes
        The file.
    max_depth, max_elements : int
        As for `structure.Walk`, which goes through what has no stated length.
    size : int, optional
        Bytes of the whole file, where `data` is only its beginning; the last element may then end outside `data`.

    Returns
    -------
    Elements or None
        None where anything is out of the ordinary: no preamble, an unknown VR, tags out of order, an end that doesn't
        fit. Sequences of stated length have not been looked into.
    """
    if data[128:_START] != _MARK:
        return None
    walk = Walk(data, True, max_depth, max_elements)
    found: list[Element] = []
    at, last, size = _START, 0, len(data) if size is None else size
    try:
        while at < size:
            group, element, code, length = _header(data, at)
            tag = group << 16 | element
            value = at + 8
            if (vr := _SHORT.get(code)) is None:
                vr = _LONG[code]
                (length,) = _length(data, value)
                value += 4
            end = value + length if length != UNDEFINED_LENGTH else walk.delimited(tag, vr, value)
            if tag <= last or end > size:
                return None
            found.append((tag, vr, at, value, end))
            at, last = end, tag
    except (KeyError, ValueError, error, Quarantined):  # also a header that is cut
        return None
    return Elements(found, walk.fragments) if len(found) <= max_elements else None
