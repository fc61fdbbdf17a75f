"""The usual way to bring DICOM into a table, for comparison: a Python function for each row, all by pydicom.

It does what Lakeward does under the profile research, the plainest way: `Dataset.walk` with Table E.1-1, UIDs
replaced, dates moved, private elements gone; contrast enhanced; object, enhanced image (PNG), thumbnail, header as
JSON and hashes of original and object stored. It does less in this: nothing is checked and nothing refused, texts are
removed instead of cleaned, all patients' dates move alike, and what was changed is not written down. CLAHE is on 8
bits as it is at Lakeward, or on all 16 that the pixels come in, as is often seen: OpenCV then counts in 65,536 bins.
"""

import hashlib
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset
    from pyspark.sql import DataFrame

_DAYS = timedelta(days=1000)
_ROW = "dicom binary, enhanced binary, thumbnail binary, header string, source string, sha256 string"


def convert(content: bytes, bits: int) -> dict[str, Any]:
    """De-identify, enhance in 8 or 16 bits, and describe one file."""
    import cv2
    import numpy as np
    import pydicom

    ds = pydicom.dcmread(BytesIO(content))
    ds.remove_private_tags()
    ds.walk(_treat)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    pixels = ds.pixel_array.astype(np.float32)
    shown = cv2.normalize(pixels, None, 0, 2**bits - 1, cv2.NORM_MINMAX).astype(f"uint{bits}")
    enhanced = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(shown)
    small = cv2.resize(enhanced, (96, 96), interpolation=cv2.INTER_AREA)
    buffer = BytesIO()
    ds.save_as(buffer)
    dicom = buffer.getvalue()
    del ds.PixelData
    return {
        "dicom": dicom,
        "enhanced": cv2.imencode(".png", enhanced)[1].tobytes(),
        "thumbnail": cv2.imencode(".png", small)[1].tobytes(),
        "header": ds.to_json(),
        "source": hashlib.sha256(content).hexdigest(),
        "sha256": hashlib.sha256(dicom).hexdigest(),
    }


def _treat(ds: "Dataset", element: "DataElement") -> None:
    """Do what Table E.1-1 says, with dates moved."""
    from pydicom.uid import generate_uid

    from lakeward.imaging.deidentification.standard.confidentiality import lookup

    row = lookup(element.tag)
    if row is None:
        return
    if row.basic == "U":
        element.value = generate_uid(entropy_srcs=[str(element.value)])
    elif element.VR == "DA" and element.value:
        element.value = f"{datetime.strptime(element.value, '%Y%m%d') - _DAYS:%Y%m%d}"
    elif element.VR not in ("DT", "TM") and row.basic.startswith("X"):
        del ds[element.tag]
    elif element.VR in ("LO", "SH", "PN", "LT", "ST", "UT"):
        element.value = ""


def rows(files: "DataFrame", bits: int) -> "DataFrame":
    """Convert a frame from Spark's binaryFile source."""
    from pyspark.sql.functions import udf

    made = udf(lambda content: convert(content, bits), _ROW)
    return files.select("path", made("content").alias("new")).select("path", "new.*")
