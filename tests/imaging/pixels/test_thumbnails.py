"""Thumbnails are small, keep proportions and colors, and never grow."""

import imagecodecs
import numpy as np
import pytest

from lakeward.imaging.pixels.thumbnails import thumbnail_png


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((512, 512), (96, 96)), ((1024, 256), (96, 24)), ((5, 2000), (1, 96)), ((40, 30), (40, 30))],
)
def test_the_longer_side_fits_and_proportions_stay(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert imagecodecs.png_decode(thumbnail_png(np.zeros(shape, np.uint8))).shape == expected


def test_color_stays() -> None:
    red = np.zeros((200, 100, 3), np.uint8)
    red[..., 0] = 255
    decoded = imagecodecs.png_decode(thumbnail_png(red, size=50))
    assert decoded.shape == (50, 25, 3)
    assert (decoded == (255, 0, 0)).all()


def test_areas_are_averaged() -> None:
    checkered = np.indices((200, 200)).sum(axis=0).astype(np.uint8) % 2 * 255
    assert set(imagecodecs.png_decode(thumbnail_png(checkered, size=50)).ravel()) <= {127, 128}


def test_only_what_is_displayed_becomes_a_thumbnail() -> None:
    with pytest.raises(TypeError, match="display"):
        thumbnail_png(np.zeros((10, 10), np.uint16))  # type: ignore[arg-type]
