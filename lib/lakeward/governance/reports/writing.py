"""Writing a report: as PDF, HTML or JSON, whichever its file's name asks for."""

import json
from enum import StrEnum
from pathlib import Path

from lakeward.governance.reports.document import Document, plain
from lakeward.workspace.errors import ConfigurationError


class Format(StrEnum):
    """What a report can be written as."""

    PDF = "pdf"
    HTML = "html"
    JSON = "json"


def format_of(path: Path) -> Format:
    """Return the format that a file's name asks for.

    Raises
    ------
    ConfigurationError
        If it asks for none of them.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in set(Format):
        raise ConfigurationError(f"{path.name} does not end with one of {', '.join(f'.{it}' for it in Format)}.")
    return Format(ending)


def write(document: Document, path: Path) -> None:
    """Write a report in the format that the file's name asks for; PDF is sealed.

    The same report gives the same bytes, but for the seal.

    Raises
    ------
    ConfigurationError
        If it asks for no known one, the file can't be written, or the certificate is of no use.
    """
    try:
        match format_of(path):
            case Format.PDF:
                from lakeward.governance.reports import pdf, sealing

                path.write_bytes(sealing.sealed(pdf.rendered(document)))
            case Format.HTML:
                from lakeward.governance.reports import html

                html.write(document, path)
            case Format.JSON:
                text = json.dumps(plain(document), ensure_ascii=False, indent=2)
                path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from None
