"""Blacking out areas of stored pixels; all other pixels stay as they are, to the last bit."""

import numpy as np
import numpy.typing as npt
from pydicom.dataset import FileDataset
from pydicom.pixels.processing import apply_color_lut

from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.pixels.encoding import decompress
from lakeward.imaging.pixels.regions import Mask
from lakeward.imaging.reasons import Quarantined, Reason

_Stored = npt.NDArray[np.unsignedinteger]


def black_out(ds: FileDataset, mask: Mask) -> None:
    """Set pixels to black in every frame.

    Compressed pixel data are decoded and stay native, Explicit VR Little Endian, until `encoding.store`. Black is the
    darkest value that occurs in the image, so that windows and statistics of gray values stay sound; in YBR_FULL_422
    each pair of pixels that share their color goes together.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        The object; its Pixel Data (7FE0,0010) is changed, and where it was compressed what describes it too.
    mask : numpy.ndarray
        bool of shape (rows, columns).

    Raises
    ------
    Quarantined
        BURNED_IN_RISK, if pixels are stored in a way that can't be masked here.
    """
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        decompress(ds)
    if "PixelData" not in ds or ds.BitsAllocated not in (1, 8, 16, 32):
        raise _not_here()
    with contained(Reason.UNDECODABLE_PIXELS):
        swapped = _is_big_endian(ds) and ds.BitsAllocated == 8 and ds["PixelData"].VR == "OW"
        data = _swap(ds.PixelData) if swapped else ds.PixelData
        masked = _mask_bits(data, ds, mask) if ds.BitsAllocated == 1 else _mask_samples(data, ds, mask)
        ds["PixelData"].value = _swap(masked) if swapped else masked


def _mask_bits(data: bytes, ds: FileDataset, mask: Mask) -> bytes:
    if _is_big_endian(ds):
        raise _not_here()
    shape = (number_of_frames(ds), *mask.shape)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    bits[: np.prod(shape)].reshape(shape)[:, mask] = ds.PhotometricInterpretation == "MONOCHROME1"
    return np.packbits(bits, bitorder="little").tobytes()


def _mask_samples(data: bytes, ds: FileDataset, mask: Mask) -> bytes:
    order = ">" if _is_big_endian(ds) else "<"
    stored = np.frombuffer(data, f"{order}u{ds.BitsAllocated // 8}").copy()
    count, samples, kind = number_of_frames(ds), ds.get("SamplesPerPixel", 1), ds.PhotometricInterpretation
    if kind == "YBR_FULL_422":
        pairs = stored[: count * mask.size * 2].reshape(count, mask.shape[0], -1, 4)  # Y, Y, Cb, Cr
        pairs[:, mask[:, ::2] | mask[:, 1::2]] = [0, 0, 128, 128]
    elif samples == 1:
        values = stored[: count * mask.size].reshape(count, *mask.shape)
        values[:, mask] = _darkest(values, ds)
    else:
        black = _black(ds)
        planar = ds.get("PlanarConfiguration") == 1
        shape = (count, samples, *mask.shape) if planar else (count, *mask.shape, samples)
        values = stored[: count * mask.size * samples].reshape(shape)
        for sample, value in enumerate(black):
            (values[:, sample] if planar else values[..., sample])[:, mask] = value
    return stored.tobytes()


def _black(ds: FileDataset) -> tuple[int, int, int]:
    if ds.PhotometricInterpretation == "RGB":
        return 0, 0, 0
    if ds.PhotometricInterpretation == "YBR_FULL":
        middle = 1 << ds.BitsStored - 1
        return 0, middle, middle
    raise _not_here()


def _darkest(stored: _Stored, ds: FileDataset) -> np.unsignedinteger:
    """Return what is stored where the image is darkest, unused bits included."""
    kinds = np.unique(stored)
    bits, low = ds.BitsStored, ds.HighBit + 1 - ds.BitsStored
    values = (kinds.astype(np.int64) >> low) & ((1 << bits) - 1)
    if ds.PixelRepresentation:
        values -= (values >> bits - 1) << bits
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        container = f"{'i' if ds.PixelRepresentation else 'u'}{stored.itemsize}"
        values = apply_color_lut(values.astype(container), ds)[..., :3].sum(axis=-1, dtype=np.int64)
    elif ds.PhotometricInterpretation == "MONOCHROME1":
        values = -values
    elif ds.PhotometricInterpretation != "MONOCHROME2":
        raise _not_here()
    darkest: np.unsignedinteger = kinds[np.argmin(values)]
    return darkest


def _is_big_endian(ds: FileDataset) -> bool:
    return not ds.file_meta.TransferSyntaxUID.is_little_endian


def _swap(data: bytes) -> bytes:
    """Swap the bytes of each 16-bit word: eight-bit pixels in OW of big endian (PS3.5 Annex D)."""
    return np.frombuffer(data, np.uint16).byteswap().tobytes()


def _not_here() -> Quarantined:
    return Quarantined(Reason.BURNED_IN_RISK, "pixels stored so that they can't be masked")
