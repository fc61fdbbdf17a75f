"""Where tests keep what they fetched or built, for all checkouts of this machine."""

import os
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lakeward-ci"
