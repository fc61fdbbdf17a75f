"""Real DICOM files to try things on: those that pydicom ships with its package (its folder ``data/test_files``)."""

from importlib.resources import files
from pathlib import Path


def sample_folder() -> Path:
    """Return the folder with pydicom's own files: CT, MR, US, NM, RT, SR; color, multi-frame, compressed, damaged."""
    return Path(str(files("pydicom").joinpath("data", "test_files")))
