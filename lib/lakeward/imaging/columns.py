"""Which attributes have a column of their own in ``imaging.images``.

Kept apart from what reads them: listing the tables must not load pydicom.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class HeaderColumn:
    """A column that is filled from one attribute.

    Attributes
    ----------
    name, type, comment : str
        Of the column, the type as in Spark SQL.
    keyword : str
        The attribute's keyword.
    index : int
        Which of its values.
    """

    name: str
    type: str
    comment: str
    keyword: str
    index: int = 0


COLUMNS = (
    HeaderColumn("sop_instance_uid", "STRING", "Pseudonym of the SOP Instance UID", "SOPInstanceUID"),
    HeaderColumn("series_instance_uid", "STRING", "Pseudonym of the Series Instance UID", "SeriesInstanceUID"),
    HeaderColumn("study_instance_uid", "STRING", "Pseudonym of the Study Instance UID", "StudyInstanceUID"),
    HeaderColumn("frame_of_reference_uid", "STRING", "Pseudonym of the Frame of Reference UID", "FrameOfReferenceUID"),
    HeaderColumn("sop_class_uid", "STRING", "SOP Class UID", "SOPClassUID"),
    HeaderColumn("modality", "STRING", "Modality, as CT or MR", "Modality"),
    HeaderColumn("manufacturer", "STRING", "Manufacturer of the device", "Manufacturer"),
    HeaderColumn("manufacturer_model_name", "STRING", "Model of the device", "ManufacturerModelName"),
    HeaderColumn("body_part_examined", "STRING", "Body part, as the device wrote it", "BodyPartExamined"),
    HeaderColumn("laterality", "STRING", "Laterality of a paired body part, L or R", "Laterality"),
    HeaderColumn("study_date", "DATE", "Study Date, moved or as it was as the profile says", "StudyDate"),
    HeaderColumn("acquisition_date", "DATE", "Acquisition Date, like the Study Date", "AcquisitionDate"),
    HeaderColumn("study_description", "STRING", "Study Description, cleaned", "StudyDescription"),
    HeaderColumn("series_description", "STRING", "Series Description, cleaned", "SeriesDescription"),
    HeaderColumn("protocol_name", "STRING", "Protocol Name, cleaned", "ProtocolName"),
    HeaderColumn("patient_sex", "STRING", "Patient's Sex, where the profile keeps it", "PatientSex"),
    HeaderColumn("image_type", "STRING", "First value of Image Type: ORIGINAL or DERIVED", "ImageType"),
    HeaderColumn("series_number", "INT", "Series Number", "SeriesNumber"),
    HeaderColumn("instance_number", "INT", "Instance Number", "InstanceNumber"),
    HeaderColumn("rows", "INT", "Rows of pixels in a frame", "Rows"),
    HeaderColumn("columns", "INT", "Columns of pixels in a frame", "Columns"),
    HeaderColumn("samples_per_pixel", "INT", "1 for gray or palette, 3 for color", "SamplesPerPixel"),
    HeaderColumn("bits_stored", "INT", "Bits Stored for each sample", "BitsStored"),
    HeaderColumn("photometric_interpretation", "STRING", "What sample values mean", "PhotometricInterpretation"),
    HeaderColumn("pixel_spacing_row_mm", "DOUBLE", "Distance between rows, mm", "PixelSpacing"),
    HeaderColumn("pixel_spacing_column_mm", "DOUBLE", "Distance between columns, mm", "PixelSpacing", 1),
    HeaderColumn("slice_thickness_mm", "DOUBLE", "Slice Thickness, mm", "SliceThickness"),
    HeaderColumn("slice_location_mm", "DOUBLE", "Slice Location, mm", "SliceLocation"),
    HeaderColumn("kvp_kv", "DOUBLE", "Peak tube voltage, kV", "KVP"),
    HeaderColumn("repetition_time_ms", "DOUBLE", "Repetition Time, ms", "RepetitionTime"),
    HeaderColumn("echo_time_ms", "DOUBLE", "Echo Time, ms", "EchoTime"),
    HeaderColumn("magnetic_field_strength_t", "DOUBLE", "Magnetic Field Strength, T", "MagneticFieldStrength"),
    HeaderColumn("burned_in_annotation", "STRING", "Burned In Annotation; NO where cleaned", "BurnedInAnnotation"),
)
