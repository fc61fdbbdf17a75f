"""Pictures of sampled images for a reviewer, and what the reviews say so far."""

import math
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from lakeward.imaging.objects.completeness import number_of_frames
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import Picture, display
from lakeward.imaging.pixels.tiff import decode_frame
from lakeward.imaging.stewardship.verdicts import Verdict
from lakeward.imaging.tables import IMAGES, PIXELS, REVIEWS
from lakeward.workspace.lakehouse import batches, query
from lakeward.workspace.tables import literals

MAX_FRAMES = 24
"""Frames of an object on its sheet; of more, as many at even distances."""

_SIDE_ONE, _SIDE_MANY, _MARGIN, _GRAY = 1024, 384, 8, 32


class Summary(BaseModel):
    """What was seen in a sample so far.

    Attributes
    ----------
    population, drawn, reviewed : int
        Images to choose from, in the sample, and looked at.
    clean, text, face, other : int
        Verdicts.
    rate, upper_95 : float or None
        Share of those looked at that are not clean, and what the share among all is below with 95 % confidence.
    """

    model_config = ConfigDict(frozen=True)

    sample: str
    population: int
    drawn: int
    reviewed: int
    clean: int
    text: int
    face: int
    other: int
    rate: float | None
    upper_95: float | None


def write_sheets(folder: Path, limit: int) -> list[Path]:
    """Write a picture for each image that waits for a verdict, oldest first, named by its review.

    All frames are on it up to `MAX_FRAMES`: as their own window shows them and, where there are enhanced frames, these
    below, which show what is faint.
    """
    rows = query(
        f"SELECT v.review_id, v.pixels_id, i.run_id FROM {REVIEWS.name} v JOIN {IMAGES.name} i USING (pixels_id) "
        f"WHERE v.verdict IS NULL ORDER BY v.sampled_at, v.review_id LIMIT {limit:d}",
        REVIEWS,
        IMAGES,
    ).to_pylist()
    names = {row["pixels_id"]: folder / f"{row['review_id']}.png" for row in rows}
    if names:
        folder.mkdir(parents=True, exist_ok=True)
        runs, pixels = (literals({row[name] for row in rows}) for name in ("run_id", "pixels_id"))
        sql = f"SELECT * FROM {PIXELS.name} WHERE run_id IN ({runs}) AND pixels_id IN ({pixels})"
        for batch in batches(sql, PIXELS):
            for row in batch.to_pylist():
                cv2.imwrite(str(names[row["pixels_id"]]), _sheet(row))
    return [path for path in names.values() if path.exists()]


def summaries() -> list[Summary]:
    """Return what was seen in each sample, the newest first."""
    counts = ", ".join(f"count(CASE WHEN verdict = '{v}' THEN 1 END) AS {v}" for v in Verdict)
    rows = query(
        f"SELECT sample, population, count(*) AS drawn, count(verdict) AS reviewed, {counts} FROM {REVIEWS.name} "
        "GROUP BY sample, population ORDER BY min(sampled_at) DESC",
        REVIEWS,
    )
    return [_summary(row) for row in rows.to_pylist()]


def upper_bound(found: int, looked_at: int, confidence: float = 0.95) -> float:
    """Return what a share is below, one-sided: exact, by Clopper and Pearson (Biometrika 26, 1934, 404-413).

    With nothing found it is about 3 / n, the rule of three (Hanley and Lippman-Hand, JAMA 249, 1983, 1743-1745).
    """
    low, high = found / looked_at, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(found, looked_at, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(found: int, looked_at: int, share: float) -> float:
    """Probability of so many or fewer."""
    if share >= 1:
        return float(found >= looked_at)
    if share <= 0:
        return 1.0
    return sum(
        math.exp(
            math.lgamma(looked_at + 1) - math.lgamma(k + 1) - math.lgamma(looked_at - k + 1)
            + k * math.log(share) + (looked_at - k) * math.log1p(-share)
        )
        for k in range(found + 1)
    )  # fmt: skip


def _summary(row: dict[str, Any]) -> Summary:
    looked_at, found = row["reviewed"], row["reviewed"] - row["clean"]
    rate, upper = (found / looked_at, upper_bound(found, looked_at)) if looked_at else (None, None)
    return Summary(**row, rate=rate, upper_95=upper)


def _sheet(row: dict[str, Any]) -> Picture:
    """Frames in rows of about equal count, each above its enhanced twin."""
    ds = read_object(row["dicom"])
    count = number_of_frames(ds)
    chosen = {round(n * (count - 1) / max(1, min(count, MAX_FRAMES) - 1)) for n in range(min(count, MAX_FRAMES))}
    side = _SIDE_ONE if len(chosen) == 1 else _SIDE_MANY
    tiles = []
    for index, frame in enumerate(frames(ds)):
        if index in chosen:
            pictures = [display(frame, ds, index)]
            pictures += [cast(Picture, decode_frame(one)) for one in row["enhanced"][index : index + 1]]
            tiles.append(np.vstack([_tile(picture, side) for picture in pictures]))
    across = math.ceil(math.sqrt(len(tiles)))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % across)
    return cast(Picture, np.vstack([np.hstack(tiles[n : n + across]) for n in range(0, len(tiles), across)]))


def _tile(picture: Picture, side: int) -> Picture:
    """A picture in colors, in the middle of a square; small ones are not enlarged."""
    scale = min(1.0, side / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    color = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
    framed = np.full((side + 2 * _MARGIN, side + 2 * _MARGIN, 3), _GRAY, np.uint8)
    top, left = (_MARGIN + (side - length) // 2 for length in color.shape[:2])
    framed[top : top + color.shape[0], left : left + color.shape[1]] = color
    return framed
