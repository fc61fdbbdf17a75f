"""Encoding a cleaned data set as a DICOM file (PS3.10) whose file meta information says nothing of the original's."""

from io import BytesIO

from pydicom import config, dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID

from lakeward import __version__
from lakeward.imaging.reading import contained
from lakeward.imaging.reasons import Reason

IMPLEMENTATION_CLASS_UID = UID("2.25.199892825222238209334513098968930587939")


def encode(ds: FileDataset) -> bytes:
    """Encode a data set in the transfer syntax that it has.

    The preamble is zeros, and the file meta information is made anew from the data set: nothing of an application
    entity title, private information or an earlier UID comes through.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        The cleaned data set; its `file_meta` gives the transfer syntax.

    Returns
    -------
    bytes
        A whole DICOM file.

    Values that stay were checked against their VR already; how long a text is does not matter here.

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
