"""Frames are stored as TIFF files that others read, and come back as they were."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lakeward.imaging.pixels.tiff import decode_frame, encode_frame


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3), (1, 1)])
def test_stored_frames_come_back_as_they_were(dtype: type[np.uint8 | np.uint16], shape: tuple[int, ...]) -> None:
    frame = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    decoded = decode_frame(encode_frame(frame))
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, frame)


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3)])
def test_stored_frames_open_in_what_everybody_has(shape: tuple[int, ...]) -> None:
    frame = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    with Image.open(BytesIO(encode_frame(frame))) as image:
        assert image.format == "TIFF"
        np.testing.assert_array_equal(np.asarray(image), frame)
