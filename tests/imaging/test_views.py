import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from pydicom.data import get_testdata_file

from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pixels.enhance import EnhanceParameters
from lakeward.imaging.reasons import Reason
from lakeward.imaging.views import (
    actions_table,
    bars,
    before_and_after,
    explained,
    header_changes,
    listing,
    scatter,
)


def test_pictures_stand_side_by_side_with_what_they_are(build: Callable[..., bytes], recipe: Recipe) -> None:
    cleaned = process(build(1), Recipe(recipe.profile, recipe.key, EnhanceParameters(clip_limit=8)))
    row = cleaned.columns | {"dicom": cleaned.dicom, "enhanced": cleaned.enhanced, "body_part_examined": "<b>HEAD</b>"}
    shown = before_and_after([row]).data
    assert shown.count("data:image/png;base64,") == 2
    assert "CT &lt;b&gt;HEAD&lt;/b&gt; - 32 x 32" in shown


def test_a_header_is_listed_with_what_was_done_why_and_what_it_holds_now(recipe: Recipe) -> None:
    cleaned = process(Path(str(get_testdata_file("CT_small.dcm"))).read_bytes(), recipe)
    ds = pydicom.dcmread(BytesIO(cleaned.dicom))
    table = header_changes([cleaned.columns]).set_index("element")
    assert len(table) == len(json.loads(cleaned.columns["changes"]))
    assert table.loc["(0010,0010)"].to_dict() | {"rule": ""} == {
        "name": "Patient's Name",
        "done": "emptied or a dummy",
        "rule": "",
        "now": str(ds.PatientName),
    }
    assert table.loc["(0008,0080)", "now"] == "(absent)"


def test_actions_are_counted_over_objects(build: Callable[..., bytes], recipe: Recipe) -> None:
    changes = [process(build(n), recipe).columns["changes"] for n in (1, 2)]
    table = actions_table(changes)
    assert table["elements"].sum() == sum(len(json.loads(text)) for text in changes)
    assert list(table["elements"]) == sorted(table["elements"], reverse=True)


def test_reasons_are_explained() -> None:
    table = explained(pd.DataFrame({"reason": ["truncated", "burned_in_risk"]}))
    assert list(table["releasable"]) == ["no", "yes"]
    assert table["meaning"][0] == Reason.TRUNCATED.explain


def test_text_in_a_listing_is_text() -> None:
    assert "&lt;script&gt;" in listing(pd.DataFrame({"a": ["<script>"]})).data


@pytest.mark.parametrize("n", [0, 3])
def test_views_bear_empty_tables(n: int) -> None:
    table = pd.DataFrame({"kind": ["a", "b", "c"], "count": [1, 2, 3], "size": [0.5, None, 2.0]}).head(n)
    assert listing(table).data
    assert len(bars(table, "kind", "count", "Kinds").data) <= 1
    assert sum(len(trace.x) for trace in scatter(table, "count", "size", "kind").data) == max(0, n - 1)
    assert len(header_changes([])) == len(actions_table([])) == 0
    assert before_and_after([]).data
    assert len(explained(pd.DataFrame({"reason": []}))) == 0


def test_charts_bring_no_script_along(monkeypatch: pytest.MonkeyPatch) -> None:
    import plotly.io as pio

    bars(pd.DataFrame({"kind": ["a"], "count": [1]}), "kind", "count", "Kinds")
    assert pio.renderers.default == "plotly_mimetype"


def test_dates_are_shown_as_people_write_them() -> None:
    header = {
        "00080020": {"vr": "DA", "Value": ["20040119"]},
        "0040A120": {"vr": "DT", "Value": ["2004011907", "2004"]},
    }
    changes = {"(0008,0020)": ("C", "E.1-1"), "(0040,A120)": ("C", "E.1-1")}
    shown = header_changes([{"changes": json.dumps(changes), "header": json.dumps(header)}])
    assert list(shown["now"]) == ["2004-01-19", "2004-01-19 07\\2004"]
