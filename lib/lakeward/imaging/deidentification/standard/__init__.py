"""The Standard's own de-identification tables (DICOM PS3.15 Annex E) as data, with their editions named."""

from lakeward.imaging.deidentification.standard.concepts import concepts
from lakeward.imaging.deidentification.standard.confidentiality import (
    EDITION,
    BasicAction,
    OptionAction,
    Row,
    confidentiality_table,
    lookup,
)
from lakeward.imaging.deidentification.standard.options import BASIC_PROFILE, Option
from lakeward.imaging.deidentification.standard.safe_private import SAFE_PRIVATE_EDITION, SafePrivate, safe_private

__all__ = [
    "BASIC_PROFILE",
    "EDITION",
    "SAFE_PRIVATE_EDITION",
    "BasicAction",
    "Option",
    "OptionAction",
    "Row",
    "SafePrivate",
    "concepts",
    "confidentiality_table",
    "lookup",
    "safe_private",
]
