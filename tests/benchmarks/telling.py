"""How benchmarks tell what they have found: as a list under titles, or as JSON."""

import json
import sys
from collections.abc import Mapping
from typing import Any


def tell(found: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """Print facts, by title and name."""
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        return
    for title, facts in found.items():
        print(title)
        for name, value in facts.items():
            print(f"  {value:>12,}  {name.replace('_', ' ')}")
