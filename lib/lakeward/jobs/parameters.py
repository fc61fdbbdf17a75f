"""Parameters of the jobs' notebooks."""

from pathlib import Path

from pydantic import Field

from lakeward.jobs.bundle.bundle import find_root
from lakeward.workspace.notebooks import Parameters


class WriteAJobParameters(Parameters):
    """Parameters of ``jobs/01_write_a_job``.

    Attributes
    ----------
    bundle : str
        Folder of ``databricks.yml``; empty for the one that the notebook is in.
    job : str
        Key of the job to look at.
    own : str
        A job file, as text.
    """

    bundle: str
    job: str = Field(min_length=1)
    own: str = Field(min_length=1)

    @property
    def root(self) -> Path:
        """Folder of the bundle."""
        return Path(self.bundle) if self.bundle else find_root()


class SmallestParameters(Parameters):
    """Parameters of ``jobs/02_smallest``: whom to greet, and how often."""

    name: str = Field(min_length=1)
    times: int = Field(ge=1, le=10)
