"""What one image costs: CPU time of each step, side by side with the plainest thing that could be done instead.

Run by `make bench`. The images are synthetic (data-samples/make_ct.py): CT, 512 x 512, 12 bits, a full header. Ratios
are taken in one run, round by round, since absolute times drift on a shared machine; the median round is shown.

Example: python tests/benchmarks/imaging.py --files 60 --json
"""

import argparse
import json
import runpy
import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pipeline.process import deidentify, deidentify_whole, process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.decoding import frames
from lakeward.imaging.pixels.enhance import EnhanceParameters, enhance
from lakeward.imaging.pixels.thumbnails import thumbnail_png
from lakeward.imaging.pixels.tiff import encode_frame

ROUNDS = 5
MAKE_CT = Path(__file__).parents[2] / "data-samples" / "make_ct.py"


def rewrite(content: bytes) -> None:
    """The baseline: pydicom reads a file, looks at every element, and writes it."""
    ds = pydicom.dcmread(BytesIO(content))
    ds.walk(lambda _, element: None)
    ds.save_as(BytesIO())


def measure(step: Callable[[bytes], object], contents: list[bytes]) -> float:
    """CPU time of a step in milliseconds for each image."""
    begun = time.process_time()
    for content in contents:
        step(content)
    return (time.process_time() - begun) / len(contents) * 1000


def steps(recipe: Recipe, sample: bytes) -> dict[str, Callable[[bytes], object]]:
    """What is measured, by name."""
    ds = deidentify_whole(sample, recipe).image
    frame = next(frames(ds))
    picture = enhance(frame, ds, recipe.enhancement)

    def described(content: bytes) -> object:
        done = deidentify(content, recipe)
        return done.columns, done.header, done.changes

    return {
        "pydicom: read, walk, write (baseline)": rewrite,
        "the slow way: read, checked whole and in bounds": read_object,
        "the slow way: file to file": lambda content: deidentify_whole(content, recipe),
        "file to file": lambda content: deidentify(content, recipe),
        "file to file, and its columns and JSON header": described,
        "hash the original (HMAC-SHA-256)": recipe.pseudonyms.source,
        "decode one frame": lambda _: next(frames(ds)),
        "enhance one frame": lambda _: enhance(frame, ds, recipe.enhancement),
        "make its thumbnail": lambda _: thumbnail_png(picture),
        "encode as TIFF (Zstandard)": lambda _: encode_frame(picture),
        "everything (process)": lambda content: process(content, recipe),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40, help="images for each step and round")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    make = runpy.run_path(str(MAKE_CT))["ct_slice"]
    contents = []
    for number in range(given.files):
        buffer = BytesIO()
        make(0, number, given.files, 512).save_as(buffer, enforce_file_format=True)
        contents.append(buffer.getvalue())
    recipe = Recipe(load_profile("research"), bytes(range(32)), EnhanceParameters())
    todo = steps(recipe, contents[0])
    rounds: dict[str, list[float]] = {name: [] for name in todo}
    for step in todo.values():  # warm: caches, tables, imports
        step(contents[0])
    for _ in range(ROUNDS):
        for name, step in todo.items():
            rounds[name].append(measure(step, contents))
    baseline = rounds[next(iter(todo))]
    rows = [
        {
            "step": name,
            "cpu_ms": round(statistics.median(times), 3),
            "ratio": round(statistics.median(a / b for a, b in zip(times, baseline, strict=True)), 2),
        }
        for name, times in rounds.items()
    ]
    if given.json:
        json.dump(rows, sys.stdout, indent=2)
        return
    print(f"Synthetic CT 512 x 512, 12 bits: CPU ms for each image, median of {ROUNDS} rounds of {given.files}")
    for row in rows:
        print(f"{row['cpu_ms']:8.2f} ms  {row['ratio']:6.2f} x baseline  {row['step']}")


if __name__ == "__main__":
    main()
