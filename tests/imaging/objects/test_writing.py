from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import config
from pydicom.uid import UID

from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.objects.writing import IMPLEMENTATION_CLASS_UID, place
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import RELEASABLE, Quarantined

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
STUDY, SERIES, OBJECT = "2.25.1", "2.25.2", "2.25.3"


@pytest.fixture(scope="module")
def written(recipe: Recipe) -> dict[str, bytes]:
    """All of pydicom's files that are not damaged, as they are written."""
    files = {}
    for path in sorted(TEST_FILES.glob("*.dcm")):
        try:
            files[path.name] = deidentify(path.read_bytes(), recipe, RELEASABLE).dicom
        except Quarantined:
            continue
    return files


def test_the_preamble_is_zeros_and_the_meta_information_ours(written: dict[str, bytes]) -> None:
    for content in written.values():
        assert content[:132] == bytes(128) + b"DICM"
        ds = pydicom.dcmread(BytesIO(content))
        assert {element.keyword for element in ds.file_meta} == {
            "FileMetaInformationGroupLength",
            "FileMetaInformationVersion",
            "MediaStorageSOPClassUID",
            "MediaStorageSOPInstanceUID",
            "TransferSyntaxUID",
            "ImplementationClassUID",
            "ImplementationVersionName",
        }
        assert ds.file_meta.MediaStorageSOPClassUID == ds.SOPClassUID
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


def test_every_transfer_syntax_is_kept(written: dict[str, bytes]) -> None:
    syntaxes: set[UID] = set()
    for name, content in written.items():
        before = read_object(TEST_FILES / name).file_meta.TransferSyntaxUID
        assert pydicom.dcmread(BytesIO(content)).file_meta.TransferSyntaxUID == before, name
        syntaxes.add(before)
    names = {syntax.name.split(" (")[0] for syntax in syntaxes}
    assert len(names) >= 10
    assert {
        "Implicit VR Little Endian",
        "Explicit VR Big Endian",
        "RLE Lossless",
        "JPEG 2000 Image Compression",
    } < names
    assert "Deflated Explicit VR Little Endian" in names


def test_pixels_are_not_touched(written: dict[str, bytes]) -> None:
    same, changed = set(), set()
    for name, content in written.items():
        ds = pydicom.dcmread(BytesIO(content))
        if "PixelData" in ds:
            (same if ds.PixelData == read_object(TEST_FILES / name).PixelData else changed).add(name)
    assert len(same) > 40
    # Comments and application segments inside codestreams are cleared; nothing of an uncompressed image is.
    assert all(read_object(TEST_FILES / name).file_meta.TransferSyntaxUID.is_encapsulated for name in changed)


def test_a_strict_reader_takes_what_is_written(written: dict[str, bytes]) -> None:
    with config.strict_reading():
        for content in written.values():
            pydicom.dcmread(BytesIO(content)).walk(lambda _, element: element.value)


def test_the_same_object_is_always_the_same_bytes(build: Callable[..., bytes], recipe: Recipe) -> None:
    assert deidentify(build(1), recipe).dicom == deidentify(build(1), Recipe(recipe.profile, recipe.key)).dicom


def test_files_lie_by_study_and_series() -> None:
    assert place(STUDY, SERIES, OBJECT, "ab" * 32, only=True) == Path("2.25.1/2.25.2/2.25.3.dcm")
    assert place(STUDY, SERIES, OBJECT, "ab" * 32, only=False) == Path("2.25.1/2.25.2/2.25.3-abababababab.dcm")


@pytest.mark.parametrize("hostile", ["..", "/etc", "../..", "1.2/../..", "", None, "1.2\n", ".", "['1.2', '1.3']"])
def test_no_uid_leads_out_of_the_folder(hostile: str | None) -> None:
    assert place(hostile, hostile, hostile, "ab" * 32, only=True) == Path("no-study/no-series/object.dcm")
