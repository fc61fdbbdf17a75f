"""Text in pictures: where it is, by the detector of PP-OCR, run on the processor by onnxruntime.

All that looks like text is found, whatever it says; reading serves only to let through marks that name nobody: the
letters of an orientation, units, the numbers of a scale. The models are inside the package rapidocr, whose own
pipeline is not used to detect: it takes an error for a picture without text, and stops at 1,000 boxes.
"""

import re
from functools import cache, reduce
from importlib.resources import files
from itertools import product
from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from lakeward.imaging.pixels.enhance import Picture
from lakeward.imaging.reasons import Quarantined, Reason

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from rapidocr import RapidOCR
    from rapidocr.ch_ppocr_rec import TextRecOutput

Strokes = npt.NDArray[np.bool_]

_DETECTOR, _READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

_LEAST_SIDE = 480
"""Shorter side, pixels, that a smaller picture is enlarged to, or as near as `_MOST_ENLARGED` allows."""
_MOST_ENLARGED = 3.0
_TILE, _OVERLAP = 640, 96
"""Longest side of what is searched at once, and what neighbors share; multiples of 32. In a large empty picture the
detector misses a lone word (half of them at 1,024 pixels on a side, none up to 640)."""
_LARGE = 2048
"""Longer side above which a picture is made smaller than half at first: letters may be large."""
_BLOCK = 32
"""Side of what is searched or not in full size; the detector wants sides to be multiples of it."""
_EDGE, _STROKE = 5, 9
"""Pixels: how near an edge's two sides are, and what is wider than a stroke of a small letter."""
_FAINTEST, _FAINTEST_IN_TEXTURE, _FEWEST = 12, 22, 24
"""Gray levels that strokes stand out by, at least, so that a block with so many pixels of them is searched."""
_TEXTURE = 12
"""Times the mean around: what speckle itself hardly ever stands out by."""
_TEXT = 0.3
"""Of the detector's output: its makers' threshold."""
_SURE = 0.5
_GROWTH = 1.6
"""The detector's areas are text shrunk by a part of its size: this grows them back (its makers' unclip ratio)."""
_GROWTH_AT_A_GLANCE = 1.2
"""In a smaller picture they are larger."""
_MARGIN = 2
_TALLEST = 96
"""Pixels on a side above which an area is no line of text but a texture that the detector takes for one."""
_PART = 4
"""Pixels along a straight line that are taken as one where lines longer than any letter are looked for."""
_LEAST_SIDE_AT_A_GLANCE, _TALLEST_AT_A_GLANCE = 60, 24
_SOFTENING = 1.0
"""Standard deviation, pixels, that makes speckle disappear for the detector, and no text of legible size."""

_MARK = re.compile(r"[LRAPHF]|cm|mm|-?\d{1,2}(\.\d)?( ?[cm]m)?")
_LONGEST_MARK, _TALLEST_MARK = 4.0, 2.0
"""Width over height, and height over width, of marks: a line on its side is read as any of them."""
_SURELY_READ = 0.9
_ALONE = 3.0
"""Heights that must be free of other text at both sides of a mark: three numbers in a row may be a date."""


class Box(NamedTuple):
    """A rectangle in pixels: the first column and row in it, and the first ones after it."""

    left: int
    top: int
    right: int
    bottom: int


def find_text(picture: Picture) -> list[Box]:
    """Find all text in a picture but lone orientation marks, units, and numbers of scales.

    Parameters
    ----------
    picture : numpy.ndarray
        uint8 of shape (rows, columns[, 3]), from `lakeward.imaging.pixels.enhance.display`.

    Returns
    -------
    list of Box
        Each inside the picture.

    Raises
    ------
    Quarantined
        BURNED_IN_RISK, if large areas look like text to the detector, and are not smooth: there may be some in them.

    Notes
    -----
    Faint text may stay, unannounced: of generated words that stand out by 25 to 60 gray levels one in six on even
    ground, and one in four over speckle, where small text is looked for only if it stands out from the speckle. To
    search all speckle in full size costs at least twice as much, and has more frames refused.
    """
    to_bgr = cv2.COLOR_RGB2BGR if picture.ndim == 3 else cv2.COLOR_GRAY2BGR
    colored = np.asarray(cv2.cvtColor(picture, to_bgr), np.uint8)  # what the models were trained on
    soft = np.asarray(cv2.GaussianBlur(colored, (0, 0), _SOFTENING), np.uint8)
    edges = _contrast(soft, _EDGE, cv2.MORPH_GRADIENT) > _FAINTEST
    if not edges.any():
        return []
    lines, vague = _at_a_glance(colored, edges)
    strokes = _strokes(soft, lines)
    for area in _textures(vague, soft, strokes):
        strokes[_inside(area)] = True
    boxes = lines + [box for box in _search(colored, soft, strokes) if not any(_holds(line, box) for line in lines)]
    return [box for box in boxes if not _is_mark(box, boxes, colored)]


def _at_a_glance(picture: Picture, edges: Strokes) -> tuple[list[Box], list[Box]]:
    """Find lines of text in a smaller picture: most text, for a quarter of the cost, and none in speckle.

    What is larger than a line is looked at in a still smaller picture: it may be large letters. What is too large
    in the smallest is returned, too.
    """
    rows, columns = picture.shape[:2]
    scale = min(_scale(picture) / 2, _LARGE / 2 / max(rows, columns))
    lines: list[Box] = []
    vague = [Box(0, 0, columns, rows)]
    while True:
        areas = [
            area
            for area in _areas(picture, scale, _blocks(_whole(picture, scale), edges))
            if edges[_inside(area)].any() and any(_touch(area, other) for other in vague)
        ]
        vague = [area for area in areas if _shorter_side(area) * scale > _TALLEST_AT_A_GLANCE]
        lines += [_grown(area, scale, rows, columns, _GROWTH_AT_A_GLANCE) for area in areas if area not in vague]
        scale /= 2
        if not vague or scale * min(rows, columns) < _LEAST_SIDE_AT_A_GLANCE:
            return lines, vague


def _search(picture: Picture, soft: Picture, strokes: Strokes) -> list[Box]:
    """Find lines of text in full size, where there are strokes; where texture looks like text, in two other ways."""
    whole = [_whole(picture, _scale(picture))]
    places = _blocks(whole[0], strokes)
    boxes, vague = _lines(picture, places)
    vague = _textures(vague, soft, strokes)
    if not vague:
        return boxes
    for other in (soft, picture):  # the detector judges by what is around, too
        if other is picture and places == whole:
            break  # as it was
        inside, vaguer = _lines(other, whole)
        if not _textures(vaguer, soft, strokes):
            return [box for box in boxes if not any(_touch(box, area) for area in vague)] + inside
    raise Quarantined(Reason.BURNED_IN_RISK, "its texture can't be told from text")


def _lines(picture: Picture, places: list[Box]) -> tuple[list[Box], list[Box]]:
    """Return where lines of text are, and areas that are too large for one."""
    scale = _scale(picture)
    areas = _areas(picture, scale, places)
    vague = [area for area in areas if _shorter_side(area) * scale > _TALLEST]
    rows, columns = picture.shape[:2]
    return [_grown(area, scale, rows, columns, _GROWTH) for area in areas if area not in vague], vague


def _textures(areas: list[Box], picture: Picture, strokes: Strokes) -> list[Box]:
    """Leave out smooth areas: no letters are in them, neither small ones nor any as large as the area."""
    return [
        area
        for area in areas
        if np.count_nonzero(strokes[_inside(area)]) >= _FEWEST or _has_wide_strokes(picture, area)
    ]


def _has_wide_strokes(picture: Picture, area: Box) -> bool:
    """Whether there are strokes in an area when it is made as small as a line of text."""
    scale = _TALLEST_AT_A_GLANCE / _shorter_side(area)
    small = np.asarray(cv2.resize(picture, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    inside = _inside(Box(*(round(side * scale) for side in area)))
    return bool(np.count_nonzero(_thin(small)[inside] > _FAINTEST) >= _FEWEST)


def _scale(picture: Picture) -> float:
    shorter: int = min(picture.shape[:2])
    return min(_MOST_ENLARGED, max(1.0, _LEAST_SIDE / shorter))


def _strokes(picture: Picture, lines: list[Box]) -> Strokes:
    """Where something outside of `lines` is thin enough for a letter, and stands out enough from what is around."""
    contrast = _thin(picture)
    for line in lines:
        contrast[_inside(line)] = 0
    rows, columns = contrast.shape
    halves = max(1, 2 * columns // _BLOCK), max(1, 2 * rows // _BLOCK)
    texture = cv2.medianBlur(cv2.resize(contrast, halves, interpolation=cv2.INTER_AREA), 5)  # letters are in few halves
    least = np.clip(_TEXTURE * texture.astype(np.float32), _FAINTEST, _FAINTEST_IN_TEXTURE).astype(np.uint8)
    return np.asarray(contrast > cv2.resize(least, (columns, rows), interpolation=cv2.INTER_LINEAR), np.bool_)


def _thin(picture: Picture) -> Picture:
    """How much strokes stand out, light and dark, without what is straight for longer than a letter."""
    kinds = (_contrast(picture, _STROKE, kind) for kind in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT))
    light, dark = map(_without_rules, kinds)
    return np.asarray(cv2.max(light, dark), np.uint8)


def _contrast(picture: Picture, side: int, kind: int) -> Picture:
    """How much edges, or thin things that are light or dark, stand out in any color."""
    contrast = cv2.morphologyEx(picture, kind, np.ones((side, side), np.uint8))
    return np.asarray(reduce(cv2.max, cv2.split(contrast)), np.uint8)  # numpy takes much longer


def _without_rules(contrast: Picture) -> Picture:
    """Leave out what runs straight, across or down, for longer than a letter: grids, frames, axes."""
    rows, columns = contrast.shape
    parts_of_a_letter = _TALLEST // _PART
    for part, letter in (((1, _PART), (1, parts_of_a_letter)), ((_PART, 1), (parts_of_a_letter, 1))):
        least = cv2.erode(contrast, np.ones(part, np.uint8))[part[0] // 2 :: part[0], part[1] // 2 :: part[1]]
        if not least.size:
            continue  # two pixels wide at most
        rules = cv2.morphologyEx(least, cv2.MORPH_OPEN, np.ones(letter, np.uint8))
        contrast = np.asarray(
            cv2.subtract(contrast, cv2.resize(rules, (columns, rows), interpolation=cv2.INTER_NEAREST)), np.uint8
        )
    return contrast


def _areas(picture: Picture, scale: float, places: list[Box]) -> list[Box]:
    """Where the detector sees text at `places` of the scaled picture, as it shrinks it, in the picture's own pixels."""
    if not places:
        return []
    _, _, columns, rows = _whole(picture, scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(picture, (columns, rows), interpolation=method), np.uint8)
    seen = np.zeros((rows, columns), np.float32)
    for place in places:
        for top, left in product(_tiles(place.top, place.bottom), _tiles(place.left, place.right)):
            seen[top, left] = np.maximum(seen[top, left], _detect(scaled[top, left]))
    down, across = picture.shape[0] / rows, picture.shape[1] / columns
    # A tenth of what connected components take; holes have contours, too.
    contours, nesting = cv2.findContours((seen > _TEXT).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = (
        contour for contour, (*_, hole_of) in zip(contours, nesting[0] if contours else (), strict=True) if hole_of < 0
    )
    return [
        Box(int(x * across), int(y * down), int(np.ceil((x + w) * across)), int(np.ceil((y + h) * down)))
        for x, y, w, h in map(cv2.boundingRect, outer)
        if seen[y : y + h, x : x + w].max() > _SURE
    ]


def _whole(picture: Picture, scale: float) -> Box:
    """All of a scaled picture, in whole blocks."""
    rows, columns = (max(_BLOCK, round(side * scale / _BLOCK) * _BLOCK) for side in picture.shape[:2])
    return Box(0, 0, columns, rows)


def _blocks(whole: Box, strokes: Strokes) -> list[Box]:
    """Places with strokes, with what is around them, in whole blocks of the scaled picture."""
    rows, columns = whole.bottom // _BLOCK, whole.right // _BLOCK
    share = cv2.resize(strokes.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    around = cv2.dilate((share >= _FEWEST / _BLOCK**2).astype(np.uint8), np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(around, connectivity=4)
    if sum(width * height for _, _, width, height, _ in stats[1:]) >= rows * columns:
        return [whole]
    return [Box(*(side * _BLOCK for side in (x, y, x + w, y + h))) for x, y, w, h, _ in stats[1:].tolist()]


def _tiles(start: int, stop: int) -> list[slice]:
    """As few equal parts as can be; their lengths are whole blocks if the whole is."""
    side = stop - start
    count = max(1, -((_OVERLAP - side) // (_TILE - _OVERLAP)))
    length = min(side, -(-(side + (count - 1) * _OVERLAP) // (count * _BLOCK)) * _BLOCK)
    starts = (start + index * (side - length) // max(1, count - 1) for index in range(count))
    return [slice(first, first + length) for first in starts]


def _detect(tile: Picture) -> npt.NDArray[np.float32]:
    scaled = (tile.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
    session = _detector()
    (seen,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(scaled)})
    return np.asarray(seen[0, 0], np.float32)


def _grown(area: Box, scale: float, rows: int, columns: int, growth: float) -> Box:
    width, height = area.right - area.left, area.bottom - area.top
    grow = int(np.ceil(growth * width * height / (2 * (width + height)) + _MARGIN / max(1.0, scale)))
    return Box(
        max(0, area.left - grow),
        max(0, area.top - grow),
        min(columns, area.right + grow),
        min(rows, area.bottom + grow),
    )


def _inside(box: Box) -> tuple[slice, slice]:
    return slice(box.top, box.bottom), slice(box.left, box.right)


def _shorter_side(box: Box) -> int:
    return min(box.right - box.left, box.bottom - box.top)


def _holds(one: Box, other: Box) -> bool:
    return one.left <= other.left and one.top <= other.top and one.right >= other.right and one.bottom >= other.bottom


def _touch(one: Box, other: Box, apart: float = 0) -> bool:
    """Whether two boxes meet, or have less than `apart` columns between them in the same rows."""
    return (
        one.left - apart < other.right
        and other.left < one.right + apart
        and one.top < other.bottom
        and other.top < one.bottom
    )


def _is_mark(box: Box, boxes: list[Box], picture: Picture) -> bool:
    """Whether a box stands alone in its line and holds a mark that names nobody."""
    width, height = box.right - box.left, box.bottom - box.top
    if not height / _TALLEST_MARK <= width <= _LONGEST_MARK * height or any(
        _touch(box, other, _ALONE * height) for other in boxes if other != box
    ):
        return False
    cut = np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right])
    read = cast("TextRecOutput", _reader()(cut, use_det=False, use_cls=False, use_rec=True))
    return any(
        score >= _SURELY_READ and _MARK.fullmatch(text.strip()) is not None
        for text, score in zip(read.txts or (), read.scores or (), strict=True)
    )


@cache
def _detector() -> "InferenceSession":
    from onnxruntime import InferenceSession, SessionOptions  # takes half a second, and few objects need it

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # Spark already runs a worker on each core
    return InferenceSession(_model(_DETECTOR), options, providers=["CPUExecutionProvider"])


@cache
def _reader() -> "RapidOCR":
    from rapidocr import RapidOCR

    engine = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Rec.model_path": _model(_READER),
            "Rec.rec_img_shape": [3, 48, 48],  # the least width, which costs; wider text is not made narrower
            **{f"EngineConfig.onnxruntime.{name}": value for name, value in engine.items()},
        }
    )


def _model(name: str) -> str:
    return str(files("rapidocr").joinpath("models", name))
