"""Reading the files of a bundle into one tree: ``databricks.yml``, and what it includes."""

import os
import re
from contextlib import suppress
from glob import glob
from pathlib import Path

import yaml

from lakeward.jobs.bundle.faults import BundleRefused, Fault
from lakeward.jobs.bundle.merging import Merge
from lakeward.jobs.bundle.places import Node, Place, read
from lakeward.jobs.bundle.root import FILES, OVERRIDES, BundleFile, NamedBundle
from lakeward.jobs.bundle.shapes import check_shape


def read_all(root: Path) -> Node:
    """Return the root file and what it includes as one tree, each file's shape checked."""
    present = [root / name for name in FILES if (root / name).is_file()]
    if len(present) != 1:
        what = f"has {' and '.join(file.name for file in present)}; keep one." if present else f"has no {FILES[0]}."
        raise BundleRefused([Place(root, 0).fault(what, root.parent)])
    first = _without_anchors(read(present[0], root.parent))
    faults = check_shape(NamedBundle, first, root.parent)[1]
    merge = Merge(root.parent)
    for file in _included(first, root, faults):
        try:
            node = _without_anchors(read(file, root.parent))
        except BundleRefused as refused:
            faults += refused.faults
            continue
        if "include" in node.entries:
            faults.append(node.place_of("include").fault(f"only {first.place.file.name} may include.", root.parent))
        faults += check_shape(BundleFile, node, root.parent)[1]
        faults += _twice(first, node, root.parent)
        first = merge.nodes(first, node)
    if faults or merge.faults:
        raise BundleRefused([*faults, *merge.faults])
    return first


def state_of(root: Path) -> dict[Path, tuple[int, int]]:
    """Return the files of a bundle, also those that it has not read yet, each with what tells that it has changed."""
    found: dict[Path, tuple[int, int]] = {}
    for pattern in (*FILES, OVERRIDES.format("*"), *_patterns(root)):
        for path in root.glob(pattern):
            with suppress(FileNotFoundError):
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _patterns(root: Path) -> list[str]:
    """Return the patterns of a bundle's further files; none from a file that is just being written."""
    patterns: list[str] = []
    for name in FILES:
        with suppress(OSError, yaml.YAMLError, AttributeError, TypeError):
            text = (root / name).read_text(encoding="utf-8")
            patterns += [str(pattern) for pattern in yaml.safe_load(text).get("include", [])]
    return [pattern for pattern in patterns if pattern and not Path(pattern).is_absolute()]


def _included(first: Node, root: Path, faults: list[Fault]) -> list[Path]:
    """Files that the root file includes; as there, ``**`` is no more than ``*``."""
    files: dict[Path, Place] = {}
    for pattern in first.get("include").items:
        text = str(pattern.value)
        relative = [] if Path(text).is_absolute() else glob(text, root_dir=root, include_hidden=True)  # noqa: PTH207 - ** is * here
        matches = [Path(os.path.normpath(root / name)) for name in sorted(relative)]
        if not matches and not re.search(r"[*?\[]", text):
            faults.append(pattern.place.fault(f"include: there is no file {text} in {root.name}.", root.parent))
        files |= {file: pattern.place for file in matches if file.name not in FILES and file not in files}
    strange = {file: place for file, place in files.items() if file.suffix not in (".yml", ".yaml", ".json")}
    faults += [
        place.fault(f"include: {file.name} is not YAML or JSON.", root.parent) for file, place in strange.items()
    ]
    return [file for file in files if file not in strange]


def _without_anchors(file: Node) -> Node:
    """Leave out what stands at a file's top only to be repeated elsewhere, as the CLI does."""
    holders = [key for key, node in file.entries.items() if node.anchors and key not in BundleFile.model_fields]
    return Node({key: file.entries[key] for key in file.entries if key not in holders}, file.place) if holders else file


def _twice(first: Node, later: Node, base: Path) -> list[Fault]:
    jobs, again = first.at("resources", "jobs"), later.at("resources", "jobs")
    if jobs is None or again is None:
        return []
    return [
        node.place.fault(f"the job {key} is there twice, first in {jobs.entries[key].place.written(base)}.", base)
        for key, node in again.entries.items()
        if key in jobs.entries
    ]
