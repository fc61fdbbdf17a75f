"""Text in a picture is found whatever it says; only marks that name nobody, standing alone, are let through."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.burned_in import Box, find_text
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import Picture, display
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.samples import sample_folder


def a_picture(
    *texts: tuple[str, int, int, int], rows: int = 480, columns: int = 640, ink: int = 255, paper: int = 0
) -> Picture:
    """Gray picture with texts, each at (left, top) in a height."""
    image = Image.new("L", (columns, rows), paper)
    for text, left, top, height in texts:
        ImageDraw.Draw(image).text((left, top), text, ink, ImageFont.load_default(height))
    return np.asarray(image)


def left_of(picture: Picture, boxes: list[Box], paper: int = 0) -> int:
    """Pixels of ink outside the boxes."""
    ink = abs(picture.astype(int) - paper) > 60
    for box in boxes:
        ink[box.top : box.bottom, box.left : box.right] = False
    return int(ink.sum())


@pytest.mark.parametrize(("height", "ink", "paper"), [(9, 255, 0), (14, 90, 0), (24, 0, 255), (40, 60, 200)])
def test_finds_text_of_any_size_and_contrast(height: int, ink: int, paper: int) -> None:
    picture = a_picture(("MUSTERMANN ERIKA", 10, 8, height), ("12.08.1964", 300, 420, height), ink=ink, paper=paper)
    boxes = find_text(picture)
    assert left_of(picture, boxes, paper) == 0
    assert sum((box.right - box.left) * (box.bottom - box.top) for box in boxes) < 0.11 * picture.size


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_finds_it_on_its_side_too(turns: int) -> None:
    picture = np.rot90(a_picture(("Kowalska Zofia", 10, 8, 16), ("4711-0815", 300, 420, 12)), turns)
    assert left_of(picture, find_text(np.ascontiguousarray(picture))) == 0


def test_finds_it_in_color_too() -> None:
    gray = a_picture(("O'Brien, Jose", 200, 200, 18))
    colored = np.stack([gray, gray // 2, np.zeros_like(gray)], axis=-1)
    assert left_of(gray, find_text(colored)) == 0


@pytest.mark.parametrize(("rows", "columns", "height"), [(1024, 1024, 9), (1400, 2100, 12), (120, 160, 9)])
def test_finds_a_lone_word_in_large_and_in_small_pictures(rows: int, columns: int, height: int) -> None:
    picture = a_picture(("Kowalska", columns // 2, rows // 2, height), rows=rows, columns=columns)
    assert left_of(picture, find_text(picture)) == 0


@pytest.mark.parametrize("height", [130, 200])
def test_finds_letters_wider_than_any_stroke_of_small_ones(height: int) -> None:
    picture = a_picture(("Smith", 20, 100, height), rows=768, columns=1024)
    assert left_of(picture, find_text(picture)) == 0


def test_finds_faint_text_on_even_ground() -> None:
    picture = a_picture(("Kowalska", 300, 230, 16), ink=128, paper=100)
    (box,) = find_text(picture)
    assert (np.ptp(picture[box.top : box.bottom, box.left : box.right]), np.ptp(picture[: box.top])) == (28, 0)


def test_finds_words_of_all_sizes_between_the_lines_of_a_grid() -> None:
    text = a_picture(*(("Kowalska", 6 + 160 * (cell % 4), 6 + 48 * (cell // 4), 9 + cell // 2) for cell in range(40)))
    grid = text.copy()
    grid[::48] = grid[:, ::160] = 140
    assert left_of(text, find_text(grid)) == 0


def test_finds_nothing_where_there_is_nothing() -> None:
    y, x = np.mgrid[-1:1:480j, -1:1:640j]
    body = (180 * np.exp(-(x**4) - y**4) * (0.8 + 0.2 * np.sin(6 * x))).astype(np.uint8)
    assert find_text(body) == find_text(np.zeros((3, 3), np.uint8)) == []


@pytest.mark.parametrize("shape", [(2, 300), (300, 2), (300, 1)])
def test_looks_through_pictures_that_are_hardly_wider_than_a_line(shape: tuple[int, int]) -> None:
    assert find_text(np.where(np.indices(shape).sum(0) % 4 < 2, 255, 0).astype(np.uint8)) == []


@pytest.mark.parametrize("mark", ["R", "10", "4.5 cm", "mm"])
def test_lets_a_lone_mark_through(mark: str) -> None:
    picture = a_picture((mark, 600 if len(mark) < 3 else 560, 230, 24), ("Smith", 10, 10, 24))
    boxes = find_text(picture)
    assert all(box.right < 300 for box in boxes)
    assert left_of(picture[:, :300], boxes) == 0


@pytest.mark.parametrize("text", ["Li", "RA", "1964", "F57", "L. P."])
def test_lets_nothing_through_that_may_name_somebody(text: str) -> None:
    picture = a_picture((text, 300, 230, 24))
    assert left_of(picture, find_text(picture)) == 0


def test_a_line_on_its_side_is_no_mark_whatever_it_is_read_as() -> None:
    picture = np.rot90(a_picture(("MRN:4711-0815 Station", 10, 8, 10), rows=768, columns=1024))
    assert left_of(picture, find_text(np.ascontiguousarray(picture))) == 0


def test_numbers_in_a_row_may_be_a_date() -> None:
    picture = a_picture(("12", 100, 200, 24), ("08", 160, 200, 24), ("64", 220, 200, 24))
    assert left_of(picture, find_text(picture)) == 0


def test_sees_text_beside_speckle_that_the_detector_takes_for_text() -> None:
    speckle = np.random.default_rng(1).rayleigh(55, (480, 640)).clip(0, 255).astype(np.uint8)
    picture = a_picture(("MUSTERMANN", 10, 8, 16))
    picture = np.where(np.arange(480)[:, None] > 80, speckle, picture)
    boxes = find_text(picture)
    assert left_of(picture[:60], boxes) == 0
    assert sum((box.right - box.left) * (box.bottom - box.top) for box in boxes) < 0.1 * picture.size


@pytest.mark.parametrize(("axes", "ink"), [((300, 200), 255), ((450, 300), 180), ((450, 300), 255)])
def test_a_large_smooth_shape_is_no_texture(axes: tuple[int, int], ink: int) -> None:
    text = a_picture(("Kowalska", 10, 8, 16), rows=768, columns=1024)
    picture = cv2.ellipse(text.copy(), (512, 384), axes, 20, 0, 360, ink, -1, cv2.LINE_AA)
    boxes = find_text(picture)
    assert left_of(text, boxes) == 0
    assert all(box.bottom < 50 for box in boxes)


def test_letters_as_tall_as_half_of_the_picture_are_not_smooth() -> None:
    with pytest.raises(Quarantined, match="texture"):
        find_text(a_picture(("Li", 20, 60, 400), rows=768, columns=1024))


def test_refuses_a_texture_that_can_not_be_told_from_text() -> None:
    ds = read_object(sample_folder() / "JPEG-lossy.dcm")  # a bone scan
    with pytest.raises(Quarantined) as error:
        find_text(display(next(frames(ds)), ds))
    assert error.value.reason == Reason.BURNED_IN_RISK
