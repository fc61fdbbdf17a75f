"""What does not come in again: patients who were withdrawn, and images in which a person found what was left."""

from dataclasses import replace

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Reason
from lakeward.imaging.tables import QUARANTINE, WITHDRAWN
from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.rows import select
from lakeward.workspace.secrets import secret_key

RETIRED_KEY = "deid_key_{}"
"""Name of the secret that a de-identification key becomes when another takes its place: with its `key_id`."""


def keeping_out(recipe: Recipe) -> Recipe:
    """Return a recipe that refuses whoever was withdrawn, and what a reviewer rejected under the same profile and key.

    Raises
    ------
    ConfigurationError
        If a patient was withdrawn under a key that is not among the secrets: nobody can tell then who it was.
    """
    names: dict[str, set[str]] = {}
    for row in select(f"SELECT key_id, withdrawn FROM {WITHDRAWN.name}", WITHDRAWN) or ():
        names.setdefault(row["key_id"], set()).add(row["withdrawn"])
    known = {recipe.pseudonyms.key_id: recipe.pseudonyms}
    keys = [known.get(key_id) or retired(key_id) for key_id in names]
    withdrawn = tuple((key, frozenset(names[key.key_id])) for key in keys)
    rejected = select(
        f"SELECT source_hmac FROM {QUARANTINE.name} WHERE reason = '{Reason.FOUND_IN_REVIEW}' "
        f"AND profile_hash = '{recipe.profile_hash}' AND key_id = '{recipe.pseudonyms.key_id}'",
        QUARANTINE,
    )
    return replace(recipe, withdrawn=withdrawn, rejected=frozenset(row["source_hmac"] for row in rejected or ()))


def retired(key_id: str) -> Pseudonyms:
    """Return the pseudonyms of an earlier key.

    Raises
    ------
    ConfigurationError
        If the key is not among the secrets, or another one is under its name.
    """
    name = RETIRED_KEY.format(key_id)
    try:
        pseudonyms = Pseudonyms(secret_key(name))
    except MissingSecret:
        raise ConfigurationError(
            f"There are rows or withdrawn patients under the de-identification key {key_id}, which is not among the "
            f"secrets: without it nobody can tell whose files are whose. Put that key into the secret {name}."
        ) from None
    if pseudonyms.key_id != key_id:
        raise ConfigurationError(f"The secret {name} holds the key {pseudonyms.key_id}. Put {key_id} there.")
    return pseudonyms
