from pathlib import Path
from typing import Any

import pytest

from lakeward.imaging.enhance import EnhanceParameters
from lakeward.imaging.process import Recipe, deidentify
from lakeward.imaging.profile import load_profile
from lakeward.imaging.quarantine import NotInQuarantine, NotReleasable, entries, entry, release, retry
from lakeward.imaging.reasons import RELEASABLE
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import Event
from lakeward.workspace.lakehouse import history, query

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
    events = [Event.model_validate_json(line) for line in (lakehouse / "events" / "events.jsonl").open()]
    (event,) = [event for event in events if event.type == "imaging.quarantine.released"]
    assert (event.object, event.reason) == (story.ultrasound, REASON)
    assert row == {"status": "closed", "resolution": f"released: {REASON}", "closed_by": event.actor}
    started = next(event for event in events if event.object == report.run_id)
    assert event.at < started.at
    (image,) = query(
        f"SELECT p.dicom FROM {IMAGES.name} AS i JOIN {PIXELS.name} AS p USING (pixels_id) "
        f"WHERE i.source_hmac = '{story.ultrasound}'",
        IMAGES,
        PIXELS,
    ).to_pylist()
    assert image["dicom"] == deidentify((story.source / "ultrasound").read_bytes(), story.recipe, RELEASABLE)[0]


def test_what_another_profile_accepts_is_stored_when_tried_again(story: Any) -> None:
    held = {e.source_hmac: e for e in entries(closed=True)}
    report = story.retried
    assert (report.found, report.stored, report.duplicates, report.quarantined) == (7, 2, 1, 5)
    assert report.by_reason == {"not_accessible": 2, "not_dicom": 2, "truncated": 1}
    assert "burned_in_risk" not in {e.reason for e in entries()}
    now = {e.source_hmac: e for e in entries(closed=True) if e.run_id == story.reprocessed.run_id}
    assert {e.resolution for e in now.values()} == {f"processed again by run {report.run_id}"}
    assert held.keys() <= {e.source_hmac for e in entries(closed=True)}
    files = f"SELECT path FROM {FILES.name} WHERE run_id = '{report.run_id}'"
    assert len(query(files, FILES)) == 7


def test_damaged_objects_short_reasons_and_other_recipes_are_refused(story: Any, lakehouse: Path) -> None:
    assert story.retried
    written = history(QUARANTINE)
    events = (lakehouse / "events" / "events.jsonl").read_bytes()
    lenient = Recipe(story.recipe.profile.accepting(*RELEASABLE), bytes(32))
    damaged = next(e for e in entries() if e.reason == "truncated")
    with pytest.raises(NotReleasable, match=r"ends before its data do.*Nobody can release it"):
        release(damaged.source_hmac, REASON, lenient)
    assert history(QUARANTINE) == written
    assert (lakehouse / "events" / "events.jsonl").read_bytes() == events


@pytest.fixture
def held(story: Any, build: Any, tmp_path: Path) -> str:
    """An ultrasound image that is set aside under the research profile."""
    from lakeward.imaging.pipeline import ingest

    assert story.first
    content = build(400, modality="US")
    name: str = story.recipe.pseudonyms.source(content)
    if name not in {e.source_hmac for e in entries()}:
        (tmp_path / "us.dcm").write_bytes(content)
        ingest(tmp_path, story.recipe)
    return name


def test_a_release_needs_a_reason_the_same_recipe_and_an_event(held: str, story: Any, lakehouse: Path) -> None:
    with pytest.raises(NotReleasable, match="too short"):
        release(held, "  looked  ", story.recipe)
    profile, key = story.recipe.profile, story.recipe.key
    for other in (
        Recipe(load_profile("longitudinal"), key),
        Recipe(profile, bytes(32)),
        Recipe(profile, key, EnhanceParameters(clip_limit=9)),
    ):
        with pytest.raises(NotReleasable, match="another profile, enhancement or key"):
            release(held, REASON, other)
    events = lakehouse / "events"
    events.rename(lakehouse / "away")
    events.touch()
    try:
        for act in (lambda: release(held, REASON, story.recipe), lambda: retry(story.recipe, [held])):
            with pytest.raises(EventNotRecorded):
                act()
    finally:
        events.unlink()
        (lakehouse / "away").rename(events)
    assert entry(held).status == "open"
