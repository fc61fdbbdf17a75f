"""How much burned-in text the search finds, what else it masks, and what a frame costs, on generated screens.

The fonts and layouts are held out: the search's constants were not chosen on them. A word counts as
gone if at least 95 of 100 pixels of its ink are masked. Falsely masked is what is masked outside of all lines of text,
which reach from the first word to the last and 4 pixels beyond.

Example: python tests/benchmarks/burned_in.py --screens 100 --json
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from itertools import groupby

import numpy as np
from screens import Mask, Screen, make

from lakeward.imaging.pixels.burned_in import find_text
from lakeward.imaging.reasons import Quarantined

GONE = 0.95
AROUND = 4


def main() -> None:
    """Measure, and print a line for each layout."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--screens", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tuning", action="store_true", help="the fonts and layouts that were looked at")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = summary(make(arguments.screens, not arguments.tuning, arguments.seed))
    if arguments.json:
        json.dump(rows, sys.stdout, indent=1)
        return
    for row in rows:
        print(
            f"{row['layout']:<11} {row['screens']:>4} screens  {row['gone']:.4f} of {row['words']:>5} words gone  "
            f"{row['falsely_masked']:.4f} falsely masked  {row['refused']:>3} refused  {row['cpu_ms']:>4.0f} CPU-ms"
        )


def summary(screens: Iterable[Screen]) -> list[dict[str, float | str]]:
    """Figures for each layout and for all."""
    for screen in make(2, held_out=False):
        find_text(screen.picture)  # loads the models, which is done once
    measured = [(screen.layout, measure(screen)) for screen in screens]
    by_layout = {
        layout: [counts for _, counts in group] for layout, group in groupby(sorted(measured, key=_layout), _layout)
    }
    by_layout["all"] = [counts for _, counts in measured]
    return [_row(layout, sum(many, Counter()), len(many)) for layout, many in by_layout.items()]


def _layout(measured: tuple[str, Counter[str]]) -> str:
    return measured[0]


def _row(layout: str, total: Counter[str], screens: int) -> dict[str, float | str]:
    return {
        "layout": layout,
        "screens": screens,
        "refused": total["refused"],
        "words": total["words"],
        "gone": total["gone"] / max(1, total["words"]),
        "falsely_masked": total["false"] / max(1, total["pixels"]),
        "cpu_ms": total["cpu_ns"] / screens / 1e6,
    }


def measure(screen: Screen) -> Counter[str]:
    """Count words, words gone, pixels that are no text and those of them that are masked; refused screens have none."""
    begun = time.process_time_ns()
    try:
        boxes = find_text(screen.picture)
    except Quarantined:
        return Counter(refused=1, cpu_ns=time.process_time_ns() - begun)
    counts = Counter(cpu_ns=time.process_time_ns() - begun)
    mask = np.zeros(screen.picture.shape[:2], np.bool_)
    for box in boxes:
        mask[box.top : box.bottom, box.left : box.right] = True
    for _, _, ink in screen.words:
        counts["words"] += 1
        counts["gone"] += int(np.count_nonzero(mask & ink) >= GONE * np.count_nonzero(ink))
    background = ~_lines(screen)
    return counts + Counter(
        {"pixels": int(background.sum()), "false": int(np.count_nonzero(mask & background)), "refused": 0}
    )


def _lines(screen: Screen) -> Mask:
    """Where lines of text are: words with less than a letter's height between them are one."""
    lines = np.zeros(screen.picture.shape[:2], np.bool_)
    for _, height, ink in screen.words:
        rows, columns = np.nonzero(ink)
        top, left = max(0, rows.min() - AROUND), max(0, columns.min() - AROUND)
        lines[top : rows.max() + AROUND + 1, left : columns.max() + max(AROUND, int(height)) + 1] = True
    return lines


if __name__ == "__main__":
    main()
