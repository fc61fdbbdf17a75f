"""What a file must be to be evidence of a kind, as the policy says; a form is no proof, but an empty one is found."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_END = re.compile(rb"startxref\s+(\d{1,15})\s+%%EOF")
_TABLE = re.compile(rb"xref\s|\d+\s+\d+\s+obj\b")
_NEAR = 1024
"""Bytes at the end of a PDF among which its last lines are."""


class Form(BaseModel):
    """The form of a file.

    Attributes
    ----------
    type : str
        ``pdf``, or ``json``: an object, or a list of objects.
    names : tuple of str
        What each of the objects must say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["pdf", "json"]
    names: tuple[Annotated[str, Field(min_length=1)], ...] = ()

    @model_validator(mode="after")
    def _names_are_of_json(self) -> "Form":
        if bool(self.names) is not (self.type == "json"):
            raise ValueError("a form of type json has names, and one of type pdf has none")
        return self

    def fault(self, file: Path) -> str:
        """Tell why a file is not of this form, and what would be; empty if it is. Nothing of what is in it is told."""
        if self.type == "pdf":
            return "" if _is_pdf(file) else "it is no whole PDF; write it as one"
        try:
            told = json.loads(file.read_bytes(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            told = None
        found = told if isinstance(told, list) else [told]
        if not found or not all(isinstance(entry, dict) for entry in found):
            return f"it is no JSON of objects; each must say {', '.join(self.names)}"
        lacks = [(number, self._missing(entry)) for number, entry in enumerate(found, 1)]
        number, missing = next(((number, names) for number, names in lacks if names), (0, []))
        return f"its object {number} of {len(found)} does not say {', '.join(missing)}; add that" if missing else ""

    def _missing(self, entry: dict[str, Any]) -> list[str]:
        return [name for name in self.names if _is_empty(entry.get(name))]


def _refuse(constant: str) -> None:
    """Python reads NaN and Infinity, which JSON has not (RFC 8259, 6), and no figure is."""
    raise ValueError(constant)


def _is_empty(value: Any) -> bool:
    """Whether there is nothing in a value of JSON, however deep: 0 and false are something."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return value is None or (isinstance(value, str) and not value.strip())


def _is_pdf(file: Path) -> bool:
    """Whether a file begins as a PDF does, and its end leads to its cross-references and root (ISO 32000-2, 7.5)."""
    with file.open("rb") as opened:
        begins = re.match(rb"%PDF-[12]\.\d", opened.read(8))
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(size - _NEAR, 0))
        ends = [*_END.finditer(opened.read())]
        opened.seek(min(int(ends[-1][1]), size) if ends else size)
        rest = opened.read()
        return bool(begins and _TABLE.match(rest) and b"/Root" in rest)
