"""What a person may say of an image; apart from what acts on it, which takes long to import."""

from enum import StrEnum


class Verdict(StrEnum):
    """What a person saw in an image."""

    CLEAN = "clean"
    TEXT = "text"
    FACE = "face"
    OTHER = "other"
