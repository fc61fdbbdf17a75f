"""What is hidden is found, however it is spelled, encoded or packed; and nothing else is."""

import base64
import gzip
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom.data import get_testdata_file

from lakeward.imaging.verification.search import Needles

WORD = "QXABCDZJ"
TEXT = f"see Dr. {WORD}, he knows".encode()


def zipped(content: bytes) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", content)
    return buffer.getvalue()


def parquet(value: object) -> bytes:
    buffer = BytesIO()
    pq.write_table(pa.table({"c": [value, None, value]}), buffer, compression="zstd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(TEXT, TEXT.upper(), TEXT.lower(), WORD.title().encode()),
        *(TEXT.decode().encode(codec) for codec in ("utf-16", "utf-16-le", "utf-16-be")),
        *(base64.b64encode(b"x" * before + TEXT) for before in range(3)),
        *(TEXT.hex().encode(), TEXT.hex().upper().encode()),
        *(
            zlib.compress(TEXT),
            b"PDF stream\n" + zlib.compress(TEXT) + b"\nend",
            gzip.compress(TEXT, mtime=0),
            zipped(TEXT),
        ),
        zipped(gzip.compress(TEXT, mtime=0)),
        *(parquet(TEXT.decode()), parquet(zlib.compress(TEXT)), parquet([TEXT, TEXT])),
        b"\0" * (1 << 22) + TEXT,
    ],
)
def test_a_text_is_found_in_every_guise(content: bytes) -> None:
    assert Needles([WORD]).found(content) == {WORD}
    assert Needles(["QXABCEZJ"]).found(content) == set()


def test_a_text_is_found_in_a_deflated_object() -> None:
    content = Path(str(get_testdata_file("image_dfl.dcm"))).read_bytes()
    assert b"^^^^" not in content
    assert Needles(["1.3.6.1.4.1.5962.1.1.0.0.0.977067309.6001.0"]).found(content)


@pytest.mark.parametrize("codec", ["utf-8", "iso2022_jp", "shift_jis", "gb18030"])
def test_names_in_other_scripts_are_found(codec: str) -> None:
    assert Needles(["山田^太郎", "Müller^Jürgen"]).found("PN 山田^太郎 ".encode(codec)) == {"山田^太郎"}


def test_a_short_text_counts_where_it_stands_alone() -> None:
    needles = Needles(["12345", "20200315", "Maria"])
    assert needles.found(b"x 12345, 20200315 maria_") == {"12345", "20200315", "Maria"}
    assert needles.found(b"0.12345 123456 120200315 2.25.20200315 Mariana") == set()


def test_what_is_too_short_is_not_looked_for() -> None:
    assert Needles(["1CT1", "Doe^J"]).searched == {"Doe^J"}
