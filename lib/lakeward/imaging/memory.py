"""What was worked out before, kept within bounds."""

from typing import Any, TypeVar

V = TypeVar("V")


class Memory(dict[Any, V]):
    """Values by what they follow from; forgets everything when it is full.

    Parameters
    ----------
    most : int
        How many values it holds.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, key: Any, value: V) -> V:
        """Remember, and return, a value."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
