"""What can still be read of a damaged object: as much of its header as tells whose it is."""

from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.objects.structure import Walk
from lakeward.imaging.reasons import Quarantined, Reason

_HEAD_BYTES = 1024**2
_LAST_GROUP = 0x0020
_KEYWORDS = ("PatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID")
_UIDS = ("SeriesInstanceUID", "SOPInstanceUID")
_TAGS: list[BaseTag | int] = [Tag(keyword) for keyword in ("SpecificCharacterSet", *_KEYWORDS, *_UIDS)]


def head(content: bytes) -> Dataset | None:
    """Return the attributes that tell patients apart, as far as they are there, or None if nothing can be read.

    Only the file's beginning is looked at, and nothing is inflated, so that no file can make this costly.
    """
    start = content[:_HEAD_BYTES]
    try:
        with contained(Reason.UNREADABLE):
            limits = Limits()
            body = Walk(start, True, limits.max_depth, limits.max_elements).meta(
                132 if start[128:132] == b"DICM" else 0
            )
            meta = dcmread(BytesIO(start[:body]), force=True).file_meta
            if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
                return None
            return read_partial(BytesIO(start), _after_identity, specific_tags=_TAGS, force=True)
    except Quarantined:
        return None


def _after_identity(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group > _LAST_GROUP
