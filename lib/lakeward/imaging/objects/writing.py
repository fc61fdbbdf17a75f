"""Encoding a cleaned data set as a DICOM file (PS3.10) whose file meta information says nothing of the original's."""

import re
from io import BytesIO
from pathlib import Path
from struct import pack

from pydicom import config, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from lakeward import __version__
from lakeward.imaging.objects.reading import contained
from lakeward.imaging.reasons import Reason

IMPLEMENTATION_CLASS_UID = UID("2.25.199892825222238209334513098968930587939")
_VERSION_NAME = f"LAKEWARD {__version__}"[:16]
_LONG = frozenset(str(vr) for vr in EXPLICIT_VR_LENGTH_32)
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
        meta.ImplementationVersionName = _VERSION_NAME
        ds.file_meta = meta
        ds.preamble = b"\0" * 128
        buffer = BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        return buffer.getvalue()


def file_start(sop_class: str, instance: str, syntax: str) -> bytes:
    """Return the preamble and file meta information (PS3.10 7.1) that `encode` gives a file, as bytes.

    Parameters
    ----------
    sop_class, instance, syntax : str
        SOP Class UID, SOP Instance UID and Transfer Syntax UID.
    """
    elements = [
        encode_element(0x00020002, "UI", sop_class.encode()),
        encode_element(0x00020003, "UI", instance.encode()),
        encode_element(0x00020010, "UI", syntax.encode()),
        encode_element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
        encode_element(0x00020013, "SH", _VERSION_NAME.encode()),
    ]
    meta = b"".join([encode_element(0x00020001, "OB", b"\0\1"), *elements])
    return bytes(128) + b"DICM" + encode_element(0x00020000, "UL", pack("<L", len(meta))) + meta


def encode_element(tag: int, vr: str, value: bytes) -> bytes:
    """Encode an element of a stated length in Explicit VR Little Endian (PS3.5 7.1.2), padded to an even length."""
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    start = pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return start + (pack("<HL", 0, len(value)) if vr in _LONG else pack("<H", len(value))) + value


def value_of(encoded: bytes) -> bytes:
    """Return the value field of an element that is encoded in Explicit VR Little Endian."""
    return encoded[12 if encoded[4:6].decode("ascii", "replace") in _LONG else 8 :]


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
