"""Images are drawn at random, looked at, and judged."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.refusals import keeping_out
from lakeward.imaging.pipeline.runs import prepared_session
from lakeward.imaging.pipeline.sinks import SparkSink
from lakeward.imaging.pipeline.worker import Task
from lakeward.imaging.stewardship.review import NotInReview, Verdict, _set_aside, judge, systematic
from lakeward.imaging.stewardship.sheets import summaries, upper_bound
from lakeward.imaging.tables import IMAGES, PIXELS, QUARANTINE, REVIEWS
from lakeward.workspace.lakehouse import history, query
from lakeward.workspace.notebooks import execute
from recorded import recorded


def test_every_kind_of_image_comes_in_proportion_and_each_image_as_often_as_another() -> None:
    images = [
        {"pixels_id": f"{n}", "content_sha256": f"{n}", "modality": "CT" if n < 80 else "US", "manufacturer": None}
        for n in range(100)
    ]
    assert systematic(images, 10, 1) == systematic(images[::-1], 10, 1) != systematic(images, 10, 2)
    drawn = Counter(image["pixels_id"] for seed in range(2000) for image in systematic(images, 10, seed))
    assert set(drawn) == {image["pixels_id"] for image in images}
    assert max(drawn.values()) < 2 * min(drawn.values())
    for seed in range(20):
        assert Counter(image["modality"] for image in systematic(images, 10, seed)) == {"CT": 8, "US": 2}
    assert len(systematic(images, 500, 1)) == 100


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    assert upper_bound(0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))
    assert upper_bound(3, 20) == pytest.approx(0.3437, abs=5e-5)  # qbeta(0.95, 4, 17) in R
    assert upper_bound(5, 5) == 1


def test_each_drawn_image_gets_a_picture_with_its_enhanced_twin(case: Any) -> None:
    assert (case.drawn.population, case.drawn.size, len(case.sheets)) == (4, 2, 2)
    for path in case.sheets:
        height, width, _ = cv2.imread(str(path)).shape
        assert height == 2 * width


def test_what_is_not_clean_is_set_aside_with_its_pixels_and_history(case: Any) -> None:
    assert case.judged.set_aside == 1
    rows = query(f"SELECT pixels_id, verdict, reviewer FROM {REVIEWS.name} ORDER BY verdict", REVIEWS).to_pylist()
    assert [row["verdict"] for row in rows] == ["clean", "text"]
    for table in (IMAGES, PIXELS):
        left = query(f"SELECT pixels_id FROM {table.name}", table)["pixels_id"].to_pylist()
        assert len(left) == 3
        assert rows[1]["pixels_id"] not in left
    (held,) = query(f"SELECT * FROM {QUARANTINE.name} WHERE reason = 'found_in_review'", QUARANTINE).to_pylist()
    assert (held["status"], held["detail"], held["size_bytes"] > 2000) == ("open", "text", True)
    events = recorded("imaging.review.judged")
    assert [event.details["verdict"] for event in events] == ["clean", "text"]
    assert rows[0]["reviewer"] == events[0].actor


def test_under_a_legal_hold_the_tables_keep_their_history(case: Any, held: Any) -> None:
    assert case.judged
    before = history(PIXELS)
    with held():
        assert _set_aside(prepared_session(), {"0" * 32}, Verdict.TEXT) == 0
    assert history(PIXELS) == before
    _set_aside(prepared_session(), {"0" * 32}, Verdict.TEXT)
    assert history(PIXELS) != before


def test_the_same_recipe_does_not_let_it_in_again(case: Any, tmp_path: Path) -> None:
    assert case.judged
    (held,) = query(
        f"SELECT source_hmac FROM {QUARANTINE.name} WHERE reason = 'found_in_review'", QUARANTINE
    ).to_pylist()
    refusing = keeping_out(case.recipe)
    assert refusing.rejected == {held["source_hmac"]}
    other = replace(case.recipe, profile=load_profile("basic"))
    assert keeping_out(other).rejected == frozenset()
    (path,) = [p for p in case.source.iterdir() if case.recipe.pseudonyms.source(p.read_bytes()) in refusing.rejected]
    task = Task(refusing, "run", str(tmp_path), str(tmp_path), 1, SparkSink())
    file = {"path": str(path), "size_bytes": 1, "mtime_ns": 1, "read_from": os.fsencode(path), "accept": ""}
    entry, pixels = task._one(file | {"suspect": False}, "id")
    assert (entry["reason"], pixels) == ("found_in_review", None)


def test_a_sum_is_drawn_of_what_was_seen(case: Any) -> None:
    assert case.judged
    (summary,) = summaries()
    assert (summary.drawn, summary.reviewed, summary.clean, summary.text, summary.rate) == (2, 2, 1, 1, 0.5)
    assert summary.upper_95 == pytest.approx(upper_bound(1, 2))


def test_the_notebook_shows_what_waits_and_what_was_seen(case: Any, tmp_path: Path) -> None:
    assert case.judged
    notebook = Path(__file__).parents[3] / "notebooks" / "imaging" / "04_review.ipynb"
    ran = execute(notebook, tmp_path / "ran.ipynb", {}).read_text()
    assert case.drawn.sample in ran
    assert "application/vnd.plotly" in ran


def test_a_verdict_needs_a_review_whose_object_is_there(case: Any) -> None:
    assert case.judged
    with pytest.raises(NotInReview):
        judge([case.sheets[1].stem], Verdict.CLEAN)
    with pytest.raises(NotInReview):
        judge(["none"], Verdict.CLEAN)
