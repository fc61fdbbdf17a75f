"""Overlay planes that lie in unused bits of the pixel data (retired, PS3.3-2004 C.9.2).

Their group is removed, so the bits that they leave behind must go as well.
"""

from typing import cast

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from lakeward.imaging.objects.reading import Limits
from lakeward.imaging.pixels import bounds, encoding
from lakeward.imaging.reasons import Quarantined, Reason

_FIRST_GROUP, _LAST_GROUP = 0x6000, 0x601E
_BIT_POSITION = 0x0102
_OVERLAY_DATA = 0x3000


def has_embedded(ds: Dataset) -> bool:
    """Whether an overlay group declares a plane that is not in Overlay Data but in the pixels' unused bits."""
    groups = {tag.group for tag in ds.keys() if _FIRST_GROUP <= tag.group <= _LAST_GROUP and tag.group % 2 == 0}
    return any(
        ds.get((group, _BIT_POSITION)) is not None
        and bool(ds[group, _BIT_POSITION].value)
        and (group, _OVERLAY_DATA) not in ds
        for group in groups
    )


def clear_embedded(ds: Dataset) -> None:
    """Set all bits of pixel data outside Bits Stored to zero if an overlay lies in them.

    What is compressed without loss is encoded again.

    Raises
    ------
    Quarantined
        If the pixel data is compressed with loss: decoding and encoding again may lose more than the overlay.
    """
    if "PixelData" not in ds or not has_embedded(ds):
        return
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax in encoding.LOSSLESS and encoding.is_encodable(ds):
        _encode_again(cast(FileDataset, ds))
        return
    if syntax.is_encapsulated or ds.BitsAllocated not in (8, 16, 32):
        raise Quarantined(Reason.EMBEDDED_OVERLAY)
    order = "<" if ds.original_encoding[1] else ">"
    pixels = np.frombuffer(ds.PixelData, dtype=f"{order}u{ds.BitsAllocated // 8}")
    low = ds.HighBit + 1 - ds.BitsStored
    cleared = pixels & pixels.dtype.type(((1 << ds.BitsStored) - 1) << low)
    ds.PixelData = cleared.astype(pixels.dtype).tobytes()  # numpy computes in the machine's byte order


def _encode_again(ds: FileDataset) -> None:
    """Decode what was compressed without loss, and encode it again without the bits beside the image."""
    syntax = ds.file_meta.TransferSyntaxUID
    bounds.check(ds, Limits())
    encoding.decompress(ds)
    encoding.compress(ds, encoding.of_family(syntax))
