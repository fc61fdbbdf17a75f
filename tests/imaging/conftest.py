"""Invented objects whose every identifier holds a marker, and a lakehouse with a story that tests share."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.demo import Demonstration, demonstrate
from lakeward.imaging.pipeline import ingest as pipeline
from lakeward.imaging.pipeline.ingest import Report, ingest
from lakeward.imaging.pipeline.quarantine import release, retry
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake_lock
from lakeward.imaging.reasons import Reason
from lakeward.imaging.tables import TABLES
from lakeward.workspace.lakehouse import history
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
    """The lakehouse that tests share."""
    monkeypatch.setenv("LAKEWARD_HOME", str(_shared_home))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", KEY.hex())
    settings.cache_clear()
    yield _shared_home
    settings.cache_clear()


class Story:
    """What happens to one folder, step by step; a step is taken when a test first asks for it, after those before."""

    def __init__(self, source: Path, recipe: Recipe) -> None:
        self.source = source
        self.recipe = recipe
        self.other = Recipe(recipe.profile, bytes(32))
        self.ultrasound = recipe.pseudonyms.source(_object(90, modality="US"))
        self.states: dict[str, dict[str, int]] = {}

    @cached_property
    def first(self) -> Report:
        """A mixed folder is ingested."""
        contents = {f"{MARKER}/{n}.dcm": _object(n) for n in range(6)} | {
            "equal": _object(0),
            "same uid": _object(1, WindowCenter="40"),
            "ultrasound": _object(90, modality="US"),
            "ultrasound again": _object(90, modality="US"),
            "another ultrasound": _object(94, modality="US"),
            "cut": _object(91)[:-100],
            f"{MARKER}.txt": f"notes on {MARKER}".encode(),
            "empty": b"",
            os.fsdecode(b"M\xfcller"): _object(92),
        }
        for name, content in contents.items():
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.source / "dangling").symlink_to(self.source / "nowhere")
        os.mkfifo(self.source / "pipe")
        return ingest(self.source, self.recipe)

    @cached_property
    def released(self) -> Report:
        """A person lets the ultrasound image through."""
        assert self.first
        return release(self.ultrasound[:10], "All frames were looked at: no text", self.recipe)

    @cached_property
    def touched(self) -> Report:
        """Files change their time and nothing else, and a new one comes."""
        assert self.released
        for name in ("equal", "ultrasound", "cut"):
            os.utime(self.source / name, ns=(1, 1))
        (self.source / "new").write_bytes(_object(93))
        return ingest(self.source, self.recipe)

    @cached_property
    def again(self) -> Report:
        """Nothing has changed; and another run is going on, for which this one has to wait."""
        assert self.touched
        self.states["before again"] = versions()
        reports: list[Report] = []
        waiting = threading.Thread(target=lambda: reports.append(ingest(self.source, self.recipe)))
        with intake_lock():
            waiting.start()
            time.sleep(1)
            self.states["while locked"] = versions()
        waiting.join()
        self.states["after again"] = versions()
        return reports[0]

    @cached_property
    def seen_by_other(self) -> Report:
        """The folder is looked at under another key."""
        assert self.again
        return ingest(self.source, self.other)

    @cached_property
    def reprocessed(self) -> Report:
        """All is processed again under the other key, in small parts by one worker."""
        assert self.seen_by_other
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "PART_FILES", 9)
            patch.setattr(pipeline, "_tasks", lambda files: 1)
            return ingest(self.source, self.other, reprocess=True)

    @cached_property
    def retried(self) -> Report:
        """Two are tried again under a profile that accepts what may have text burned in."""
        assert self.reprocessed
        lenient = self.recipe.profile.accepting(Reason.BURNED_IN_RISK)
        names = [self.other.pseudonyms.source((self.source / name).read_bytes()) for name in ("ultrasound", "cut")]
        return retry(Recipe(lenient, self.other.key), names)


def versions() -> dict[str, int]:
    """How often each table was written."""
    return {table.name: history(table)[0]["version"] for table in TABLES}


@pytest.fixture(scope="session")
def _story(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Story:
    return Story(tmp_path_factory.mktemp("source") / f"of {MARKER}", recipe)


@pytest.fixture(scope="session")
def _demonstrations() -> list[Demonstration]:
    return []


@pytest.fixture
def demonstration(story: Story, _demonstrations: list[Demonstration]) -> Demonstration:
    """The demonstration, in the lakehouse that holds the story's objects too."""
    if not _demonstrations:
        assert story.first
        _demonstrations.append(demonstrate(Path(__file__).parents[2] / "notebooks"))
    return _demonstrations[0]


@pytest.fixture
def story(_story: Story, lakehouse: Path) -> Story:
    """What happens to one folder in the shared lakehouse."""
    return _story
