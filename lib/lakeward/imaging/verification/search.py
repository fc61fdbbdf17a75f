"""Looking for texts in bytes, however they are spelled, encoded or packed."""

import base64
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakeward.workspace.column_types import leaves

SHORTEST = 5
"""Fewest bytes that are looked for: four alone come by chance in every few gigabytes of pixels."""

_CERTAIN = 8
_CHUNK = 1 << 22
_MOST_INFLATED = 1 << 26
_FED = 1 << 12
_WINDOW = 4
_TABLE_BITS = 22
_UNICODE = ("utf-8", "utf-16-le", "utf-16-be")
# PS3.3 C.12.1.1.2: what Specific Character Set names.
_NATIONAL = ("iso2022_jp_2", "iso2022_kr", "shift_jis", "euc_kr", "gb18030", "tis_620", "koi8_r")
_LATIN = tuple(f"iso8859_{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9))
_ESCAPES = re.compile(rb"\x1b(?:\$[()]?|[()\-.])[A-Z]")  # ISO 2022, PS3.3 Tables C.12-3 and C.12-4
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_DEFLATED_DICOM = b"1.2.840.10008.1.2.1.99"
_WORD_BYTES = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NUMBER_BYTES = _WORD_BYTES | frozenset(b".-")


class Needles:
    """Texts to look for, all in one pass.

    Each is looked for in lower, upper and title case, in the encodings that DICOM knows, as hexadecimal digits and as
    base64. A form of fewer than eight bytes, or sixteen digits, counts only where it stands alone: no letter or digit
    before or after it, and of a number no point or minus either.

    Parameters
    ----------
    texts : iterable of str
        What to look for; what has fewer than `SHORTEST` bytes is left out, see `searched`.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.searched = frozenset(text for text in texts if len(text.encode("utf-8", "replace")) >= SHORTEST)

    @cached_property
    def _by_tail(self) -> dict[bytes, list[tuple[bytes, str]]]:
        found: dict[bytes, list[tuple[bytes, str]]] = {}
        for text in self.searched:
            for form in _forms(text):
                found.setdefault(form[-_WINDOW:], []).append((form, text))
        return found

    @cached_property
    def _table(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
        tails = np.frombuffer(b"".join(self._by_tail), dtype="<u4")
        table[_hash(tails)] = True
        return table

    def found(self, content: bytes) -> set[str]:
        """Return those of the texts that are in some bytes, or in anything packed in them."""
        return {text for layer in layers(content) for plain in _plain(layer) for text in self._in_layer(plain)}

    def _in_layer(self, content: bytes) -> Iterator[str]:
        if not self.searched:
            return
        for start in range(0, max(1, len(content) - _WINDOW + 1), _CHUNK):
            part = np.frombuffer(content, np.uint8, min(_CHUNK + _WINDOW - 1, len(content) - start), start)
            for at in np.flatnonzero(self._table[_hash(_windows(part))]).tolist():
                end = start + at + _WINDOW
                for form, text in self._by_tail.get(content[end - _WINDOW : end], ()):
                    if content.endswith(form, 0, end) and _stands(content, end - len(form), end, form):
                        yield text


def _hash(windows: "np.ndarray[tuple[int], np.dtype[np.uint32]]") -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    return (windows * np.uint32(2654435761)) >> np.uint32(32 - _TABLE_BITS)  # Knuth's multiplicative hash


def _windows(data: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    """Every four bytes in a row as one number."""
    count = max(0, data.size - _WINDOW + 1)
    wide = data.astype(np.uint32)
    windows = np.zeros(count, np.uint32)
    for place in range(_WINDOW):
        windows |= wide[place : place + count] << np.uint32(8 * place)
    return windows


def _stands(content: bytes, start: int, end: int, form: bytes) -> bool:
    if len(form) >= (2 * _CERTAIN if form.isdigit() else _CERTAIN):
        return True
    joined = _NUMBER_BYTES if form.isdigit() else _WORD_BYTES
    before, after = content[start - 1 : start], content[end : end + 2]
    # A letter before a control character is half of a tag or of a length.
    return not (before and before[0] in joined) and not (after and after[0] in joined and after[1:] >= b" ")


def _plain(content: bytes) -> Iterator[bytes]:
    yield content
    if _ESCAPES.search(content):
        yield _ESCAPES.sub(b"", content)


def _forms(text: str) -> set[bytes]:
    spellings = {text, text.lower(), text.upper(), text.title()}
    encoded = {form for spelling in spellings for form in _encoded(spelling)}
    packed = {form for spelling in spellings for form in _as_text(spelling.encode("utf-8", "replace"))}
    return {form for form in encoded | packed if len(form) >= SHORTEST}


def _encoded(text: str) -> Iterator[bytes]:
    codecs = _UNICODE if text.isascii() else (*_UNICODE, *_NATIONAL, *_LATIN)
    for codec in codecs:
        try:
            encoded = text.encode(codec)
        except UnicodeEncodeError:
            continue
        yield _ESCAPES.sub(b"", encoded)
    if not text.isascii():
        yield text.encode("ascii", "backslashreplace")  # as in JSON


def _as_text(data: bytes) -> Iterator[bytes]:
    yield data.hex().encode()
    yield data.hex().upper().encode()
    for before in range(3):  # base64 takes three bytes at a time, wherever in them a text begins
        whole = base64.b64encode(b"\0" * before + data)
        form = whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(form) >= _CERTAIN:
            yield form


def layers(content: bytes, depth: int = 3) -> Iterator[bytes]:
    """Yield bytes, and whatever can be unpacked from them: deflate, gzip, ZIP, deflated DICOM, columns of Parquet."""
    yield content
    if depth:
        for unpacked in _unpacked(content):
            yield from layers(unpacked, depth - 1)


def _unpacked(content: bytes) -> Iterator[bytes]:
    if is_parquet(content):
        yield from (value for _, value in columns(content))
    if b"PK\x03\x04" in content:
        yield from _archived(content[content.index(b"PK\x03\x04") :])
    if content[128:132] == b"DICM" and _DEFLATED_DICOM in content[:512]:
        yield from _inflated(content, 144 + int.from_bytes(content[140:144], "little"), -zlib.MAX_WBITS)
    for match in _PACKED.finditer(content):
        yield from _inflated(content, match.start(), zlib.MAX_WBITS | 32)


def _inflated(content: bytes, start: int, wbits: int) -> Iterator[bytes]:
    inflater, inflated = zlib.decompressobj(wbits), bytearray()
    try:
        for at in range(start, len(content), _FED):  # in small parts: most beginnings are none
            inflated += inflater.decompress(content[at : at + _FED], _MOST_INFLATED)
            if inflater.eof or len(inflated) >= _MOST_INFLATED:
                break
    except zlib.error:
        if len(inflated) < _FED:
            return
    if len(inflated) >= SHORTEST:
        yield bytes(inflated)


def _archived(content: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield member.read(_MOST_INFLATED)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, gzip.BadGzipFile):
        return


def is_parquet(content: bytes) -> bool:
    """Whether bytes are a whole Parquet file; a writer that was killed leaves half ones."""
    return content.startswith(b"PAR1") and content.endswith(b"PAR1")


def columns(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every value of every column of a Parquet file by the column's name, and what its statistics say."""
    file = pq.ParquetFile(BytesIO(content))
    yield "statistics", str(file.metadata.to_dict()).encode()
    for batch in file.iter_batches(batch_size=64):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            yield from ((name, value) for value in _values(column))


def _values(column: pa.Array) -> Iterator[bytes]:
    for values in leaves(column):
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            yield from (value for value in values.to_pylist() if value)
        else:
            yield "\n".join(str(value) for value in values.to_pylist() if value is not None).encode("utf-8", "replace")
