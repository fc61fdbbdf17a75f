"""What can't be known to be free of a patient's data is set aside."""

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from lakeward.imaging.deidentification.gates import PIXELS, check, findings
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.objects.description import DESCRIBING
from lakeward.imaging.pixels.regions import RegionRule
from lakeward.imaging.reasons import RELEASABLE, Quarantined, Reason

BASIC = Profile(name="basic")
CT, US = uid.CTImageStorage, uid.UltrasoundImageStorage


def an_object(sop_class: str = CT, **attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, "1.2.3"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("ds", "reason"),
    [
        (Dataset(), Reason.MISSING_IDENTITY),
        (an_object("1.3.12.2.1107.5.9.1"), Reason.UNKNOWN_SOP_CLASS),
        (an_object("1.2.840.10008.5.1.4.1.1.9"), Reason.UNKNOWN_SOP_CLASS),  # standalone curve
        (an_object("1.2.840.10008.5.1.4.1.1.88.1"), Reason.UNKNOWN_SOP_CLASS),  # a report of the trial period
        (an_object(uid.EncapsulatedPDFStorage), Reason.ENCAPSULATED_DOCUMENT),
        (an_object(EncapsulatedDocument=b"%PDF"), Reason.ENCAPSULATED_DOCUMENT),
        (an_object(uid.BasicVoiceAudioWaveformStorage), Reason.RECORDED_SPEECH),
        (an_object(PixelData=b"", BurnedInAnnotation="YES"), Reason.BURNED_IN_ANNOTATION),
        (an_object(US, PixelData=b"", BurnedInAnnotation="YES"), Reason.BURNED_IN_ANNOTATION),
        (an_object(PixelData=b"", ConversionType="WSD"), Reason.BURNED_IN_RISK),
        (an_object(PixelData=b"", ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), Reason.BURNED_IN_RISK),
        (an_object(PixelData=b"", ImageType=["ORIGINAL", "PRIMARY", "LABEL"]), Reason.BURNED_IN_RISK),
        (an_object(PixelData=b"", RecognizableVisualFeatures="YES"), Reason.RECOGNIZABLE_FEATURES),
    ],
)
def test_sets_aside(ds: Dataset, reason: Reason) -> None:
    with pytest.raises(Quarantined) as error:
        check(ds, BASIC)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "sop_class",
    [
        US,
        uid.UltrasoundMultiFrameImageStorage,
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        uid.VLPhotographicImageStorage,
        uid.VideoEndoscopicImageStorage,
        uid.OphthalmicPhotography8BitImageStorage,
        "1.2.840.10008.5.1.4.1.1.3",  # ultrasound, retired
        "1.2.840.10008.5.1.4.1.1.6",
        "1.2.840.10008.5.1.1.29",  # printed on film
    ],
)
def test_fears_text_in_pictures_of_screens_and_cameras_unless_they_say_there_is_none(sop_class: str) -> None:
    assert list(findings(an_object(sop_class, PixelData=b""))) == [Reason.BURNED_IN_RISK]
    check(an_object(sop_class, PixelData=b"", BurnedInAnnotation="NO"), BASIC)


@pytest.mark.parametrize(
    "ds",
    [
        an_object(PixelData=b"", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]),
        an_object("1.2.840.10008.5.1.4.1.1.5", PixelData=b""),  # nuclear medicine, retired
        an_object(uid.ComprehensiveSRStorage),
        an_object(uid.RawDataStorage),  # its contents are private and go
    ],
)
def test_lets_pass(ds: Dataset) -> None:
    check(ds, BASIC)


def test_text_in_pixels_passes_where_it_is_cleaned_and_nothing_else_does() -> None:
    cleaning = Profile(name="cleaning", options=(Option.CLEAN_PIXEL_DATA,))
    check(an_object(US, PixelData=b""), cleaning)
    check(an_object(PixelData=b"", BurnedInAnnotation="YES"), cleaning)
    with pytest.raises(Quarantined):
        check(an_object(US, PixelData=b"", RecognizableVisualFeatures="YES"), cleaning)


def test_a_profile_lets_pass_what_it_accepts_and_nothing_else() -> None:
    ds = an_object(US, PixelData=b"", RecognizableVisualFeatures="YES")
    with pytest.raises(Quarantined) as error:
        check(ds, BASIC.accepting(Reason.BURNED_IN_RISK))
    assert error.value.reason == Reason.RECOGNIZABLE_FEATURES
    check(ds, BASIC.accepting(*RELEASABLE))


class _Watched(Dataset):
    """A data set that remembers which attributes were asked for."""

    def get(self, key: object, default: object = None) -> object:
        self.__dict__.setdefault("asked", set()).add(key)
        return super().get(key, default)  # type: ignore[call-overload]

    def __contains__(self, key: object) -> bool:
        self.__dict__.setdefault("asked", set()).add(key)
        return super().__contains__(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("sop_class", [CT, US, uid.SecondaryCaptureImageStorage])
def test_gates_look_at_what_describes_an_object_and_nothing_else(sop_class: str) -> None:
    ds = _Watched(an_object(sop_class, PixelData=b"", ImageType=["ORIGINAL"], Rows=1, Columns=1))
    rule = RegionRule(rows=1, columns=1, manufacturer="A", model="B", mask=((0, 0, 1, 1),))
    list(findings(ds))
    rule.fits(ds)
    asked = {key for key in ds.__dict__["asked"] if isinstance(key, str)}
    assert len(asked) > 5
    # Pixel data and the object's own UID only have to be there.
    assert {int(Tag(keyword)) for keyword in asked - {*PIXELS, "SOPInstanceUID"}} <= DESCRIBING
