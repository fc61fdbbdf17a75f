"""The Types of attributes in the Information Object Definitions (DICOM PS3.3).

They come from the tables that highdicom ships. This module alone knows that, and how they are laid out.
"""

import json
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Literal, cast

AttributeType = Literal["1", "1C", "2", "2C", "3"]

_SUCCESSORS = {
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image
    "1.2.840.10008.5.1.4.1.1.5": "1.2.840.10008.5.1.4.1.1.20",  # Nuclear Medicine Image
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image
    "1.2.840.10008.5.1.4.1.1.12.3": "1.2.840.10008.5.1.4.1.1.12.1",  # X-Ray Angiographic Bi-Plane Image
    "1.2.840.10008.5.1.1.29": "1.2.840.10008.5.1.4.1.1.7",  # Hardcopy Grayscale Image
    "1.2.840.10008.5.1.1.30": "1.2.840.10008.5.1.4.1.1.7",  # Hardcopy Color Image
    "1.2.840.10008.5.1.4.1.1.77.1": "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Image, trial
    "1.2.840.10008.5.1.4.1.1.77.2": "1.2.840.10008.5.1.4.1.1.77.1.4",  # VL Multi-frame Image, trial
}
"""Retired SOP classes of ordinary images (PS3.6 Annex A; archives hold many), and the class whose IOD is nearest."""

STRICTEST_FIRST = ("1", "1C", "2", "2C", "3")


def attribute_type(sop_class_uid: str, path: tuple[str, ...], keyword: str) -> AttributeType | None:
    """Return how strongly a SOP class asks for an attribute.

    Where several modules of the IOD define the attribute, the strictest Type counts (1, 1C, 2, 2C, 3), whether or not
    the module is mandatory and whether or not a condition is met. So an object keeps conforming whichever modules it
    uses; the price is a dummy or empty value where leaving the attribute out would sometimes have done.

    Parameters
    ----------
    sop_class_uid : str
        The object's SOP Class UID.
    path : tuple of str
        Keywords of the sequences that lead to the attribute, outermost first; empty at the top level. Functional groups
        are part of it: ``("SharedFunctionalGroupsSequence", "PixelMeasuresSequence")``.
    keyword : str
        The attribute's keyword.

    Returns
    -------
    str or None
        The Type (PS3.5 Section 7.4), or None where the SOP class is not known or its IOD has no such attribute there
        (as in a Standard Extended SOP Class).

    Notes
    -----
    Sequences that contain themselves, such as Content Sequence (0040,A730) in structured reports, have their attributes
    looked up as at the first level.

    """
    types = _types(sop_class_uid)
    place = (*path, keyword)
    return types.get(place) or types.get(_without_repeats(place))


def is_known_sop_class(uid: str) -> bool:
    """Return whether the SOP class (DICOMDIR's included) has an IOD here.

    Retired classes of images have that of their successor; other retired ones and private ones have none.
    """
    return _SUCCESSORS.get(uid, uid) in _iod_of_sop_class()


def _without_repeats(place: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for i, key in enumerate(place) if i == 0 or key != place[i - 1])


def _types(sop_class_uid: str) -> dict[tuple[str, ...], AttributeType]:
    iod = _iod_of_sop_class().get(_SUCCESSORS.get(sop_class_uid, sop_class_uid))
    return _types_in_iod(iod) if iod else {}


@cache
def _types_in_iod(iod: str) -> dict[tuple[str, ...], AttributeType]:
    """Index one IOD's attributes on first use: (path, keyword) to strictest Type."""
    found: dict[tuple[str, ...], str] = {}
    text = _text("module_attribute_map")
    for module in _modules_of_iod()[iod]:
        for attribute in _attributes(text, module["key"]):
            place, kind = (*attribute["path"], attribute["keyword"]), attribute["type"]
            # Normalized print and billing modules state no Type ("None").
            if kind in STRICTEST_FIRST:
                found[place] = min(kind, found.get(place, "3"), key=STRICTEST_FIRST.index)
    return cast(dict[tuple[str, ...], AttributeType], found)


def _attributes(text: str, module: str) -> list[dict[str, Any]]:
    """Parse one module out of the map of all: parsed whole, it takes over 200 MB."""
    key = text.find(f'"{module}":')
    if key < 0:  # some modules of recent IODs (waveform presentation, real-time video) are missing in the map
        return []
    attributes, _ = json.JSONDecoder().raw_decode(text, text.index("[", key))
    return cast(list[dict[str, Any]], attributes)


@cache
def _iod_of_sop_class() -> dict[str, str]:
    return cast(dict[str, str], json.loads(_text("sop_class_iod_map")))


@cache
def _modules_of_iod() -> dict[str, list[dict[str, str]]]:
    return cast(dict[str, list[dict[str, str]]], json.loads(_text("iod_module_map")))


def _text(name: str) -> str:
    # Importing highdicom takes over a second and 100 MB, so its files are found without that.
    file = distribution("highdicom").locate_file(f"highdicom/_standard/{name}.json")
    return Path(str(file)).read_text(encoding="utf-8")
