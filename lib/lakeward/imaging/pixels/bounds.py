"""What decoding an image would cost, told by its description and its codestreams' own headers: bombs go off nowhere.

Decoders allocate and loop as codestreams ask them to, in calls that can't be interrupted. What is refused here takes
them gigabytes or minutes and no more than some kilobytes of a file; no device writes the like.
"""

from pydicom.dataset import FileDataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

from lakeward.imaging.objects.completeness import PIXEL_KEYWORDS, number_of_frames
from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels import markers
from lakeward.imaging.reasons import Quarantined, Reason

_FRAME_COST = 64 * 1024
"""Bytes of a frame that cost as much as the steps of each, however small it is: half a millisecond."""
_PALETTE_BYTES = 6
"""Of a pixel whose color is looked up: three numbers of 16 bits."""
_SCANS = 32
"""Scans of a JPEG image, each of which goes over all of it; progressive ones have about ten."""
_CODE_BLOCKS, _PRECINCTS, _PACKETS = 1 << 19, 1 << 17, 1 << 24
"""Of a JPEG 2000 image: OpenJPEG needs 250 bytes, a kilobyte and two bytes for each. With blocks of 64 x 64 pixels, an
image of the largest size has 24,000."""


def check(ds: FileDataset, limits: Limits) -> int:
    """Hold what decoding would take against the limits, and return the number of frames.

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS, or TOO_LARGE.
    """
    with contained(Reason.UNDECODABLE_PIXELS):
        count = _check_size(ds, limits)
        if ds.file_meta.TransferSyntaxUID.is_encapsulated:
            _check_codestreams(ds, count)
    return count


def _check_size(ds: FileDataset, limits: Limits) -> int:
    count = number_of_frames(ds)
    is_palette = ds.get("PhotometricInterpretation") == "PALETTE COLOR"
    pixel_bytes = _PALETTE_BYTES if is_palette else ds.get("SamplesPerPixel", 1) * -(-_bits_allocated(ds) // 8)
    frame_bytes = ds.Rows * ds.Columns * pixel_bytes
    if frame_bytes > limits.max_frame_bytes or count * frame_bytes > limits.max_pixel_bytes:
        raise Quarantined(Reason.TOO_LARGE, "pixel data once decoded")
    stored = sum(len(ds[keyword].value or b"") for keyword in PIXEL_KEYWORDS if keyword in ds)
    if count * max(frame_bytes, _FRAME_COST) > max(limits.small_pixel_bytes, limits.max_ratio * stored):
        raise Quarantined(Reason.TOO_LARGE, f"pixel data more than {limits.max_ratio} times their size once decoded")
    return count


def _bits_allocated(ds: FileDataset) -> int:
    bits = next((bits for keyword, bits in PIXEL_KEYWORDS.items() if bits and keyword in ds), None)
    return bits or int(ds.BitsAllocated)


def _check_codestreams(ds: FileDataset, count: int) -> None:
    """Hold each frame's own size against the data set's, and its structure against what is reasonable."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax in JPEG2000TransferSyntaxes:
        size, is_reasonable = markers.jpeg_2000_size, _is_reasonable_jpeg_2000
    elif syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        size, is_reasonable = markers.jpeg_size, _is_reasonable_jpeg
    else:
        return
    described = ds.Rows, ds.Columns, ds.SamplesPerPixel
    for codestream in generate_frames(ds.PixelData, number_of_frames=count):
        if size(codestream) != described:
            raise Quarantined(Reason.UNDECODABLE_PIXELS, "a frame's own size is not the one described")
        if not is_reasonable(codestream, described):
            raise Quarantined(Reason.TOO_LARGE, "more parts of a codestream than any device writes")


def _is_reasonable_jpeg(codestream: bytes, size: tuple[int, int, int]) -> bool:
    return codestream.count(b"\xff\xda") <= _SCANS  # stuffing keeps the marker out of entropy-coded data


def _is_reasonable_jpeg_2000(codestream: bytes, size: tuple[int, int, int]) -> bool:
    rows, columns, samples = size
    for style in markers.jpeg_2000_styles(codestream, samples):
        precincts = samples * sum(
            -(-rows // (1 << down + high)) * -(-columns // (1 << down + wide)) for down, wide, high in style.precincts
        )
        blocks = rows * columns * samples // style.block_area
        if blocks > _CODE_BLOCKS or precincts > _PRECINCTS or precincts * style.layers > _PACKETS:
            return False
    return True
