import json
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from lakeward.imaging.objects.header import INLINE_CHARACTERS, age_in_years, as_json, columns
from lakeward.imaging.objects.reading import read_object
from lakeward.imaging.reasons import Quarantined
from lakeward.imaging.tables import IMAGES

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def _readable() -> list[Path]:
    paths = []
    for path in sorted(TEST_FILES.glob("*.dcm")):
        try:
            read_object(path)
        except Quarantined:
            continue
        paths.append(path)
    return paths


def test_columns_are_typed_and_in_the_units_of_their_names() -> None:
    row = columns(read_object(TEST_FILES / "CT_small.dcm"))
    assert row["modality"] == "CT"
    assert row["sop_class"] == "CT Image Storage"
    assert row["study_date"] == date(2004, 1, 19)
    assert (row["rows"], row["columns"], row["number_of_frames"]) == (128, 128, 1)
    assert (row["pixel_spacing_row_mm"], row["pixel_spacing_column_mm"]) == (0.661468, 0.661468)
    assert row["slice_thickness_mm"] == 5.0
    assert row["kvp_kv"] == 120.0
    assert row["echo_time_ms"] is None


def test_every_column_is_declared_in_the_table() -> None:
    assert columns(Dataset()).keys() <= set(IMAGES.arrow_schema.names)


@pytest.mark.parametrize(
    ("age", "years"),
    [("045Y", 45.0), ("018M", 1.5), ("026W", 0.498), ("001D", 0.003), ("45Y", None), ("", None), ("0x0Y", None)],
)
def test_ages_are_in_years(age: str, years: float | None) -> None:
    assert age_in_years(age) == years


@pytest.mark.parametrize(
    ("keyword", "value", "column"),
    [
        ("InstanceNumber", "99999999999", "instance_number"),  # no 32-bit number
        ("InstanceNumber", "1.5", "instance_number"),
        ("SliceThickness", "1e999", "slice_thickness_mm"),
        ("StudyDate", "20201399", "study_date"),
        ("StudyDate", "", "study_date"),
        ("Rows", [], "rows"),
    ],
)
def test_a_value_that_is_not_of_the_columns_type_is_null(keyword: str, value: object, column: str) -> None:
    ds = Dataset()
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    vr = pydicom.datadict.dictionary_VR(tag)
    with pydicom.config.disable_value_validation():
        ds.add(pydicom.DataElement(tag, vr, value, validation_mode=pydicom.config.IGNORE))
        assert columns(ds)[column] is None


def test_several_values_give_the_first() -> None:
    ds = Dataset()
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.EchoTime = None
    assert columns(ds)["image_type"] == "DERIVED"


@pytest.mark.parametrize("path", _readable(), ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of originals, which are not all valid
def test_the_json_header_is_dicom_json_of_every_element_but_the_pixels(path: Path) -> None:
    ds = read_object(path)
    again = Dataset.from_json(as_json(ds))
    assert again.keys() == {tag for tag in ds.keys() if tag >> 16 != 0x7FE0}
    for element in again:
        if element.VR not in ("SQ", "UN", "OB", "OW", "OF", "OD"):
            assert element.value == ds[element.tag].value, element.tag


def test_a_long_binary_value_is_named_and_left_out() -> None:
    ds = read_object(TEST_FILES / "CT_small.dcm")
    ds.RedPaletteColorLookupTableData = bytes(INLINE_CHARACTERS)
    ds.GreenPaletteColorLookupTableData = bytes(INLINE_CHARACTERS * 3 // 4)
    model = json.loads(as_json(ds))
    assert model["00281201"] == {"vr": "OW", "BulkDataURI": "about:blank#00281201"}
    assert "InlineBinary" in model["00281202"]
    assert "7FE00010" not in model


def test_values_that_scanners_write_too_long_are_in_the_json_header() -> None:
    ds = read_object(TEST_FILES / "CT_small.dcm")
    with pydicom.config.disable_value_validation():
        ds.SliceLocation = "-77.20407485961914062"
        ds.FrameOfReferenceUID = "1.2.03"
    model = json.loads(as_json(ds))
    assert model["00201041"]["Value"] == [-77.20407485961914]
    assert model["00200052"]["Value"] == ["1.2.03"]


def test_a_number_that_json_does_not_know_is_null() -> None:
    ds = read_object(TEST_FILES / "CT_small.dcm")
    ds.add_new(0x00189087, "FD", [float("nan"), 2.0])  # Diffusion b-value
    assert json.loads(as_json(ds), parse_constant=pytest.fail)["00189087"]["Value"] == [None, 2.0]
