"""De-identification of headers by DICOM PS3.15 Annex E."""
