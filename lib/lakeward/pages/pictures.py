"""Pictures in binary columns, known by their first bytes and put into the page itself."""

from base64 import b64encode
from collections.abc import Mapping

_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}
_DECODERS = {
    "tiff_decode": (b"II*\0", b"MM\0*"),
    "jpegxl_decode": (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n"),
}
"""Of imagecodecs, for pictures that no browser shows."""


def picture(content: bytes) -> str | None:
    """Return an address of the picture for ``img``; None if it is none, or damaged.

    TIFF and JPEG XL, which browsers don't show, become small PNGs.
    """
    if found := _named(_MAGIC, content):
        return _address(found, content)
    if decoder := _named(_DECODERS, content):
        small = _small_png(decoder, content)
        return _address("image/png", small) if small else None
    return None


def _named(kinds: Mapping[str, tuple[bytes, ...]], content: bytes) -> str | None:
    return next((kind for kind, starts in kinds.items() if content.startswith(starts)), None)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _small_png(decoder: str, content: bytes) -> bytes | None:
    import imagecodecs

    from lakeward.imaging.pixels.thumbnails import thumbnail_png

    try:
        return thumbnail_png(getattr(imagecodecs, decoder)(content))
    except (RuntimeError, ValueError, TypeError, LookupError):  # what the codecs raise, and what has not 8 bits
        return None
