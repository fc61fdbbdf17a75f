"""Where text is known to be without a search: a user's rules for devices, and what lies outside ultrasound regions."""

import re
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydicom.dataset import Dataset

Mask = npt.NDArray[np.bool_]
_Pixel = Annotated[int, Field(ge=0)]

_ULTRASOUND = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(?:3(?:\.1)?|6(?:\.1)?)")
_CORNERS = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")


class RegionRule(BaseModel):
    """Areas that one kind of image always has its text in; all conditions that are given must hold.

    Attributes
    ----------
    rows, columns : int
        Size of the image, which the areas are measured on.
    manufacturer, model, sop_class : str
        Manufacturer (0008,0070), Manufacturer's Model Name (0008,1090), SOP Class UID (0008,0016); the first two
        in any case.
    mask : tuple of (left, top, right, bottom)
        Areas to black out: the first column and row in each, and the first ones after it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]
    manufacturer: str | None = None
    model: str | None = None
    sop_class: str | None = None
    mask: Annotated[tuple[tuple[_Pixel, _Pixel, _Pixel, _Pixel], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _lies_in_the_image(self) -> "RegionRule":
        for left, top, right, bottom in self.mask:
            if not (left < right <= self.columns and top < bottom <= self.rows):
                raise ValueError("mask: write areas as [left, top, right, bottom] inside rows and columns")
        return self

    def fits(self, ds: Dataset) -> bool:
        """Whether an object is of the kind that the rule is for."""
        wanted = {
            "Manufacturer": self.manufacturer,
            "ManufacturerModelName": self.model,
            "SOPClassUID": self.sop_class,
        }
        return (ds.get("Rows"), ds.get("Columns")) == (self.rows, self.columns) and all(
            want is None or str(ds.get(keyword) or "").strip().casefold() == want.strip().casefold()
            for keyword, want in wanted.items()
        )


def known(ds: Dataset, rules: tuple[RegionRule, ...]) -> tuple[Mask, int]:
    """Return what is to be blacked out with no search, and the number of areas.

    Parameters
    ----------
    ds : pydicom.Dataset
        The object, before its header is cleaned.
    rules : tuple of RegionRule
        The user's; all that fit are used.

    Returns
    -------
    tuple of numpy.ndarray and int
        bool of shape (rows, columns); everything outside of ultrasound regions counts as one area.
    """
    mask = _outside_ultrasound(ds)
    areas = [area for rule in rules if rule.fits(ds) for area in rule.mask]
    count = len(areas) + bool(mask.any())
    for left, top, right, bottom in areas:
        mask[top:bottom, left:right] = True
    return mask, count


def _outside_ultrasound(ds: Dataset) -> Mask:
    """What Sequence of Ultrasound Regions (0018,6011) leaves out; nothing where one of its items is not in the image.

    The regions hold the image data (PS3.3 C.8.5.5); names, dates and settings are written around them.
    """
    outside = np.zeros((ds.Rows, ds.Columns), np.bool_)
    if not _ULTRASOUND.fullmatch(str(ds.get("SOPClassUID"))) or not ds.get("SequenceOfUltrasoundRegions"):
        return outside
    outside[:] = True
    for region in ds.SequenceOfUltrasoundRegions:
        left, top, right, bottom = (region.get(keyword) for keyword in _CORNERS)
        if None in (left, top, right, bottom) or not (0 <= left < right and 0 <= top < bottom):
            return np.zeros_like(outside)
        outside[top : bottom + 1, left : right + 1] = False
    return outside
