"""Reading of the data files in this package."""

import csv
from collections.abc import Iterator
from importlib.resources import files


def read(name: str) -> Iterator[dict[str, str]]:
    """Yield a data file's rows by column name, leaving out its comment lines."""
    lines = files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))
