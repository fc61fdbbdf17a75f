"""Files of a withdrawn patient are refused, whichever way they would be cleaned."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.pipeline.process import process
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import RELEASABLE, Quarantined

Build = Callable[..., bytes]


@pytest.fixture(params=["today's key", "an earlier key"])
def refusing(request: pytest.FixtureRequest, recipe: Recipe) -> Recipe:
    key = recipe.pseudonyms if request.param == "today's key" else Pseudonyms(b"e" * 32)
    return replace(recipe, withdrawn=((key, frozenset({key.withdrawn(key.patient("id:QXZJWK-1"))})),))


@pytest.mark.parametrize("accept", [frozenset(), RELEASABLE])
def test_theirs_is_refused_and_that_of_others_is_not(build: Build, refusing: Recipe, accept: frozenset) -> None:
    with pytest.raises(Quarantined) as refused:
        process(build(1), refusing, accept)
    assert refused.value.reason == "withdrawn"
    assert process(build(2), refusing, accept).dicom


def test_so_is_what_is_damaged_doubtful_or_deflated(build: Build, refusing: Recipe) -> None:
    deflated, buffer = dcmread(BytesIO(build(1))), BytesIO()
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated.save_as(buffer)
    for content in (build(1)[:-100], build(1, modality="US"), buffer.getvalue()):
        with pytest.raises(Quarantined) as refused:
            process(content, refusing)
        assert refused.value.reason == "withdrawn"
    with pytest.raises(Quarantined) as refused:
        process(build(2)[:-100], refusing)
    assert refused.value.reason == "truncated"
