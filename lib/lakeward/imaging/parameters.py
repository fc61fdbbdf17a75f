"""Parameters of the imaging notebooks."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from lakeward.imaging.deidentification.crosswalk import Crosswalk
from lakeward.imaging.deidentification.profile import Profile, load_profile, parse_profile
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.enhance import EnhanceParameters
from lakeward.imaging.samples import sample_folder
from lakeward.workspace.errors import ConfigurationError, MissingSecret
from lakeward.workspace.notebooks import Parameters
from lakeward.workspace.secrets import secret_key

SAMPLES = "samples"
KEY_NAME = "deid_key"
CROSSWALK_KEY_NAME = "crosswalk_key"


def source_folder(source: str) -> Path:
    """Return the folder that a person has named; ``samples`` stands for the real files that pydicom ships.

    Raises
    ------
    ConfigurationError
        If nothing is named: an empty path would mean the current folder.
    """
    if not source.strip():
        raise ConfigurationError("No source is given: name the folder that holds the DICOM files.")
    return sample_folder() if source == SAMPLES else Path(source)


def recipe(profile: str, *, crosswalk: bool = False, **enhancement: float) -> Recipe:
    """Return profile, key and enhancement together; the key comes from the workspace's secrets.

    Parameters
    ----------
    crosswalk : bool
        Whether to keep what pseudonyms stand for, sealed under the secret ``crosswalk_key``.

    Raises
    ------
    ConfigurationError
        If there is no such profile, or no key.
    """
    made = Recipe(load_profile(profile), secret_key(KEY_NAME), EnhanceParameters.model_validate(enhancement))
    return replace(made, crosswalk=crosswalk_key()) if crosswalk else made


def crosswalk_key(name: str = CROSSWALK_KEY_NAME) -> Crosswalk:
    """Return the crosswalk under its secret key.

    Raises
    ------
    ConfigurationError
        If there is no such secret, or it is the one behind the pseudonyms: two keys in two hands are the point.
    """
    key = secret_key(name)
    with suppress(MissingSecret):
        if key == secret_key(KEY_NAME):
            raise ConfigurationError(f"The secrets {name} and {KEY_NAME} are the same key. Make another one.")
    return Crosswalk(key)


class IngestParameters(Parameters):
    """Parameters of ``imaging/01_ingest``.

    Attributes
    ----------
    source : str
        Folder with DICOM files, or ``samples`` for the real ones that pydicom ships. The notebook as it ran shows it,
        so the folder's name must not tell of a patient; names inside it are shown nowhere.
    profile : str
        Name of a shipped profile, or path of a YAML file.
    clip_limit, tiles
        Strength and tiling of the enhancement, see `EnhanceParameters`.
    reprocess : bool
        Whether to take files again that were processed with another profile, key or version.
    crosswalk : bool
        Whether to keep what pseudonyms stand for, sealed under the secret ``crosswalk_key``.
    incremental : bool
        Whether to take only files that have come since the last time, by streaming; Auto Loader on Databricks.
    """

    source: str = Field(min_length=1)
    profile: str
    clip_limit: float = Field(ge=1, le=64)
    tiles: int = Field(ge=1, le=64)
    reprocess: bool
    crosswalk: bool
    incremental: bool

    @property
    def folder(self) -> Path:
        """The source as a folder."""
        return source_folder(self.source)

    @property
    def recipe(self) -> Recipe:
        """Profile, key and enhancement together."""
        return recipe(self.profile, crosswalk=self.crosswalk, clip_limit=self.clip_limit, tiles=self.tiles)


class ExploreParameters(Parameters):
    """Parameters of ``imaging/02_explore``.

    Attributes
    ----------
    condition : str
        SQL condition on ``imaging.images`` that chooses the pictures.
    pictures : int
        How many pictures to show.
    """

    condition: str = Field(min_length=1)
    pictures: int = Field(ge=1, le=100)


class VerifyParameters(Parameters):
    """Parameters of ``imaging/03_verify``.

    Attributes
    ----------
    source : str
        Folder of originals to try too, and to search the lakehouse for; ``samples`` for the real files that pydicom
        ships; empty to leave the lakehouse alone.
    profile : str
        Name of a shipped profile, or path of a YAML file.
    """

    source: str
    profile: str

    @property
    def folder(self) -> Path | None:
        """The source as a folder, if one is given."""
        return source_folder(self.source) if self.source.strip() else None


class ReviewParameters(Parameters):
    """Parameters of ``imaging/04_review``.

    Attributes
    ----------
    draw : int
        How many images to draw now; 0 to go on with those that wait.
    seed : int
        Draws the same again from the same images.
    condition : str
        SQL condition on ``imaging.images`` that they are drawn from.
    pictures : int
        How many of those that wait to show.
    """

    draw: int = Field(ge=0)
    seed: int
    condition: str = Field(min_length=1)
    pictures: int = Field(ge=1, le=100)


class ProfileParameters(Parameters):
    """Parameters of ``imaging/05_write_a_profile``.

    Attributes
    ----------
    own : str
        A profile, as the text of a YAML file.
    file : str
        The DICOM file to try it on: a path, or the name of one that pydicom ships.
    """

    own: str = Field(min_length=1)
    file: str = Field(min_length=1)

    @property
    def path(self) -> Path:
        """The file to try it on."""
        return Path(self.file) if Path(self.file).exists() else sample_folder() / self.file

    @property
    def profile(self) -> Profile:
        """The profile that the text holds."""
        return parse_profile(self.own, "own")
