"""Changing compressed images frame by frame: decoded they may be a hundred times as large, and need not be at once."""

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from lakeward.imaging.objects.completeness import EXTENDED_OFFSETS, native_length
from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels.bounds import check
from lakeward.imaging.reasons import Reason

_PIXEL_DESCRIPTION = 0x0028
_NUMBER_OF_FRAMES = 0x00280008


class _Changed(NamedTuple):
    """A frame as it is to be stored, its size decoded, and the object that it was for a while."""

    stored: bytes
    decoded_bytes: int
    ds: FileDataset


def change_each(ds: FileDataset, change: Callable[[FileDataset], None], limits: Limits) -> None:
    """Change the pixels of a compressed image frame by frame, each as an object of its own.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        Its Pixel Data (7FE0,0010), what describes them (group 0028) and its transfer syntax become what they became of
        the frames, and an extended offset table (PS3.3 C.7.6.3.1.8), which would not fit any more, goes; nothing
        changes if no frame does.
    change : callable
        Changes an object in place; it does the same to the description of each frame.
    limits : Limits
        Bounds on the decoded pixels.

    Raises
    ------
    Quarantined
        What `change` raises; UNDECODABLE_PIXELS or TOO_LARGE; NOT_WRITABLE, if the frames can't be put together.
    """
    count = check(ds, limits)
    with contained(Reason.UNDECODABLE_PIXELS):
        streams = list(generate_frames(ds.PixelData, number_of_frames=count))
    frames = [_changed(ds, stream, change) for stream in streams]
    if [frame.stored for frame in frames] != streams:
        with contained(Reason.NOT_WRITABLE):
            _put_together(ds, frames)


def _changed(ds: FileDataset, stream: bytes, change: Callable[[FileDataset], None]) -> _Changed:
    described = (tag for tag in ds.keys() if tag.group == _PIXEL_DESCRIPTION and tag != _NUMBER_OF_FRAMES)
    one = FileDataset("", Dataset({tag: copy(ds[tag]) for tag in described}), file_meta=FileMetaDataset())
    one.file_meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    one.PixelData = encapsulate([stream])
    one["PixelData"].VR, one["PixelData"].is_undefined_length = "OB", True
    change(one)
    size = native_length(one)[0]
    data = one.PixelData
    del one.PixelData
    if one.file_meta.TransferSyntaxUID.is_encapsulated:
        return _Changed(next(generate_frames(data, number_of_frames=1)), size, one)
    return _Changed(data[:size], size, one)


def _put_together(ds: FileDataset, frames: list[_Changed]) -> None:
    before, last = len(ds.PixelData), frames[-1].ds
    lossy_before = ds.get("LossyImageCompressionRatio")
    for keyword in EXTENDED_OFFSETS:
        ds.pop(keyword, None)
    for element in last:
        ds[element.tag] = element
    if last.get("LossyImageCompressionRatio") != lossy_before:
        ds.LossyImageCompressionRatio = f"{sum(frame.decoded_bytes for frame in frames) / before:.2f}"
    syntax = ds.file_meta.TransferSyntaxUID = last.file_meta.TransferSyntaxUID
    stored = [frame.stored for frame in frames]
    joined = encapsulate(stored) if syntax.is_encapsulated else b"".join(stored)
    ds.PixelData = joined + b"\0" if len(joined) % 2 else joined
    wide = not syntax.is_encapsulated and ds.BitsAllocated > 8
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OW" if wide else "OB", bool(syntax.is_encapsulated)
