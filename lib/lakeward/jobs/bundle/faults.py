"""Everything that is wrong with a bundle, told at once: file, line, what, and the cure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from lakeward.workspace.errors import ConfigurationError

_SHOWN = 20


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong.

    Attributes
    ----------
    file : str
        The file, seen from the folder that the bundle's own folder is in.
    line : int
        From 1; 0 if no line is to blame.
    text : str
        What is wrong, and the cure.
    """

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """Return it as compilers do, so that editors can jump there."""
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


class BundleRefused(ConfigurationError):
    """A bundle is wrong, so nothing of it runs; `faults` has all that was found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: Sequence[Fault] = sorted(set(faults))
        shown = [str(fault) for fault in self.faults[:_SHOWN]]
        more = len(self.faults) - len(shown)
        super().__init__("\n".join([*shown, *([f"and {more} more"] if more else [])]))


def hint(name: str, known: Iterable[str]) -> str:
    """Return which of the known names was meant, or the first of them, as the end of a message."""
    names = [str(one) for one in known]
    if close := get_close_matches(name, names, n=1):
        return f"; did you mean {close[0]}?"
    few = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"; there is {few}." if few else "; there is none."
