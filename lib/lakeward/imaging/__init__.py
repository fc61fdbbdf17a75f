"""DICOM images: reading, de-identification, enhancement, and the Spark pipeline into Delta tables."""
