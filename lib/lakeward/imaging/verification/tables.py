"""Search of what a lakehouse holds: decoded columns, Delta's log and statistics, names of files, logs and reports."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from lakeward.imaging.verification.report import Check, Tally
from lakeward.imaging.verification.search import Needles, columns, is_parquet

_WITHHELD = "(a name that tells)"


def check_folder(folder: Path, texts: Mapping[str, str], without: Path | None = None) -> Iterator[Check]:
    """Search every file under a folder, and yield one check for each place.

    Parameters
    ----------
    folder : Path
        A lakehouse, or any folder.
    texts : mapping of str to str
        What must not be there, each with a name that may be shown, such as its attribute.
    without : Path, optional
        A folder in it to leave out, such as the restricted zone.

    Yields
    ------
    Check
        Of each table or folder, how many columns and files were looked at, and in which of them how many texts were
        found. Nothing of a text is told.
    """
    needles = Needles(texts)
    places: dict[str, dict[str, set[str]]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if without and path.is_relative_to(without):
            continue
        name = path.relative_to(folder)
        for place, part, content in _parts(name, path.read_bytes()):
            shown = [_WITHHELD if needles.found(label.encode()) else label for label in (place, part)]
            places.setdefault(shown[0], {}).setdefault(shown[1], set()).update(needles.found(content))
    for place, parts in sorted(places.items()):
        tally = Tally("tables", place)
        for part, found in parts.items():
            counts = sorted(Counter(texts[text] for text in found).items())
            tally.note(not found, f"{part}: {', '.join(f'{name} ({count})' for name, count in counts)}")
        yield tally.check()


def _parts(name: Path, content: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield the parts of a file: of which table or folder each is, what part of that, and the bytes."""
    yield "names of files", name.parts[0], os.fsencode(name)
    place = ".".join(name.parts[:2] if len(name.parts) > 2 else name.parts[:1])
    if "_delta_log" in name.parts:
        yield place, "log and statistics", content
    elif is_parquet(content):
        yield place, "bytes of files", content[4:]  # no longer taken for Parquet
        yield from ((place, part, value) for part, value in columns(content))
    else:
        yield place, f"files {name.suffix}".strip(), content
