"""Whose an object is, where that matters: withdrawn patients are refused, and the crosswalk keeps who it was.

Both ask the original file, whichever way it was cleaned.
"""

from typing import Any

from pydicom.dataset import Dataset

from lakeward.imaging.deidentification import identity
from lakeward.imaging.objects import salvage
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.pipeline.recipe import Clean, Recipe
from lakeward.imaging.reasons import Quarantined, Reason


def refuse_withdrawn(content: bytes, recipe: Recipe, clean: Clean | None = None) -> None:
    """Refuse a file of a patient who was withdrawn, be it damaged or not.

    Parameters
    ----------
    clean : Clean, optional
        The object after de-identification; left out for one that can't be cleaned, of which as much is read as can be.
    """
    for key, names in recipe.withdrawn:
        if clean and key.key_id == recipe.pseudonyms.key_id:
            patient = clean.patient
        elif (ds := _original(content, clean, recipe)) is not None:
            patient = key.patient(identity.of(ds))
        else:
            continue
        if key.withdrawn(patient) in names:
            raise Quarantined(Reason.WITHDRAWN)


def crosswalk_rows(content: bytes, recipe: Recipe, clean: Clean) -> list[dict[str, Any]]:
    """Return what the crosswalk keeps of an object, sealed; nothing, if the run did not ask for it."""
    ds = _original(content, clean, recipe) if recipe.crosswalk else None
    return recipe.crosswalk.entries(ds, recipe.pseudonyms) if recipe.crosswalk and ds is not None else []


def _original(content: bytes, clean: Clean | None, recipe: Recipe) -> Dataset | None:
    """The attributes that tell whose an object is; read as a whole where its beginning gives another answer."""
    ds = salvage.head(content)
    if clean is None or (ds is not None and _names(ds, recipe) == (clean.patient, *clean.uids)):
        return ds
    return read_object(content, recipe.limits)


def _names(ds: Dataset, recipe: Recipe) -> tuple[str, ...]:
    uids = (str(ds.get(f"{of}InstanceUID") or "") for of in ("Study", "Series", "SOP"))
    return recipe.pseudonyms.patient(identity.of(ds)), *(recipe.pseudonyms.uid(uid) for uid in uids)
