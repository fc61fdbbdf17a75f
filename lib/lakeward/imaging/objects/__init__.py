"""DICOM objects as files: reading them in bounds, describing them, writing them."""
