"""Pictures in binary columns, known by their first bytes and put into the page itself."""

from base64 import b64encode

_MAGIC = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}
_JPEG_XL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")


def picture(content: bytes) -> str | None:
    """Return an address of the picture for ``img``; None if it is none that a browser shows.

    JPEG XL, which browsers don't show, becomes a small PNG.
    """
    if content.startswith(_JPEG_XL):
        return _address("image/png", _small_png(content))
    found = next((kind for kind, starts in _MAGIC.items() if content.startswith(starts)), None)
    return found and _address(found, content)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"


def _small_png(content: bytes) -> bytes:
    import imagecodecs

    from lakeward.imaging.pixels.thumbnails import thumbnail_png

    return thumbnail_png(imagecodecs.jpegxl_decode(content))
