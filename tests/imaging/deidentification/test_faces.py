"""An object may show a face unless it is clearly of another region."""

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from lakeward.imaging.deidentification.faces import may_show_one
from lakeward.imaging.deidentification.gates import check
from lakeward.imaging.deidentification.profile import Profile
from lakeward.imaging.deidentification.standard import Option
from lakeward.imaging.reasons import Quarantined, Reason

CT, MR, PET, US = uid.CTImageStorage, uid.MRImageStorage, uid.PositronEmissionTomographyImageStorage, "US"
CLEANING = Profile(name="faces", options=(Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES,))


def an_image(sop_class: str = CT, region: str | None = None, **attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.PixelData = sop_class, "1.2.3", b""
    if region is not None:
        ds.AnatomicRegionSequence = [Dataset()]
        ds.AnatomicRegionSequence[0].CodeMeaning = region
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def in_functional_groups(meaning: str) -> Dataset:
    anatomy = an_image(region=meaning)
    del anatomy.PixelData
    groups = Dataset()
    groups.FrameAnatomySequence = [anatomy]
    ds = an_image(uid.EnhancedMRImageStorage)
    ds.SharedFunctionalGroupsSequence = [groups]
    return ds


@pytest.mark.parametrize(
    "ds",
    [
        an_image(),  # it says nothing
        an_image(BodyPartExamined=""),
        an_image(BodyPartExamined="HEAD"),
        an_image(BodyPartExamined="HEADNECK"),
        an_image(BodyPartExamined="WHOLEBODY"),
        an_image(BodyPartExamined="CSPINE"),
        an_image(BodyPartExamined="OTHER", StudyDescription="CT chest"),  # a code that is not understood
        an_image(BodyPartExamined="CHEST", SeriesDescription="Carotids"),
        an_image(MR, region="Brain"),
        an_image(MR, region="Neck, chest and abdomen"),
        in_functional_groups("Face"),
        an_image(MR, StudyDescription="Schädel nativ", SeriesDescription="t1 sag"),
        an_image(MR, StudyDescription="T\u00eate et thorax"),
        an_image(PET, SeriesDescription="PET WB", StudyDescription="chest"),
        an_image(PET, StudyDescription="Skull base to thigh"),
        an_image(CT, ProtocolName="5.1 HeadRoutine (Adult)"),
        an_image(uid.XRay3DCraniofacialImageStorage),
        an_image(uid.SegmentationStorage),
        an_image(uid.SecondaryCaptureImageStorage),
        an_image(uid.VLPhotographicImageStorage),
        an_image(uid.ComputedRadiographyImageStorage, BodyPartExamined="SKULL"),
    ],
)
def test_may_show_a_face(ds: Dataset) -> None:
    assert may_show_one(ds)


@pytest.mark.parametrize(
    "ds",
    [
        an_image(BodyPartExamined="CHEST"),
        an_image(BodyPartExamined="LSPINE"),
        an_image(BodyPartExamined="KNEE ", StudyDescription="Trauma"),
        an_image(MR, region="Heart"),
        in_functional_groups("Prostate"),
        an_image(StudyDescription="CT Thorax/Abdomen"),
        an_image(SeriesDescription="Coronary CTA", StudyDescription="forearm, heart"),  # ear is no word here
        an_image(CT, BodyPartExamined="HEAD", RecognizableVisualFeatures="NO"),  # somebody took care
        an_image(uid.ComputedRadiographyImageStorage),
        an_image(uid.UltrasoundImageStorage),
        an_image(uid.DigitalMammographyXRayImageStorageForPresentation),
        an_image(uid.VLWholeSlideMicroscopyImageStorage, StudyDescription="Brain biopsy"),
        an_image(uid.RTDoseStorage, StudyDescription="RT brain"),
        an_image(uid.BreastTomosynthesisImageStorage),
    ],
)
def test_shows_none(ds: Dataset) -> None:
    assert not may_show_one(ds)


def test_outlines_count_as_volumes_and_texts_do_not() -> None:
    structures, report = an_image(uid.RTStructureSetStorage), an_image(uid.ComprehensiveSRStorage)
    del structures.PixelData, report.PixelData
    report.StudyDescription = "CT head"
    assert may_show_one(structures)
    assert not may_show_one(report)


def test_with_the_option_such_objects_are_set_aside_and_a_person_may_release_them() -> None:
    head = an_image(BodyPartExamined="HEAD")
    check(head, Profile(name="basic"))
    with pytest.raises(Quarantined) as refusal:
        check(head, CLEANING)
    assert refusal.value.reason == Reason.RECOGNIZABLE_FEATURES
    check(head, CLEANING.accepting(Reason.RECOGNIZABLE_FEATURES))
    check(an_image(BodyPartExamined="CHEST"), CLEANING)
