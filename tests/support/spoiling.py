"""An engine that does one thing wrong, so that a check has something to find."""

from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from lakeward.imaging.verification.trial import Trial

Spoil = Callable[[Dataset], Any]


def setting(keyword: str, value: Any) -> Spoil:
    """Spoil an attribute."""
    return lambda ds: setattr(ds, keyword, value)


def black(ds: Dataset) -> None:
    """Spoil all pixels."""
    ds.PixelData = bytes(len(ds.PixelData))


def spoil_all(spoil: Spoil, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every object that is de-identified come out spoiled."""
    genuine = Trial.run

    def spoiled(self: Trial, content: bytes) -> Any:
        if (done := genuine(self, content)) is None:
            return None
        ds = pydicom.dcmread(BytesIO(done.dicom))
        spoil(ds)
        buffer = BytesIO()
        ds.save_as(buffer)
        return SimpleNamespace(dicom=buffer.getvalue(), changes=done.changes)

    monkeypatch.setattr(Trial, "run", spoiled)
