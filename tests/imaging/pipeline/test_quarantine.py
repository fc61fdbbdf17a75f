from pathlib import Path
from typing import Any

import pytest

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.quarantine import Entry, NotInQuarantine, NotReleasable, entries, entry, release, retry
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.enhance import EnhanceParameters
from lakeward.imaging.reasons import RELEASABLE
from lakeward.imaging.tables import IMAGES, PIXELS, QUARANTINE
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.lakehouse import history, query
from recorded import recorded

REASON = "All frames were looked at: no text"


def test_what_is_open_is_listed_and_found_by_the_beginning_of_its_name(story: Any) -> None:
    assert story.retried
    listed = entries()
    assert {e.status for e in listed} == {"open"}
    assert [e.quarantined_at for e in listed] == sorted((e.quarantined_at for e in listed), reverse=True)
    assert entry(listed[0].source_hmac[:10]) == listed[0]
    assert {e.status for e in entries(closed=True)} == {"open", "closed"}


@pytest.mark.parametrize("name", ["", "zz"])
def test_a_name_must_be_that_of_one_open_object(name: str, story: Any) -> None:
    assert story.first
    with pytest.raises(NotInQuarantine):
        entry(name)


def test_a_copy_of_what_was_read_is_kept(story: Any) -> None:
    assert story.first
    (held,) = [e for e in entries(closed=True) if e.source_hmac == story.ultrasound]
    assert held.path.read_bytes() == (story.source / "ultrasound").read_bytes()
    assert held.size_bytes == held.path.stat().st_size


def test_a_released_object_is_stored_and_its_row_says_who_and_why(story: Any, lakehouse: Path) -> None:
    report = story.released
    assert (report.found, report.stored, report.duplicates, report.quarantined) == (2, 2, 1, 0)  # under two paths
    (row,) = query(
        f"SELECT status, resolution, closed_by FROM {QUARANTINE.name} WHERE source_hmac = '{story.ultrasound}'",
        QUARANTINE,
    ).to_pylist()
    (event,) = recorded("imaging.quarantine.released")
    assert (event.object, event.reason) == (story.ultrasound, REASON)
    assert row == {"status": "closed", "resolution": f"released: {REASON}", "closed_by": event.actor}
    started = next(event for event in recorded() if event.object == report.run_id)
    assert event.at < started.at
    (image,) = query(
        f"SELECT p.dicom FROM {IMAGES.name} AS i JOIN {PIXELS.name} AS p USING (pixels_id) "
        f"WHERE i.source_hmac = '{story.ultrasound}'",
        IMAGES,
        PIXELS,
    ).to_pylist()
    assert image["dicom"] == deidentify((story.source / "ultrasound").read_bytes(), story.recipe, RELEASABLE).dicom


def test_what_another_profile_accepts_is_stored_when_tried_again(story: Any) -> None:
    report = story.retried
    assert (report.found, report.stored, report.duplicates, report.quarantined) == (3, 2, 1, 1)  # two paths, and one
    assert report.by_reason == {"truncated": 1}
    before = [e for e in entries(closed=True) if e.run_id == story.reprocessed.run_id]
    assert [e.reason for e in before if e.resolution == f"processed again by run {report.run_id}"] == [
        "burned_in_risk",
        "truncated",
    ]
    assert [e.reason for e in entries() if e.run_id == report.run_id] == ["truncated"]


@pytest.fixture
def doubtful(story: Any) -> Entry:
    """An image that may have text burned in, set aside under the other key."""
    assert story.retried
    (found,) = [e for e in entries() if e.reason.releasable and e.run_id == story.reprocessed.run_id]
    return found


def test_a_release_needs_a_doubtful_object_a_reason_and_the_same_recipe(doubtful: Entry, story: Any) -> None:
    written = history(QUARANTINE)
    damaged = next(e for e in entries() if e.reason == "truncated")
    with pytest.raises(NotReleasable, match=r"ends before its data do.*Nobody can release it"):
        release(damaged.source_hmac, REASON, story.other)
    with pytest.raises(NotReleasable, match="too short"):
        release(doubtful.source_hmac, "  looked  ", story.other)
    for recipe in (
        story.recipe,
        Recipe(load_profile("longitudinal"), story.other.key),
        Recipe(story.other.profile, story.other.key, EnhanceParameters(clip_limit=9)),
    ):
        with pytest.raises(NotReleasable, match="another profile, enhancement or key"):
            release(doubtful.source_hmac, REASON, recipe)
    assert history(QUARANTINE) == written
    assert entry(doubtful.source_hmac) == doubtful


def test_nothing_is_let_through_if_it_can_not_be_recorded(doubtful: Entry, story: Any, lakehouse: Path) -> None:
    events = lakehouse / "events"
    events.rename(lakehouse / "away")
    events.touch()
    try:
        with pytest.raises(EventNotRecorded):
            release(doubtful.source_hmac, REASON, story.other)
        with pytest.raises(EventNotRecorded):
            retry(story.other, [doubtful.source_hmac])
    finally:
        events.unlink()
        (lakehouse / "away").rename(events)
    assert entry(doubtful.source_hmac) == doubtful
