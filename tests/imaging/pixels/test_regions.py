"""Where text is known to be without a search."""

import numpy as np
import pytest
from pydantic import ValidationError
from pydicom import uid
from pydicom.dataset import Dataset

from lakeward.imaging.pixels.regions import RegionRule, known

RULE = RegionRule(rows=6, columns=8, manufacturer="Acme", mask=((0, 0, 8, 2), (7, 2, 8, 6)))


def an_ultrasound(*regions: tuple[int, int, int, int]) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.Rows, ds.Columns = uid.UltrasoundImageStorage, 6, 8
    ds.Manufacturer, ds.ManufacturerModelName = "ACME ", "One"
    ds.SequenceOfUltrasoundRegions = [Dataset() for _ in regions]
    for item, (left, top, right, bottom) in zip(ds.SequenceOfUltrasoundRegions, regions, strict=True):
        item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    return ds


def test_everything_outside_of_ultrasound_regions_goes() -> None:
    mask, areas = known(an_ultrasound((1, 2, 3, 4), (5, 0, 7, 1)), ())
    kept = np.zeros((6, 8), bool)
    kept[2:5, 1:4] = kept[:2, 5:8] = True  # the corners are pixels of the region
    assert np.array_equal(mask, ~kept)
    assert areas == 1


@pytest.mark.parametrize("region", [(3, 2, 3, 4), (4, 4, 2, 5), (0, -1, 7, 5)])
def test_regions_that_can_not_be_are_not_believed(region: tuple[int, int, int, int]) -> None:
    ds = an_ultrasound((1, 2, 3, 4), (0, 0, 1, 1))
    item = ds.SequenceOfUltrasoundRegions[1]
    for keyword, value in zip(("MinX0", "MinY0", "MaxX1", "MaxY1"), region, strict=True):
        item.add_new(f"RegionLocation{keyword}", "SL", value)
    assert known(ds, ())[1] == 0


def test_regions_count_for_ultrasound_only() -> None:
    ds = an_ultrasound((1, 2, 3, 4))
    ds.SOPClassUID = uid.SecondaryCaptureImageStorage
    assert not known(ds, ())[0].any()


def test_a_users_rule_masks_its_areas() -> None:
    mask, areas = known(an_ultrasound(), (RULE, RegionRule(rows=6, columns=9, mask=((0, 0, 9, 6),))))
    assert areas == 2
    assert mask.sum() == 2 * 8 + 4


def test_a_rule_fits_where_all_its_conditions_hold() -> None:
    ds = an_ultrasound()
    assert RULE.fits(ds)
    assert RULE.model_copy(update={"model": "one", "sop_class": uid.UltrasoundImageStorage}).fits(ds)
    for other in ({"model": "Two"}, {"manufacturer": "Ac"}, {"sop_class": "1.2"}, {"rows": 7}, {"columns": 7}):
        assert not RULE.model_copy(update=other).fits(ds)


@pytest.mark.parametrize("area", [(0, 0, 9, 2), (0, 0, 8, 7), (3, 0, 3, 2), (0, 2, 8, 1), (-1, 0, 8, 2)])
def test_refuses_areas_outside_of_the_image(area: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValidationError):
        RegionRule(rows=6, columns=8, mask=(area,))
