"""The option Clean Pixel Data (PS3.15 E.3.1): text is looked for in the frames and blacked out in the stored pixels."""

import numpy as np
from pydicom.dataset import FileDataset

from lakeward.imaging.deidentification import gates
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import Limits
from lakeward.imaging.pixels import burned_in, encoding, framewise, masking, regions
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import Picture, display
from lakeward.imaging.pixels.regions import Mask

_SEARCHED = 16
"""Frames that are searched in any case: the first ones, and as many more at equal distances."""
_CHANGE = 40
"""Gray levels, of 256, that a pixel must differ by."""
_STROKES = 24
"""Changed pixels that may be a letter or two."""


def is_due(ds: FileDataset, profile: Profile) -> bool:
    """Whether the pixels of an object must be searched: where text is feared in them, or a rule knows of some.

    What a person has looked at and released is not searched.
    """
    if not profile.has(Option.CLEAN_PIXEL_DATA) or not any(keyword in ds for keyword in gates.PIXELS):
        return False
    feared = gates.BURNED_IN.intersection(gates.findings(ds))
    return bool(feared - profile.accept) if feared else any(rule.fits(ds) for rule in profile.regions)


def clean(ds: FileDataset, profile: Profile, limits: Limits) -> int | None:
    """Black out the text in an object's pixels, in all frames, and store them in the transfer syntax that is due.

    Of compressed images one frame is decoded at a time, and black is the darkest value of each frame.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        The object before its header is cleaned; nothing in it changes if no text is found, and no other transfer
        syntax is asked for.
    profile : Profile
        Whether to search, rules for devices, and the transfer syntax.
    limits : Limits
        Bounds on the decoded pixels.

    Returns
    -------
    int or None
        Areas that were blacked out; None if the object was not searched.

    Raises
    ------
    Quarantined
        If the pixels can't be decoded, searched with certainty, masked, or encoded again.
    """
    before = ds.file_meta.TransferSyntaxUID
    mask, count = _text(ds, profile, limits) if is_due(ds, profile) else (None, None)
    masks = mask is not None and bool(mask.any())

    def finish(image: FileDataset) -> None:
        if mask is not None and masks:
            masking.black_out(image, mask)
        encoding.store(image, profile.transfer_syntax, before, limits)

    if masks or profile.transfer_syntax != "keep":
        decoded = before.is_encapsulated if masks else before in encoding.LOSSLESS
        # The single bits of neighboring frames share bytes.
        if decoded and "PixelData" in ds and ds.BitsAllocated > 1:
            framewise.change_each(ds, finish, limits)
        else:
            finish(ds)
    return count


def _text(ds: FileDataset, profile: Profile, limits: Limits) -> tuple[Mask, int]:
    """Return where text is, in any of the frames, and in how many areas."""
    mask, count = regions.known(ds, profile.regions)
    watch = _Watch(number_of_frames(ds), mask)
    for index, frame in enumerate(frames(ds, limits)):
        shown = display(frame, ds, index)
        if watch.is_new(shown, index):
            for box in burned_in.find_text(shown):
                area = mask[box.top : box.bottom, box.left : box.right]
                count += not area.all()
                area[:] = True
    return mask, count


class _Watch:
    """Tell which frames to search, so that text which comes in the middle of a long loop is seen.

    Where nothing has moved so far, a change may be text. Where the image itself moves, only the frames that are
    searched in any case can show it.
    """

    def __init__(self, count: int, mask: Mask) -> None:
        self._every = max(1, count // _SEARCHED)
        self._quiet = np.ones_like(mask)
        self._mask = mask
        self._last: Picture | None = None

    def is_new(self, shown: Picture, index: int) -> bool:
        """Whether a frame is to be searched."""
        changed = self._changes(shown)
        news = np.count_nonzero(changed & self._quiet & ~self._mask)
        if index >= _SEARCHED and index % self._every and news < _STROKES:
            return False
        self._quiet &= ~changed
        self._last = shown
        return True

    def _changes(self, shown: Picture) -> Mask:
        if self._last is None:
            return np.zeros_like(self._quiet)
        difference = np.abs(shown.astype(np.int16) - self._last) > _CHANGE
        return np.asarray(difference.any(axis=-1) if difference.ndim == 3 else difference, np.bool_)
