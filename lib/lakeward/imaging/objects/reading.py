"""Reading DICOM objects from anywhere: whole and in bounds, or set aside with a reason.

`read_object` hands back a data set only if everything in the file is in it. What is truncated, contradicts itself, or
costs more than the limits allow, is a `Quarantined` whose text holds nothing from the file.
"""

import logging
import signal
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from struct import pack
from types import FrameType

from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)
from pydicom.valuerep import VR

from lakeward.imaging.objects.completeness import check_complete
from lakeward.imaging.objects.structure import ITEM, SEQUENCE_MARK, UNDEFINED_LENGTH, Walk, looks_explicit
from lakeward.imaging.reasons import Quarantined, Reason

_MIB = 1024**2
_PREAMBLE = 128
_FIRST_GROUPS = (b"\x02\x00", b"\x04\x00", b"\x08\x00", b"\x00\x08")
_NOT_A_FILE_SYNTAX = ("JPIP", "RFC 2557", "XML", "SMPTE", "Papyrus")
_RUST_PANIC_MODULE = "pyo3_runtime"  # a panic in a decoder written in Rust (pylibjpeg-rle) isn't an Exception
_LOGGERS = [
    logging.getLogger(name)
    for name in ("pydicom", "pydicom.pixels.utils", "pydicom.pixels.decoders.base", "pydicom.pixels.encoders.base")
]


@dataclass(frozen=True)
class Limits:
    """Bounds on what one object may cost.

    Attributes
    ----------
    max_bytes : int
        Size of the file.
    max_inflated_bytes : int
        Size of a deflated data set once inflated.
    max_depth : int
        Sequences within sequences.
    max_elements : int
        Data elements, items and fragments together.
    max_frame_bytes, max_pixel_bytes : int
        Size of one frame, and of all, once decoded. Decoding takes up to seven times a frame's size at a time.
    small_pixel_bytes, max_ratio : int
        Size of all frames once decoded that any image may have, a few seconds' work; a larger one, frames under 64 KiB
        counted as 64 KiB, is at most so many times as large as it is stored. 200 is a little more than what JPEG with
        its usual tables (ISO/IEC 10918-1 K.3) makes of one flat color; only blank images exceed it.
    """

    max_bytes: int = 1024 * _MIB
    max_inflated_bytes: int = 256 * _MIB
    max_depth: int = 24
    max_elements: int = 200_000
    max_frame_bytes: int = 96 * _MIB
    max_pixel_bytes: int = 16 * 1024 * _MIB
    small_pixel_bytes: int = 256 * _MIB
    max_ratio: int = 200


@dataclass(frozen=True)
class _Encoding:
    implicit: bool
    little: bool
    syntax: UID


def read_object(source: bytes | Path, limits: Limits | None = None) -> FileDataset:
    """Read one DICOM object completely.

    The data set keeps the transfer syntax that the file declares, or gets the one that was found. Zeros after the end
    of the data set, and zeros after the last pixel, are left out. Values are converted when they are looked at, as
    always in pydicom: do that inside `contained`.

    Parameters
    ----------
    source : bytes or Path
        The file's content, or where it is. A file over `limits.max_bytes` isn't opened.
    limits : Limits, optional
        The defaults fit genuine objects up to 1 GiB.

    Returns
    -------
    pydicom.dataset.FileDataset
        With `file_meta`, also where the file has none.

    Raises
    ------
    Quarantined
        Whatever is wrong with the object; never anything else.
    OSError
        If the file can't be read at all.
    """
    limits = limits or Limits()
    data = _load(source, limits)
    with contained(Reason.UNREADABLE):
        return _read(data, limits)


def read_elements(data: bytes, limits: Limits) -> tuple[Dataset, int]:
    """Read some elements of an Explicit VR Little Endian data set, with the same strictness.

    Returns
    -------
    tuple of pydicom.Dataset and int
        The elements, and how many there are with all that they hold.

    Raises
    ------
    Quarantined
        As `read_object`.
    """
    with contained(Reason.UNREADABLE):
        walk = Walk(data, True, limits.max_depth, limits.max_elements)
        end = walk.data_set(0, len(data), implicit=False)
        ds = read_dataset(BytesIO(data), False, True, bytelength=end)
        _compare(ds, walk)
        return ds, len(walk.tags)


def _load(source: bytes | Path, limits: Limits) -> bytes:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > limits.max_bytes:
        raise Quarantined(Reason.TOO_LARGE, f"more than {limits.max_bytes} bytes")
    return source if isinstance(source, bytes) else source.read_bytes()


def _read(data: bytes, limits: Limits) -> FileDataset:
    start = _PREAMBLE + 4 if data[_PREAMBLE : _PREAMBLE + 4] == b"DICM" else 0
    if not start and data[:2] not in _FIRST_GROUPS:
        raise Quarantined(Reason.NOT_DICOM)
    meta_walk = Walk(data, True, limits.max_depth, limits.max_elements)
    body_start = meta_walk.meta(start)
    head = dcmread(BytesIO(data[:body_start]), force=True)
    _compare(head.file_meta, meta_walk)
    _refuse_directory(head)
    declared = _declared_syntax(head.file_meta)
    if declared == DeflatedExplicitVRLittleEndian:
        data, body_start = _inflate(data, body_start, limits.max_inflated_bytes), 0
    if body_start >= len(data):
        raise Quarantined(Reason.TRUNCATED, "no data set")
    encoding = _encoding(data, body_start, declared)
    walk = Walk(data, encoding.little, limits.max_depth, limits.max_elements)
    end = walk.data_set(body_start, len(data), encoding.implicit)
    ds = _parse(data, body_start, end, encoding, head)
    _compare(ds, walk)
    _refuse_directory(ds)
    check_complete(ds, walk.fragments)
    return ds


def _declared_syntax(meta: FileMetaDataset) -> UID | None:
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        return None
    if not isinstance(syntax, UID) or not syntax.is_transfer_syntax or syntax.name.startswith(_NOT_A_FILE_SYNTAX):
        raise Quarantined(Reason.UNSUPPORTED_TRANSFER_SYNTAX)
    return syntax


def _inflate(data: bytes, start: int, limit: int) -> bytes:
    """Inflate no further than `limit` (PS3.5 A.5)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(memoryview(data)[start:], limit)
    if inflater.unconsumed_tail:
        raise Quarantined(Reason.INFLATE_LIMIT, f"more than {limit} bytes")
    if not inflater.eof:
        raise Quarantined(Reason.TRUNCATED, "the deflated data set has no end")
    gzip_trailer = pack("<LL", zlib.crc32(inflated), len(inflated))  # some writers leave it there
    if inflater.unused_data.removeprefix(gzip_trailer).strip(b"\0"):
        raise Quarantined(Reason.UNREADABLE, "something follows the deflated data set")
    return inflated


def _encoding(data: bytes, start: int, declared: UID | None) -> _Encoding:
    """Find VR and byte order, declared or not; writers do declare explicit VRs and leave them out, and vice versa."""
    explicit = looks_explicit(data[start + 4 : start + 6])
    if declared is None:
        big = data[start : start + 1] == b"\0"
        declared = ExplicitVRBigEndian if big else ExplicitVRLittleEndian if explicit else ImplicitVRLittleEndian
    return _Encoding(not explicit, declared != ExplicitVRBigEndian, declared)


def _parse(data: bytes, start: int, end: int, encoding: _Encoding, head: FileDataset) -> FileDataset:
    stream = BytesIO(data)
    stream.seek(start)
    body = read_dataset(stream, encoding.implicit, encoding.little, bytelength=end - start)
    ds = FileDataset(BytesIO(), body, head.preamble, head.file_meta, encoding.implicit, encoding.little)
    ds.set_original_encoding(encoding.implicit, encoding.little, body.original_character_set)
    ds.buffer = None
    ds.file_meta.TransferSyntaxUID = encoding.syntax
    return ds


def _compare(ds: Dataset, walk: Walk) -> None:
    """Two readers, one answer: what pydicom returned must be what the walk met, element by element, values whole."""
    met = iter(walk.tags)
    if not _matches(ds, met) or next(met, None) is not None:
        raise Quarantined(Reason.UNREADABLE, "its structure can be read in two ways")


def _matches(ds: Dataset, met: Iterator[int]) -> bool:
    for tag in ds.keys():  # in the file's order; iterating the data set itself sorts and converts
        mark = next(met, 0)
        if mark == tag + SEQUENCE_MARK:
            element = ds[tag]
            if element.VR != VR.SQ or not all(next(met, 0) == ITEM and _matches(item, met) for item in element.value):
                return False
        elif mark != tag or not _is_whole(ds.get_item(tag, keep_deferred=True)):
            return False
    return True


def _is_whole(element: RawDataElement | DataElement | None) -> bool:
    if isinstance(element, RawDataElement):
        return element.length in (len(element.value or b""), UNDEFINED_LENGTH)
    return element is not None and element.VR != VR.SQ


def _refuse_directory(ds: FileDataset) -> None:
    classes = (ds.file_meta.get("MediaStorageSOPClassUID"), ds.get("SOPClassUID"))
    if MediaStorageDirectoryStorage in classes or "DirectoryRecordSequence" in ds:
        raise Quarantined(Reason.MEDIA_DIRECTORY)


@contextmanager
def contained(reason: Reason) -> Iterator[None]:
    """Keep what pydicom and its decoders say about an object to themselves: their texts quote values.

    Inside, their warnings and log messages are dropped, and any exception of theirs leaves as `Quarantined` with
    `reason` and no text. Warning filters are the whole process's, so not for several threads at once.
    """
    with silenced():
        try:
            yield
        except Quarantined:
            raise
        except Exception:
            raise Quarantined(reason) from None
        except BaseException as failure:
            if type(failure).__module__ != _RUST_PANIC_MODULE:
                raise
            raise Quarantined(reason) from None


@contextmanager
def silenced() -> Iterator[None]:
    """Drop pydicom's warnings and log messages inside; `contained` does so too."""
    before = [logger.disabled for logger in _LOGGERS]
    if all(before):  # as inside another such block
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in _LOGGERS:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, disabled in zip(_LOGGERS, before, strict=True):
                logger.disabled = disabled


class _Alarm(BaseException):
    """Not an `Exception`, so that no library's `except Exception` swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Set an object aside that takes longer than `seconds` of this process's processor time.

    Not of the clock on the wall: on a busy machine that sets good images aside, and others in every run. Nothing in
    here waits, as the content is read before.

    Works in the main thread, where Spark's Python workers and the command line run their work. Elsewhere, and inside
    one call into C (a decoder's single frame), Python can't be interrupted: there the limits on size hold alone.
    There is one timer in a process, so a limit can't be put inside another.

    Raises
    ------
    Quarantined
        With `Reason.TIMEOUT`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(signum: int, frame: FrameType | None) -> None:
        raise _Alarm

    previous = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except _Alarm:
        raise Quarantined(Reason.TIMEOUT, f"more than {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
