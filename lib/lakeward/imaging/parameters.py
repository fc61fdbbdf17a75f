"""Parameters of the imaging notebooks."""

from pathlib import Path

from pydantic import Field

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.process import Recipe
from lakeward.imaging.pixels.enhance import EnhanceParameters
from lakeward.imaging.samples import sample_folder
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.notebooks import Parameters
from lakeward.workspace.secrets import secret_key

SAMPLES = "samples"
KEY_NAME = "deid_key"


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


def recipe(profile: str, **enhancement: float) -> Recipe:
    """Return profile, key and enhancement together; the key comes from the workspace's secrets.

    Raises
    ------
    ConfigurationError
        If there is no such profile, or no key.
    """
    return Recipe(load_profile(profile), secret_key(KEY_NAME), EnhanceParameters.model_validate(enhancement))


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
    """

    source: str = Field(min_length=1)
    profile: str
    clip_limit: float = Field(ge=1, le=64)
    tiles: int = Field(ge=1, le=64)
    reprocess: bool

    @property
    def folder(self) -> Path:
        """The source as a folder."""
        return source_folder(self.source)

    @property
    def recipe(self) -> Recipe:
        """Profile, key and enhancement together."""
        return recipe(self.profile, clip_limit=self.clip_limit, tiles=self.tiles)


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
