"""Attributes that say what kind of object it is, and how its pixels are stored and shown.

They are as a rule the same in all objects of a series, so what is found out about them once serves for many. Gates and
pixels must not depend on any other attribute.
"""

from pydicom._dicom_dict import DicomDictionary
from pydicom.tag import Tag

_KEYWORDS = (
    "ImageType", "SOPClassUID", "Modality", "ConversionType", "Manufacturer", "ManufacturerModelName",
    "SequenceOfUltrasoundRegions", "NumberOfFrames", "EncapsulatedDocument", "PresentationLUTShape",
    "PresentationLUTSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_OF_ONE_FRAME = {Tag(keyword) for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue")}

DESCRIBING = frozenset(
    {int(Tag(keyword)) for keyword in _KEYWORDS} | {tag for tag in DicomDictionary if tag >> 16 == 0x0028}
) - {int(tag) for tag in _OF_ONE_FRAME}
"""Their tags; pixel data is not among them."""
