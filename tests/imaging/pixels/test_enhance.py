"""A frame is shown as its object says, and CLAHE's clip limit really acts on it."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import apply_voi_lut

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import (
    EnhanceParameters,
    Frame,
    Picture,
    _percentiles,
    display,
    enhance,
    is_enhanceable,
)

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
ENHANCE = EnhanceParameters()


def real(name: str) -> tuple[Frame, FileDataset]:
    ds = read_object(TEST_FILES / name)
    return next(frames(ds)), ds


def ramp(**attributes: object) -> tuple[npt.NDArray[np.int16], FileDataset]:
    """Every value of 12 bits once, in an MR image with no window."""
    ds = read_object(TEST_FILES / "MR_small.dcm")
    ds.BitsStored, ds.PixelRepresentation = 12, 0
    del ds.WindowCenter, ds.WindowWidth
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return np.arange(4096, dtype=np.int16).reshape(64, 64), ds


def local_contrast(picture: Picture) -> float:
    """Mean standard deviation of 9 x 9 neighborhoods."""
    values = picture.astype(np.float32)
    variance = cv2.blur(values * values, (9, 9)) - cv2.blur(values, (9, 9)) ** 2
    return float(np.sqrt(np.clip(variance, 0, None)).mean())


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "J2K_pixelrep_mismatch.dcm", "JPGExtended.dcm"],
)
def test_more_clip_limit_means_more_contrast(name: str) -> None:
    """On CT, MR and NM of 12 to 16 bits, where OpenCV's 16-bit CLAHE gives three times the same."""
    frame, ds = real(name)
    contrasts = [local_contrast(enhance(frame, ds, EnhanceParameters(clip_limit=limit))) for limit in (1, 2, 15.9)]
    assert local_contrast(display(frame, ds)) < contrasts[0]
    assert contrasts[1] > contrasts[0] * 1.01
    assert contrasts[2] > contrasts[1] * 1.05


def test_a_window_is_applied_as_pydicom_does() -> None:
    frame, ds = ramp(WindowCenter=1000, WindowWidth=2000)
    np.testing.assert_array_equal(display(frame, ds), (apply_voi_lut(frame, ds) * 255 / 4095).round())


def test_the_first_of_several_windows_counts() -> None:
    several = display(*ramp(WindowCenter=[1000, 50], WindowWidth=[2000, 10]))
    np.testing.assert_array_equal(several, display(*ramp(WindowCenter=1000, WindowWidth=2000)))


@pytest.mark.parametrize(("function", "at_half"), [("LINEAR", 0), ("LINEAR_EXACT", 0), ("SIGMOID", 30)])
def test_voi_functions_differ_at_the_edge_of_the_window(function: str, at_half: int) -> None:
    shown = display(*ramp(WindowCenter=2000, WindowWidth=1000, VOILUTFunction=function)).ravel()
    assert abs(int(shown[1500]) - at_half) <= 1
    assert abs(int(shown[2000]) - 128) <= 1


def test_the_window_is_in_rescaled_units() -> None:
    shown = display(*ramp(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=1000, WindowWidth=200)).ravel()
    assert (shown[940], shown[1000], shown[1060]) == (0, 128, 255)


def test_a_negative_slope_turns_the_picture_around() -> None:
    shown = display(*ramp(RescaleSlope=-1, RescaleIntercept=4095)).ravel()
    assert shown[0] == 255
    assert shown[-1] == 0


def test_a_voi_lut_comes_before_a_window() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.add_new(0x00283006, "US", list(range(4095, -1, -1)))
    shown = display(*ramp(WindowCenter=1000, WindowWidth=2000, VOILUTSequence=[item])).ravel()
    assert (shown[0], shown[-1]) == (255, 0)


def test_without_a_window_the_middle_of_the_values_is_stretched() -> None:
    frame, ds = ramp()
    frame[0, 0] = 32767
    shown = display(frame, ds).ravel()
    assert abs(int(shown[2048]) - 128) <= 1
    assert shown[4090] == 255


def test_an_invalid_window_is_no_window() -> None:
    np.testing.assert_array_equal(display(*ramp(WindowCenter=0, WindowWidth=0)), display(*ramp()))


def test_padding_does_not_take_part() -> None:
    frame, ds = ramp(PixelRepresentation=1, PixelPaddingValue=-2000)
    frame[:32] = -2000
    assert display(frame, ds)[32:].std() > 70


def test_monochrome1_is_turned_to_display_sense() -> None:
    frame, ds = ramp()
    upright = display(frame, ds)
    ds.PhotometricInterpretation = "MONOCHROME1"
    np.testing.assert_array_equal(display(frame, ds), 255 - upright)


def test_each_frame_of_an_enhanced_object_has_its_own_window() -> None:
    frame, ds = ramp()
    ds.SharedFunctionalGroupsSequence = [
        group("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1000)
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        group("FrameVOILUTSequence", WindowCenter=center, WindowWidth=2) for center in (0, 500)
    ]
    first, second = (display(frame, ds, index).ravel() for index in (0, 1))
    assert (first[990], first[1010]) == (0, 255)
    assert (second[1490], second[1510]) == (0, 255)


def group(keyword: str, **attributes: float) -> Dataset:
    item, groups = Dataset(), Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    setattr(groups, keyword, [item])
    return groups


def test_color_keeps_its_hue() -> None:
    frame, ds = real("examples_rgb_color.dcm")
    before, after = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(int) for picture in (frame, enhance(frame, ds, ENHANCE))
    )
    assert local_contrast(after[..., 0].astype(np.uint8)) > 1.1 * local_contrast(before[..., 0].astype(np.uint8))
    assert np.median(np.abs(after - before)[..., 1:]) <= 1


@pytest.mark.parametrize("name", ["SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm", "examples_palette.dcm"])
def test_color_of_more_bits_is_shown_in_eight(name: str) -> None:
    shown = display(*real(name))
    assert shown.dtype == np.uint8
    assert shown.max() == 255


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "rtdose_1frame.dcm"])
def test_values_that_stand_for_themselves_are_left_alone(name: str) -> None:
    frame, ds = real(name)
    assert not is_enhanceable(ds, ENHANCE)
    assert display(frame, ds).max() == 255


def test_enhancement_can_be_switched_off() -> None:
    _, ds = real("CT_small.dcm")
    assert is_enhanceable(ds, ENHANCE)
    assert not is_enhanceable(ds, EnhanceParameters(enabled=False))


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (7, 200), (17, 31)])
def test_images_smaller_than_the_tiles_are_enhanced_too(shape: tuple[int, int]) -> None:
    _, ds = ramp()
    frame = np.arange(shape[0] * shape[1], dtype=np.int16).reshape(shape)
    assert enhance(frame, ds, ENHANCE).shape == shape


def test_a_constant_image_stays_constant() -> None:
    frame, ds = ramp(WindowCenter=1000, WindowWidth=2000)
    assert np.unique(enhance(np.full_like(frame, 1000), ds, ENHANCE)).tolist() == [128]


def test_the_same_frame_gives_the_same_picture() -> None:
    frame, ds = real("CT_small.dcm")
    np.testing.assert_array_equal(enhance(frame, ds, ENHANCE), enhance(frame.copy(), ds, ENHANCE))


@pytest.mark.parametrize(("kind", "low"), [("u1", 0), ("i1", -128), ("u2", 0), ("i2", -2000)])
def test_counting_gives_the_percentiles_that_sorting_gives(kind: str, low: int) -> None:
    frame = np.random.default_rng(1).integers(low, low + 200, (30, 20)).astype(kind)
    frame[:3] = low
    wanted = np.percentile(frame[frame != low].astype(float), (0.5, 99.5))
    assert np.allclose(_percentiles(frame, low), wanted)
    assert np.allclose(_percentiles(frame[:3], low), low)  # all of it is padding
