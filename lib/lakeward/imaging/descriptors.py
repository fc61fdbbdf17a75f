"""Clean Descriptors: descriptions keep the words of imaging and lose all others (PS3.15 E.3.5).

What a person may have typed into a description can't be proven harmless by looking for names, so the test is the
other way round: a word stays only if it is on a list of the field's terms or is a short number, and is not one of the
object's own identifying words.
"""

import re
from collections.abc import Set
from functools import cache
from importlib.resources import files

_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,3})?(?:x\d{1,3})*(?:mm|cm|um|ml|mg|ms|s|sec|min|kv|kvp|ma|mas|hz|t|d)?")
_LEVEL = re.compile(r"[tcls]\d{1,2}w?|b\d{1,4}|[a-z]{1,3}\d{1,2}f")
_MAX_DIGITS = 8


@cache
def vocabulary() -> frozenset[str]:
    """Words, in lower case, that a description may keep."""
    text = files(__package__).joinpath("vocabulary.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


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
        What is left, separated by single spaces.
    """
    kept = [word for word in _WORD.findall(text) if _is_safe(word.lower(), identifying)]
    if sum(c.isdigit() for word in kept for c in word) > _MAX_DIGITS:
        kept = [word for word in kept if word.lower() in vocabulary()]
    return " ".join(kept)


def _is_safe(word: str, identifying: Set[str]) -> bool:
    if word in identifying:
        return False
    return word in vocabulary() or bool(_NUMBER.fullmatch(word) or _LEVEL.fullmatch(word))
