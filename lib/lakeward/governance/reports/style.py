"""How reports look: the colors of the workspace's pages, and the words that have one."""

TEXT, FAINT, LINE, GROUND = "#1c2730", "#566573", "#dfe5ea", "#f5f7f9"
ACCENT, ACCENT_GROUND = "#14607c", "#e3f0f5"
OK, DOUBT, BAD, APART = "#1a7f4b", "#8a6100", "#c02b3c", "#667380"

WORDS = {
    "met": OK,
    "not met": BAD,
    "no evidence": DOUBT,
    "outside Lakeward": APART,
    "given": OK,
    "missing": BAD,
    "failed": BAD,
    "verified": OK,
}
"""Colors of what a result is called."""

SERIES = (ACCENT, "#1769c4", "#8a6100", "#96596a", "#1a7f4b", "#b3500f", "#667380", "#2b353e")
"""Colors of a chart's series that are no results."""


def color(name: str, place: int) -> str:
    """Return the color of a series: a result's own, else the next one."""
    return WORDS.get(name, SERIES[place % len(SERIES)])
