"""Invented studies whose every identifying text, date, UID and pixel is known: the question to the answer key."""

from dataclasses import dataclass

import cv2
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lakeward.imaging.verification.planting import encoded, new_object

NAME, WORD, CLINIC, STATION = "Oyarzabal^Quintina", "Oyarzabal", "Zubiri Clinic", "SCANNER7"
TEXT_AREA = (slice(16, 56), slice(8, 330))
"""Rows and columns of the screen in which its text stands."""


@dataclass(frozen=True)
class Original:
    """One object of the studies: what it is called in reports, its data set, and its file."""

    name: str
    ds: Dataset
    content: bytes


def studies() -> list[Original]:
    """Two patients, three studies, of each two CT images that refer to each other and an ultrasound screen."""
    made = []
    for patient, study, day in ((1, 1, "20200110"), (1, 2, "20200302"), (2, 3, "20190805")):
        name = f"patient {patient}, study {study}"
        made += [(f"{name}, CT {image}", _ct(patient, study, image, day)) for image in (1, 2)]
        made.append((f"{name}, screen", _screen(patient, study, day)))
    return [Original(name, ds, encoded(ds)) for name, ds in made]


def _uid(*parts: int) -> str:
    return "1.2.826.0.9.77." + ".".join(map(str, parts))


def _patient(sop_class: str, patient: int, study: int, number: int, day: str) -> Dataset:
    ds = new_object(sop_class)
    ds.SOPInstanceUID, ds.SeriesInstanceUID = _uid(study, number, 3), _uid(study, number // 10, 2)
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = _uid(study, 1), _uid(study, 4)
    ds.PatientName, ds.PatientID = f"{NAME}{patient}", f"{WORD}-{patient}77"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19580312", "F", "061Y"
    ds.PatientAddress, ds.PatientTelephoneNumbers = f"{WORD} Street 1", "555-0134-77"
    ds.StudyDate, ds.SeriesDate, ds.AcquisitionDateTime = day, day, f"{day}112233"
    ds.StudyTime, ds.AccessionNumber, ds.StudyID = "112233", f"{WORD}{study}", f"{WORD}{study}"
    ds.ReferringPhysicianName, ds.OperatorsName = f"{WORD}^Refers", f"{WORD}^Operates"
    ds.InstitutionName, ds.StationName = CLINIC, STATION
    ds.StudyDescription, ds.SeriesDescription = f"CT chest for {WORD}", f"CT chest, {WORD}"
    ds.ImageComments = f"Seen by {WORD}"
    ds.Manufacturer, ds.ManufacturerModelName = "Invented Devices", "Model 7"
    ds.InstanceNumber, ds.BodyPartExamined, ds.ImageType = number, "CHEST", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.private_block(0x0009, "VENDOR", create=True).add_new(1, "LO", WORD)
    request = Dataset()
    request.RequestedProcedureID, request.RequestingPhysician = f"{WORD}{study}", f"{WORD}^Asks"
    ds.RequestAttributesSequence = Sequence([request])
    return ds


def _ct(patient: int, study: int, image: int, day: str) -> Dataset:
    ds = _patient(uid.CTImageStorage, patient, study, 10 + image, day)
    ds.Modality, ds.SliceThickness, ds.KVP, ds.PixelSpacing = "CT", "2.5", "120", ["0.7", "0.7"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 64, 64, 16, 12, 11
    ds.PixelData = np.random.default_rng(image).integers(0, 4096, (64, 64), np.uint16).tobytes()
    other = Dataset()
    other.ReferencedSOPClassUID, other.ReferencedSOPInstanceUID = uid.CTImageStorage, _uid(study, 13 - image, 3)
    ds.ReferencedImageSequence = Sequence([other])
    return ds


def _screen(patient: int, study: int, day: str) -> Dataset:
    """A gray ultrasound screen with the patient's name in its pixels."""
    ds = _patient(uid.UltrasoundImageStorage, patient, study, 21, day)
    picture = np.full((240, 340), 16, np.uint8)
    cv2.ellipse(picture, (170, 150), (120, 70), 0, 0, 360, 90, -1)
    cv2.putText(picture, f"{WORD.upper()} 12.03.1958", (10, 45), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 230, 2, cv2.LINE_AA)
    ds.Modality, ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = "US", 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 240, 340, 8, 8, 7
    ds.PixelData = picture.tobytes()
    return ds
