"""Clean Descriptors: descriptions keep the words of imaging and lose all others (PS3.15 E.3.5).

What a person may have typed into a description can't be proven harmless by looking for names, so the test is the
other way round: a word stays only if it is on a list of the field's terms or is a number with its unit, and is not one
of the object's own identifying words. Numbers alone go: they may be parts of a date, an age or a telephone number.
"""

import re
from collections.abc import Set
from functools import cache
from importlib.resources import files

_LONGEST = 1 << 16
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_UNITS = "mm|cm|um|ml|mg|ms|s|sec|min|kv|kvp|ma|mas|mgy|hz|khz|mhz|t|deg|gy|mbq|kbq|bq"
_MEASURE = re.compile(rf"\d{{1,4}}(?:\.\d{{1,3}})?(?:{_UNITS})", re.ASCII)
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?", re.ASCII)
_UNIT = re.compile(_UNITS)
_TITLE = "dr"  # or Digital Radiography
_MATRIX = re.compile(r"\d{1,4}x\d{1,4}(?:x\d{1,4})?(?:mm|cm)?", re.ASCII)
_RATIO = re.compile(r"\d{1,2}(?:\.\d{1,4})?:1", re.ASCII)
_TERM = re.compile(
    r"c[1-7]|t(?:[1-9]|1[0-2])|l[1-5]|s[1-5]"  # vertebrae; t1 and t2 are weightings as well
    r"|t[12]w|b(?:0|50|[1-9]50|[1-9]00|[123][05]00)"  # diffusion weightings, s/mm2
    r"|(?:[bhui]|b[lrvf]|h[rfcv]|ur|qr)[1-9]\df",  # reconstruction kernels
    re.ASCII,
)


@cache
def _entries() -> frozenset[str]:
    text = files(__package__).joinpath("vocabulary.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@cache
def vocabulary() -> frozenset[str]:
    """Words, in lower case, that a description may keep."""
    return frozenset(entry.rstrip("*") for entry in _entries())


@cache
def _also_names() -> frozenset[str]:
    """Terms that are family names as well, as in "Dr. Hand" or "Anil Rao"."""
    return frozenset(entry.rstrip("*") for entry in _entries() if entry.endswith("*"))


def words(text: str) -> set[str]:
    """Words of a text in lower case, those of two letters and more."""
    return {word.lower() for word in _WORD.findall(text) if len(word) > 1}


def clean(text: str, identifying: Set[str] = frozenset()) -> str:
    """Keep the words of a description that can't identify anyone.

    Parameters
    ----------
    text : str
        A description, in any language; words outside the list go, so other languages are emptied.
    identifying : set of str
        Words, in lower case, of the object's own names and identifiers; they go even if the list has them.

    Returns
    -------
    str
        What is left, separated by single spaces; nothing of more than 65,536 characters, which no person types.
    """
    if len(text) > _LONGEST:
        return ""
    if _RATIO.fullmatch(text.strip()):
        return text.strip()
    found = _WORD.findall(text)
    lower = [word.lower() for word in found]
    safe = [
        word not in identifying and (_is_term(word) or _is_measure(before, word, after))
        for before, word, after in zip(["", *lower], lower, [*lower[1:], ""], strict=False)
    ]
    strange = [word == _TITLE or not (ok or _NUMBER.fullmatch(word)) for ok, word in zip(safe, lower, strict=True)]
    return " ".join(
        word
        for i, word in enumerate(found)
        if safe[i] and not (lower[i] in _also_names() and any(strange[max(0, i - 1) : i + 2]))
    )


def _is_term(word: str) -> bool:
    return word.isascii() and (word in vocabulary() or any(p.fullmatch(word) for p in (_TERM, _MEASURE, _MATRIX)))


def _is_measure(before: str, word: str, after: str) -> bool:
    """Whether a word is a number with its unit beside it, or the unit."""
    number, unit = (word, after) if _NUMBER.fullmatch(word) else (before, word)
    return bool(_NUMBER.fullmatch(number) and _UNIT.fullmatch(unit))
