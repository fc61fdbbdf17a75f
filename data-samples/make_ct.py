"""Make synthetic CT series: a phantom of ellipses with noise, under a full header of invented values.

Nothing in them comes from a person. The same arguments always give the same bytes.

Example: python data-samples/make_ct.py ct --patients 2 --slices 50
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

FAMILY = ["Alder", "Birch", "Cedar", "Fir", "Hazel", "Larch", "Maple", "Oak", "Pine", "Rowan"]


def phantom(size: int, position: float, random: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Draw one slice.

    Parameters
    ----------
    size : int
        Rows and columns.
    position : float
        Place along the body, 0 to 1.
    random : numpy.random.Generator
        For noise and shape.

    Returns
    -------
    numpy.ndarray
        12-bit values of shape (size, size); subtract 1024 for Hounsfield units.
    """
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    image = np.full((size, size), 24.0)
    swell = 0.75 + 0.15 * np.sin(np.pi * position)
    for cx, cy, a, b, value in [
        (0, 0, 0.8 * swell, 0.6 * swell, 1064),
        (-0.3, -0.05, 0.25, 0.35 * swell, 220),
        (0.3, -0.05, 0.25, 0.35 * swell, 220),
        (0, 0.38, 0.1, 0.1, 1500),
        (0.05, -0.2, 0.13, 0.13, 1180),
    ]:
        inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1
        image[inside] = value + random.normal(0, 4)
    noisy = image + random.normal(0, 12, image.shape)
    return np.clip(noisy, 0, 4095).astype(np.uint16)


def ct_slice(
    patient: int, number: int, slices: int, size: int, pixels: npt.NDArray[np.uint16] | None = None
) -> Dataset:
    """Build one CT image with about 110 elements, an invented patient's data in many of them.

    Its pixels are drawn unless they are given.
    """
    who, study = f"lakeward-synthetic-{patient}", f"lakeward-synthetic-{patient}-study"
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[study, str(number)])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    _dates(ds, number)
    _people(ds, patient, who)
    _acquisition(ds, number, slices)
    _geometry(ds, study, number, size)
    _private(ds, number)
    if pixels is None:
        pixels = phantom(size, number / max(slices, 1), np.random.default_rng([patient, number]))
    ds.add_new(0x7FE00010, "OW", pixels.tobytes())
    return ds


def _dates(ds: Dataset, number: int) -> None:
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate"):
        setattr(ds, keyword, "20240229")
    for keyword in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"):
        setattr(ds, keyword, f"10{number // 60 % 60:02d}{number % 60:02d}.500000")
    ds.TimezoneOffsetFromUTC = "+0100"


def _people(ds: Dataset, patient: int, who: str) -> None:
    family = FAMILY[patient % len(FAMILY)]
    ds.PatientName = f"{family}^Synthetic"
    ds.PatientID = who
    ds.IssuerOfPatientID = "Invented General"
    ds.PatientBirthDate = "19500417"
    ds.PatientSex = "FM"[patient % 2]
    ds.PatientAge = "073Y"
    ds.PatientSize, ds.PatientWeight = "1.70", "70"
    ds.OtherPatientIDs = [f"{who}-a", f"{who}-b"]
    ds.PatientAddress = f"{patient} Forest Road"
    ds.PatientTelephoneNumbers = "555 0100"
    ds.PatientComments = f"{family} asked for a copy"
    ds.AdditionalPatientHistory = "None known"
    ds.ReferringPhysicianName = "Willow^Referring"
    ds.PerformingPhysicianName = "Willow^Performing"
    ds.OperatorsName = "Willow^Operating"
    ds.PhysiciansOfRecord = "Willow^Recording"
    ds.InstitutionName, ds.InstitutionAddress = "Invented General", "1 Forest Road"
    ds.InstitutionalDepartmentName, ds.StationName = "Radiology", "CT1"
    ds.AccessionNumber, ds.StudyID = f"ACC{patient:06d}", str(patient)
    ds.RequestingPhysician = "Willow^Requesting"
    ds.RequestAttributesSequence = Sequence([_request(family)])


def _request(family: str) -> Dataset:
    item = Dataset()
    item.RequestedProcedureDescription = f"CT chest {family}"
    item.ScheduledProcedureStepDescription = "CT chest with contrast"
    item.RequestedProcedureID, item.ScheduledProcedureStepID = "RP1", "SPS1"
    return item


def _acquisition(ds: Dataset, number: int, slices: int) -> None:
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "Lakeward", "Synthetic Phantom"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "12345", ["1.0", "1.1"]
    ds.StudyDescription, ds.SeriesDescription = "CT Chest with contrast", "Axial 1.0 mm lung"
    ds.ProtocolName, ds.BodyPartExamined, ds.PatientPosition = "Chest routine", "CHEST", "HFS"
    ds.ScanOptions, ds.SliceThickness, ds.KVP = "HELICAL", "1.0", "120"
    ds.DataCollectionDiameter, ds.ReconstructionDiameter = "500", "360"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = "1085.6", "595"
    ds.GantryDetectorTilt, ds.TableHeight, ds.RotationDirection = "0", "150", "CW"
    ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "500", "200", "100"
    ds.FilterType, ds.GeneratorPower, ds.FocalSpots = "BODY", "24", "0.7"
    ds.ConvolutionKernel, ds.ContrastBolusAgent = "B30f", "Iodinated"
    ds.CTDIvol, ds.SpiralPitchFactor, ds.SingleCollimationWidth = 7.5, 1.2, 0.6
    ds.TotalCollimationWidth, ds.TableSpeed, ds.TableFeedPerRotation = 38.4, 46.0, 23.0
    ds.ImagesInAcquisition = str(slices)
    ds.AcquisitionNumber, ds.SeriesNumber, ds.InstanceNumber = "1", "2", str(number + 1)


def _geometry(ds: Dataset, study: str, number: int, size: int) -> None:
    ds.StudyInstanceUID = generate_uid(entropy_srcs=[study])
    ds.SeriesInstanceUID = generate_uid(entropy_srcs=[study, "series"])
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[study, "frame"])
    ds.PositionReferenceIndicator = ""
    ds.ImagePositionPatient = ["-180", "-180", str(-float(number))]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.SliceLocation = str(-float(number))
    ds.PixelSpacing = [f"{360 / size:.6f}"] * 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = ["40", "-600"], ["400", "1500"]
    ds.WindowCenterWidthExplanation = ["SOFT", "LUNG"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.LossyImageCompression, ds.BurnedInAnnotation = "00", "NO"
    referenced = Dataset()
    referenced.ReferencedSOPClassUID = CTImageStorage
    referenced.ReferencedSOPInstanceUID = generate_uid(entropy_srcs=[study, "scout"])
    ds.ReferencedImageSequence = Sequence([referenced])


def _private(ds: Dataset, number: int) -> None:
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x23, "DS", "23.0")
    block.add_new(0x24, "DS", f"{number * 0.1:.1f}")
    block = ds.private_block(0x0029, "LAKEWARD SYNTHETIC", create=True)
    for element in range(16):
        block.add_new(element, "LO", f"private text {element}")


def main() -> None:
    """Write series into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=1)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--size", type=int, default=512)
    given = parser.parse_args()
    for patient in range(given.patients):
        folder = given.folder / f"patient-{patient}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(given.slices):
            ds = ct_slice(patient, number, given.slices, given.size)
            ds.save_as(folder / f"slice-{number:04d}.dcm", enforce_file_format=True)


if __name__ == "__main__":
    main()
