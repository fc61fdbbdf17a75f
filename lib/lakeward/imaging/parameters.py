"""Parameters of the imaging notebooks."""

from pathlib import Path

from pydantic import Field

from lakeward.imaging.enhance import EnhanceParameters
from lakeward.imaging.process import Recipe
from lakeward.imaging.profile import load_profile
from lakeward.imaging.samples import sample_folder
from lakeward.workspace.notebooks import Parameters
from lakeward.workspace.secrets import secret_key

SAMPLES = "samples"
KEY_NAME = "deid_key"


class IngestParameters(Parameters):
    """Parameters of ``imaging/01_ingest``.

    Attributes
    ----------
    source : str
        Folder with DICOM files, or ``samples`` for the real ones that pydicom ships.
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
        return sample_folder() if self.source == SAMPLES else Path(self.source)

    @property
    def recipe(self) -> Recipe:
        """Profile, key and enhancement together; the key comes from the workspace's secrets."""
        enhancement = EnhanceParameters(clip_limit=self.clip_limit, tiles=self.tiles)
        return Recipe(load_profile(self.profile), secret_key(KEY_NAME), enhancement)


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
