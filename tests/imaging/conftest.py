"""Invented objects whose every identifier holds a marker, and the lakehouse that the tests of the pipeline share."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from lakeward.imaging.process import Recipe
from lakeward.imaging.profile import load_profile
from lakeward.workspace.settings import settings

MARKER = "QXZJWK"
KEY = bytes(range(32))

Build = Callable[..., bytes]


def _object(number: int = 0, *, modality: str = "CT", **attributes: Any) -> bytes:
    """A file of an invented patient; objects of other numbers have other pixels and UIDs."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = MARKER
    ds.preamble = MARKER.encode().ljust(128, b"\0")
    ds.SOPClassUID = UltrasoundImageStorage if modality == "US" else CTImageStorage
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[MARKER, str(number), "object"])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[MARKER, "series"])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=[MARKER, "study"])
    ds.Modality = modality
    ds.PatientName = f"{MARKER}^Maria"
    ds.PatientID = f"{MARKER}-{number % 3}"
    ds.PatientBirthDate = "19500101"
    ds.PatientAge = "045Y"
    ds.StudyDate = "20200315"
    ds.StudyDescription = f"CT HEAD {MARKER}"
    ds.InstitutionName = f"{MARKER} Hospital"
    ds.AccessionNumber = f"A{MARKER}{number}"
    ds.add_new(0x00090010, "LO", "SOME VENDOR")
    ds.add_new(0x00091001, "LO", f"private {MARKER}")
    ds.OtherPatientIDsSequence = [Dataset()]
    ds.OtherPatientIDsSequence[0].PatientID = f"nested {MARKER}"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 32, 16, 12, 11
    ds.PixelData = np.random.default_rng(number).integers(0, 4096, (32, 32), np.uint16).tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def marker() -> str:
    """What stands in every identifier of the objects that `build` gives, and must be found nowhere afterwards."""
    return MARKER


@pytest.fixture(scope="session")
def build() -> Build:
    """A file of an invented patient: `build(number, modality="US", Keyword=value)`."""
    return _object


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """The research profile under a key of the tests."""
    return Recipe(load_profile("research"), KEY)


@pytest.fixture(scope="session")
def _shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "lakehouse"


@pytest.fixture
def lakehouse(_shared_home: Path, _one_session: object, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The lakehouse that tests share: each ingests contents of its own, and looks at its own runs."""
    monkeypatch.setenv("LAKEWARD_HOME", str(_shared_home))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", KEY.hex())
    settings.cache_clear()
    yield _shared_home
    settings.cache_clear()
