"""A random sample of images for the eyes of people: what they found is on record, and gives a bound on what is left.

The sample is systematic with a random start over images in order of modality and manufacturer: each image has the same
chance, and each kind of image comes in proportion (Cochran, Sampling Techniques, 1977, chapter 8).
"""

import hashlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from lakeward.imaging.pipeline.rows import distinct, having
from lakeward.imaging.pipeline.runs import at_rest, intake_lock, prepared_session, still_ours
from lakeward.imaging.reasons import Reason
from lakeward.imaging.stewardship.accountability import held
from lakeward.imaging.stewardship.purge import delete, purge
from lakeward.imaging.stewardship.verdicts import Verdict
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE, REVIEWS
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.events import Event, record
from lakeward.workspace.lakehouse import query
from lakeward.workspace.rows import add, select, update
from lakeward.workspace.tables import literals

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_REASON = Reason.FOUND_IN_REVIEW


class NotInReview(LakewardError):
    """There is no such review, or its image is not there any more."""


class Sample(BaseModel):
    """A sample that was drawn: its name, how many images there were to choose from, and how many it has."""

    model_config = ConfigDict(frozen=True)

    sample: str
    population: int
    size: int


class Judged(BaseModel):
    """What verdicts did: reviews they were given on, and objects that went into quarantine for it."""

    model_config = ConfigDict(frozen=True)

    reviews: int
    set_aside: int


def draw(size: int, seed: int, where: str = "true") -> Sample:
    """Draw images that no sample had before.

    Parameters
    ----------
    size : int
        How many; all, if there are no more.
    seed : int
        The same images and the same seed give the same sample.
    where : str
        SQL condition on ``imaging.images``, for example ``burned_in_annotation = 'NO'`` for those that were searched.
    """
    with intake_lock():
        if not at_rest():
            prepared_session()
        images = _images(where)
        drawn = systematic(images, size, seed)
        done = Sample(sample=uuid4().hex, population=len(images), size=len(drawn))
        details = {"images": len(drawn), "population": len(images), "seed": seed, "where": where}
        record(Event(type="imaging.review.sampled", object=done.sample, details=details))
        add(REVIEWS, [_review(row, done) for row in drawn])
        return done


def systematic(images: Sequence[dict[str, Any]], size: int, seed: int) -> list[dict[str, Any]]:
    """Take every n-th image from a random start; n need not be whole."""
    chance = random.Random(seed)  # noqa: S311 - a sample that can be drawn again, not a secret
    ordered = sorted(
        images, key=lambda image: (str(image["modality"]), str(image["manufacturer"]), _shuffled(image, seed))
    )
    step = max(1.0, len(ordered) / size)
    start = chance.random() * step
    return [ordered[int(start + n * step)] for n in range(min(size, len(ordered)))]


def _shuffled(image: dict[str, Any], seed: int) -> str:
    return hashlib.sha256(f"{seed}{image['content_sha256']}{image['pixels_id']}".encode()).hexdigest()


def _images(where: str) -> list[dict[str, Any]]:
    """Images that meet a condition and were in no sample."""
    columns = "pixels_id, modality, manufacturer, content_sha256"
    rows = query(f"SELECT {columns} FROM {IMAGES.name} WHERE number_of_frames > 0 AND ({where})", IMAGES).to_pylist()
    before = set(query(f"SELECT pixels_id FROM {REVIEWS.name}", REVIEWS)["pixels_id"].to_pylist())
    return [row for row in rows if row["pixels_id"] not in before]


def _review(row: dict[str, Any], drawn: Sample) -> dict[str, Any]:
    return {
        "review_id": hashlib.sha256(f"{drawn.sample}{row['pixels_id']}".encode()).hexdigest()[:12],
        "sample": drawn.sample,
        "population": drawn.population,
        "pixels_id": row["pixels_id"],
        "modality": row["modality"],
        "sampled_at": datetime.now(UTC),
    }


def judge(review_ids: Sequence[str], verdict: Verdict) -> Judged:
    """Record what a person saw; an image with anything but a clean verdict goes into quarantine at once.

    Its row and pixels are removed, also from the history of the tables, and the same recipe does not let it in again.
    Under a legal hold, on everything or on the patient, it leaves the tables only: their history has it still, until
    another patient is withdrawn, which a hold on everything does not let happen.

    Raises
    ------
    NotInReview
        If one of the reviews is not there, or its object went into quarantine before.
    EventNotRecorded
        If the verdict can't be recorded; then nothing is done.
    """
    with intake_lock():
        spark = prepared_session() if verdict != Verdict.CLEAN or not at_rest() else None
        reviews = _found(review_ids)
        actor = ""
        for review in reviews:
            details = {"verdict": verdict.value, "pixels_id": review["pixels_id"]}
            event = Event(type="imaging.review.judged", object=review["review_id"], details=details)
            record(event)
            actor = event.actor
        found = [] if verdict == Verdict.CLEAN else [review["pixels_id"] for review in reviews]
        set_aside = _set_aside(spark, set(found), verdict) if spark and found else 0
        _update([review["review_id"] for review in reviews], verdict, actor)
        return Judged(reviews=len(reviews), set_aside=set_aside)


def _found(review_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The reviews of these names; one whose object was set aside before is done."""
    there = select(f"SELECT * FROM {REVIEWS.name}", REVIEWS) or ()
    rows = {row["review_id"]: row for row in there if row["verdict"] in (None, Verdict.CLEAN)}
    if unknown := [name for name in review_ids if name not in rows]:
        raise NotInReview(f"{unknown[0]!r} waits for no verdict: see lakeward imaging review next.")
    return [rows[name] for name in dict.fromkeys(review_ids)]


def _set_aside(spark: "SparkSession", pixels: set[str], verdict: Verdict) -> int:
    """Move objects into quarantine, and out of the tables and their history; if it was interrupted, it goes on."""
    columns = (*IMAGES.key, "run_id", "patient_id")
    images = having(spark.table(IMAGES.name), "pixels_id", pixels).select(*columns).toArrow().to_pylist()
    kept = held(image["patient_id"] for image in images)
    sources = {image["source_hmac"] for image in images}
    files = having(spark.table(FILES.name), "source_hmac", sources).select("source_hmac", "size_bytes")
    sizes = {file["source_hmac"]: file["size_bytes"] for file in files.toArrow().to_pylist()}
    found = spark.table(QUARANTINE.name).where(f"reason = '{_REASON}'")
    before = distinct(having(found, "source_hmac", sources), "source_hmac")
    still_ours()
    now = datetime.now(UTC)
    aside = {"reason": _REASON.value, "detail": verdict.value, "quarantined_at": now, "status": "open"}
    # An interrupted run may not have written its files down yet.
    rows = [image | aside | {"size_bytes": sizes.get(image["source_hmac"], 0)} for image in images]
    add(QUARANTINE, [row for row in rows if row["source_hmac"] not in before])
    if images:
        names = literals("".join(image[column] for column in IMAGES.key) for image in images)
        update(FILES, {"outcome": "quarantined"}, f"concat({', '.join(IMAGES.key)}) IN ({names})")
    delete(spark, IMAGES, "pixels_id", pixels)
    delete(spark, PIXELS, "pixels_id", pixels)
    if not kept:
        purge(spark, (IMAGES, PIXELS))
    return len(images)


def _update(reviews: list[str], verdict: Verdict, reviewer: str) -> None:
    values = {"verdict": verdict.value, "reviewer": reviewer, "reviewed_at": datetime.now(UTC)}
    update(REVIEWS, values, f"review_id IN ({literals(reviews)})")
