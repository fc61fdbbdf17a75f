"""Encoding a cleaned data set as a DICOM file (PS3.10) whose file meta information says nothing of the original's."""

import re
from io import BytesIO
from pathlib import Path

from pydicom import config, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID

from lakeward import __version__
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.reasons import Reason

IMPLEMENTATION_CLASS_UID = UID("2.25.199892825222238209334513098968930587939")
_UID = re.compile(r"\d+(?:\.\d+)*", re.ASCII)


def encode(ds: FileDataset) -> bytes:
    """Encode a data set in the transfer syntax that it has.

    The preamble is zeros, and the file meta information is made anew from the data set: nothing of an application
    entity title, private information or an earlier UID comes through. Values are not validated again: those that stay
    were checked against their VR, and how long a text is does not matter here.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        The cleaned data set; its `file_meta` gives the transfer syntax.

    Returns
    -------
    bytes
        A whole DICOM file.

    Raises
    ------
    Quarantined
        If it can't be encoded.
    """
    with contained(Reason.NOT_WRITABLE), config.disable_value_validation():
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = ds.SOPClassUID
        meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
        meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
        meta.ImplementationVersionName = f"LAKEWARD {__version__}"[:16]
        ds.file_meta = meta
        ds.preamble = b"\0" * 128
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()


def place(study: str | None, series: str | None, instance: str | None, content_sha256: str, *, only: bool) -> Path:
    """Relative path of an object's file: ``<study>/<series>/<object>.dcm``, all by their UIDs.

    Parameters
    ----------
    study, series, instance : str or None
        UIDs of the cleaned object. What is no UID, and could lead out of the folder, gives no name.
    content_sha256 : str
        Hash of the file, which tells apart objects that share a SOP Instance UID.
    only : bool
        Whether no other object has had this path.
    """
    name = _safe(instance, "object") + ("" if only else f"-{content_sha256[:12]}")
    return Path(_safe(study, "no-study"), _safe(series, "no-series"), f"{name}.dcm")


def _safe(uid: str | None, otherwise: str) -> str:
    return uid if uid and _UID.fullmatch(uid) else otherwise
