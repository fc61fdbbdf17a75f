"""What stands in names, identifiers, private elements and paths is found nowhere outside the intake zone."""

from pathlib import Path
from typing import Any

from lakeward.imaging.demo import Demonstration
from lakeward.imaging.pipeline.export import export
from lakeward.imaging.tables import FILES
from lakeward.imaging.verification.tables import check_folder


def _holding(text: str, folder: Path, without: Path | None = None) -> list[str]:
    return [
        f"{check.name}: {where}"
        for check in check_folder(folder, {text: "marker"}, without)
        for where in check.findings
    ]


def test_no_marker_is_in_the_lakehouse_outside_the_intake_zone(
    story: Any, demonstration: Demonstration, lakehouse: Path, marker: str
) -> None:
    assert story.retried
    assert Path(demonstration.report).is_relative_to(lakehouse)  # as are the notebooks that ran
    assert _holding(marker, FILES.location)  # what is searched for would be found
    assert _holding(marker, lakehouse, without=lakehouse / "intake") == []
    assert _holding(str(story.source.parent), lakehouse / "imaging") == []


def test_no_marker_is_in_what_is_exported(story: Any, marker: str, tmp_path: Path) -> None:
    assert story.retried
    assert export(tmp_path / "out").written > 8
    assert _holding(marker, tmp_path) == []
