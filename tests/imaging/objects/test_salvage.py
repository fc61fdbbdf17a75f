"""Of a damaged object, as much is read as tells whose it is."""

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from lakeward.imaging.deidentification import identity
from lakeward.imaging.objects.salvage import head

Build = Callable[..., bytes]


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_a_patient_is_told_though_the_pixels_are_cut(build: Build, syntax: str | None) -> None:
    content = build(1)
    if syntax:
        ds, buffer = dcmread(BytesIO(content)), BytesIO()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.save_as(buffer)
        content = buffer.getvalue()
    read = head(content[:-1000])
    assert read is not None
    assert identity.of(read) == "id:QXZJWK-1"


def test_nothing_is_told_of_what_is_no_object_or_deflated(build: Build) -> None:
    ds, buffer = dcmread(BytesIO(build(1))), BytesIO()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(buffer)
    for content in (b"", b"notes on a patient", bytes(4096), build(1)[:200], buffer.getvalue()):
        read = head(content)
        assert read is None or identity.of(read) == "study:"
