"""New objects made of stored ones: enhanced frames as Secondary Captures, and the window as a presentation state.

They refer to the de-identified object by its own UIDs, belong to its study, carry its stamps, and depend on nothing
else, so that the same object always gives the same ones.
"""

import uuid
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.processing import apply_modality_lut

from lakeward import __version__
from lakeward.imaging.deidentification.stamps import STAMPS
from lakeward.imaging.objects.reading import Limits, contained
from lakeward.imaging.pixels.decoding import Frame, frames
from lakeward.imaging.pixels.tiff import decode_frame
from lakeward.imaging.reasons import Reason

Derived = Literal["sc", "pr"]

_SERIES = {"sc": (1000, "Enhanced"), "pr": (2000, "Window")}
"""Added to the source's Series Number, and the Series Description."""
_PERCENTILES = (0.5, 99.5)
_CARRIED_BY_IMAGES = (
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "BodyPartExamined",
)
_OF_NOW = (
    "InstanceCreationDate",
    "InstanceCreationTime",
    "ContentDate",
    "ContentTime",
    "DateOfSecondaryCapture",
    "TimeOfSecondaryCapture",
    "ContributingEquipmentSequence",
)
_TYPE_2 = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PIXEL_GROUP = 0x7FE0


def derive(ds: FileDataset, enhanced: list[bytes], kind: Derived) -> Iterator[Dataset]:
    """Yield the objects of one kind that can be made of a stored one.

    Parameters
    ----------
    ds : pydicom.dataset.FileDataset
        The de-identified object.
    enhanced : list of bytes
        Its frames from `encode_frame`; none if it is no picture.
    kind : {'sc', 'pr'}
        ``sc``: one Secondary Capture Image for each enhanced frame. ``pr``: one Grayscale Softcopy Presentation State
        with the object's own window, or one that shows all but the outermost values; none for color.

    Raises
    ------
    Quarantined
        UNDECODABLE_PIXELS, NOT_WRITABLE.
    """
    source = _complete(ds)
    if kind == "sc":
        for index, frame in enumerate(enhanced):
            with contained(Reason.NOT_WRITABLE):
                yield _secondary_capture(source, decode_frame(frame), index, len(enhanced))
    elif enhanced and str(ds.get("PhotometricInterpretation")).startswith("MONOCHROME"):
        with contained(Reason.NOT_WRITABLE):
            window = None if _has_voi(source) else _window(ds)
            yield _presentation_state(source, window)


def _complete(ds: FileDataset) -> FileDataset:
    """Return the object without pixels, and with what all images have, if only empty (PS3.3 C.7.1.1, C.7.2.1)."""
    source = FileDataset("", Dataset({tag: ds[tag] for tag in ds.keys() if tag.group != _PIXEL_GROUP}))
    source.file_meta = ds.file_meta
    for keyword in _TYPE_2:
        if keyword not in source:
            setattr(source, keyword, "")
    return source


def _secondary_capture(source: FileDataset, frame: Frame, index: int, count: int) -> Dataset:
    from highdicom.sc import SCImage

    capture: Dataset = SCImage.from_ref_dataset(
        source,
        pixel_array=frame,
        photometric_interpretation="MONOCHROME2" if frame.ndim == 2 else "RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "P"),  # asked for; replaced below
        **_identity(source, "sc", index),
    )
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.PatientOrientation = source.get("PatientOrientation")
    capture.DerivationDescription = "Contrast-limited adaptive histogram equalization of the windowed image"
    capture.SourceImageSequence = [_reference(source, index + 1 if count > 1 else None)]
    _finish(capture, source, (*STAMPS, *_CARRIED_BY_IMAGES))
    return capture


def _presentation_state(source: FileDataset, window: tuple[float, float] | None) -> Dataset:
    from highdicom.pr import GrayscaleSoftcopyPresentationState, SoftcopyVOILUTTransformation

    state: Dataset = GrayscaleSoftcopyPresentationState(
        referenced_images=[source],
        manufacturer_model_name="Lakeward",
        software_versions=__version__,
        device_serial_number="0",
        content_label="WINDOW",
        voi_lut_transformations=window and [SoftcopyVOILUTTransformation(*window)],
        **_identity(source, "pr", 0),
    )
    _finish(state, source, STAMPS)
    state.PresentationCreationDate = source.StudyDate or "19000101"
    state.PresentationCreationTime = source.StudyTime or "000000"
    return state


def _identity(source: FileDataset, kind: Derived, index: int) -> dict[str, Any]:
    added, description = _SERIES[kind]
    return {
        "series_instance_uid": _uid(source.SeriesInstanceUID, kind),
        "series_number": added + int(source.get("SeriesNumber") or 0),
        "series_description": description,
        "sop_instance_uid": _uid(source.SOPInstanceUID, f"{kind} {index}"),
        "instance_number": int(source.get("InstanceNumber") or 0) + index + 1,
        "manufacturer": "Lakeward",
    }


def _uid(of: str, name: str) -> str:
    """Return a UID that always belongs to another one, by a UUID of version 5 (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{of} {name}').int}"


def _reference(source: FileDataset, frame: int | None) -> Dataset:
    purpose = Dataset()
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    if frame is not None:
        reference.ReferencedFrameNumber = frame
    reference.PurposeOfReferenceCodeSequence = [purpose]
    return reference


def _finish(derived: Dataset, source: FileDataset, carried: tuple[str, ...]) -> None:
    for keyword in _OF_NOW:
        derived.pop(keyword, None)
    for keyword in carried:
        if keyword in source:
            derived[keyword] = source[keyword]
    laterality = source.get("Laterality")
    if "Laterality" not in derived and (laterality or not derived.get("BodyPartExamined")):
        derived.Laterality = laterality or ""  # Type 2C, PS3.3 C.7.3.1: not of parts that are not paired


def _has_voi(source: FileDataset) -> bool:
    return any(keyword in source for keyword in ("WindowCenter", "VOILUTSequence", *_FUNCTIONAL_GROUPS))


def _window(ds: FileDataset) -> tuple[float, float]:
    """Center and width of a window on the first frame."""
    values = apply_modality_lut(next(frames(ds, Limits())), ds)
    low, high = (float(limit) for limit in np.percentile(values, _PERCENTILES))
    return round((low + high) / 2, 3), round(max(high - low, 1.0), 3)
