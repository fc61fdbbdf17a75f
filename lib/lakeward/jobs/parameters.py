"""Parameters of the jobs' notebooks."""

from pathlib import Path
from tempfile import mkdtemp

from pydantic import Field

from lakeward.jobs.bundle.bundle import Bundle, find_root, load
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
        A job file, as text; SMALLEST stands for the smallest notebook.
    """

    bundle: str
    job: str = Field(min_length=1)
    own: str = Field(min_length=1)

    @property
    def root(self) -> Path:
        """Folder of the bundle."""
        return Path(self.bundle) if self.bundle else find_root()

    def written(self, job_file: str) -> Bundle:
        """Write a job file into a bundle of its own, in a new folder, and read that."""
        smallest = self.root.parent / "notebooks" / "jobs" / "02_smallest.ipynb"
        folder = Path(mkdtemp(prefix="lakeward-"))
        (folder / "databricks.yml").write_text("bundle: {name: guide}\ninclude: ['*.job.yml']\n", encoding="utf-8")
        (folder / "own.job.yml").write_text(job_file.replace("SMALLEST", str(smallest)), encoding="utf-8")
        return load(folder)


class SmallestParameters(Parameters):
    """Parameters of ``jobs/02_smallest``: whom to greet, and how often."""

    name: str = Field(min_length=1)
    times: int = Field(ge=1, le=10)
