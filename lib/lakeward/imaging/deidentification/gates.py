"""What is not cleaned but set aside: objects whose contents can't be known to be free of a patient's data."""

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

from lakeward.imaging.deidentification import faces
from lakeward.imaging.deidentification.iods import is_known_sop_class
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.deidentification.values import values
from lakeward.imaging.reasons import Quarantined, Reason

_STORAGE = r"1\.2\.840\.10008\.5\.1\.4\.1\.1\."
_ENCAPSULATED = re.compile(_STORAGE + r"104\.\d+")
_SPEECH = re.compile(_STORAGE + r"9\.4\.\d+")
_OFTEN_BURNED_IN = re.compile(
    _STORAGE + r"(?:3(?:\.1)?|6(?:\.[123])?"  # ultrasound, the retired classes too, and photoacoustics
    r"|7(?:\.\d)?"  # secondary capture
    r"|77\.[12]|77\.1\.(?:[1247]|5\.[1-6])(?:\.1)?)"  # endoscopy, microscopy, photography, their videos, eyes, skin
    r"|1\.2\.840\.10008\.5\.1\.1\.(?:29|30)"  # printed on film
)
_SCREEN = re.compile(
    r"SCREEN|SAVE|DOSE|REPORT|PRINT|CAPTURE|SUMMARY|TEXT|SNAPSHOT|LABEL|OVERVIEW|PROTOCOL", re.IGNORECASE
)
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
BURNED_IN = frozenset({Reason.BURNED_IN_ANNOTATION, Reason.BURNED_IN_RISK})
"""What the option Clean Pixel Data takes care of."""


def findings(ds: Dataset) -> Iterator[Reason]:
    """Yield every reason to set an object aside, the gravest first.

    Burned-in text is feared where the SOP Class is one of screens and cameras, where the object was converted from
    film, video or another screen (Conversion Type), or where Image Type names a saved screen, a dose report or a
    slide's label; Burned In Annotation (0028,0301) NO answers it.
    """
    sop_class = str(ds.get("SOPClassUID") or "")
    if not sop_class or not ds.get("SOPInstanceUID"):
        yield Reason.MISSING_IDENTITY
    elif not is_known_sop_class(sop_class):
        yield Reason.UNKNOWN_SOP_CLASS
    if _ENCAPSULATED.fullmatch(sop_class) or "EncapsulatedDocument" in ds:
        yield Reason.ENCAPSULATED_DOCUMENT
    if _SPEECH.fullmatch(sop_class):
        yield Reason.RECORDED_SPEECH
    if any(keyword in ds for keyword in PIXELS):
        yield from _pixel_findings(ds, sop_class)


def _pixel_findings(ds: Dataset, sop_class: str) -> Iterator[Reason]:
    burned_in = str(ds.get("BurnedInAnnotation") or "").strip().upper()
    if burned_in == "YES":
        yield Reason.BURNED_IN_ANNOTATION
    elif burned_in != "NO" and (_OFTEN_BURNED_IN.fullmatch(sop_class) or _is_a_screen(ds)):
        yield Reason.BURNED_IN_RISK
    if str(ds.get("RecognizableVisualFeatures") or "").strip().upper() == "YES":
        yield Reason.RECOGNIZABLE_FEATURES


def _is_a_screen(ds: Dataset) -> bool:
    return bool(ds.get("ConversionType")) or any(_SCREEN.search(str(value)) for value in values(ds.get("ImageType")))


def check(ds: Dataset, profile: Profile) -> None:
    """Refuse an object that the profile neither accepts nor has cleaned.

    Raises
    ------
    Quarantined
        With the gravest reason that is left.
    """
    cleaned = BURNED_IN if profile.has(Option.CLEAN_PIXEL_DATA) else frozenset()
    for reason in findings(ds):
        if reason not in profile.accept | cleaned:
            raise Quarantined(reason)
    asked = profile.has(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES)
    if asked and Reason.RECOGNIZABLE_FEATURES not in profile.accept and faces.may_show_one(ds):
        raise Quarantined(Reason.RECOGNIZABLE_FEATURES, "not clearly of another region than the head")
