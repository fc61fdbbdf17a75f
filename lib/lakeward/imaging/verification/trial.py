"""The engine on trial: objects go through it as through the pipeline, and are counted."""

from collections import Counter
from dataclasses import dataclass, field

from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Clean, Recipe
from lakeward.imaging.reasons import Quarantined, Reason


@dataclass
class Trial:
    """Profile and key that objects are de-identified with.

    Attributes
    ----------
    recipe : Recipe
        Profile and key.
    cleaned : int
        Objects that were de-identified.
    set_aside : Counter of Reason
        Objects that went to quarantine.
    """

    recipe: Recipe
    cleaned: int = 0
    set_aside: Counter[Reason] = field(default_factory=Counter)

    @property
    def profile(self) -> Profile:
        """The profile on trial."""
        return self.recipe.profile

    def run(self, content: bytes) -> Clean | None:
        """De-identify a file; None if it is set aside."""
        try:
            done = deidentify(content, self.recipe)
        except Quarantined as refusal:
            self.set_aside[refusal.reason] += 1
            return None
        self.cleaned += 1
        return done
