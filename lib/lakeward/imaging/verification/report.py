"""What a verification found: checks with counts, and no value of anybody's."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_FINDINGS = 10
OUTCOMES = ("passed", "set aside", "allowed", "failed")

Group = Literal["hiding places", "answer key", "objects", "tables"]


class Check(BaseModel):
    """One check with what came of it.

    Attributes
    ----------
    group, name : str
        What was checked.
    passed, failed : int
        Things looked at that are as they should be, and those that are not.
    set_aside : int
        Things in objects that went to quarantine, and so can't leak.
    allowed : dict of str to int
        Texts that the profile lets stay, by the reason: an option, a rule, or that Table E.1-1 has no such attribute.
    findings : tuple of str
        Where it failed, the first ten: object and attribute or place, never a value.
    """

    model_config = ConfigDict(frozen=True)

    group: Group
    name: str
    passed: int = 0
    failed: int = 0
    set_aside: int = 0
    allowed: dict[str, int] = {}
    findings: tuple[str, ...] = ()


class Verification(BaseModel):
    """What a verification found under one profile.

    Attributes
    ----------
    profile, profile_hash : str
        Under which profile.
    objects, set_aside : int
        Objects that were de-identified, and those that went to quarantine instead.
    checks : tuple of Check
        All that was checked.
    """

    model_config = ConfigDict(frozen=True)

    profile: str
    profile_hash: str
    objects: int
    set_aside: int
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and something was looked at."""
        return not any(check.failed for check in self.checks) and any(check.passed for check in self.checks)


class Tally:
    """Outcomes of one check while it goes on."""

    def __init__(self, group: Group, name: str) -> None:
        self.group: Group = group
        self.name = name
        self.passed = self.set_aside = 0
        self.allowed: Counter[str] = Counter()
        self.failures: list[str] = []

    def note(self, passed: bool, where: str) -> None:
        """Count one thing that was looked at."""
        if passed:
            self.passed += 1
        else:
            self.failures.append(where)

    def check(self) -> Check:
        """All of it."""
        more = len(self.failures) - MOST_FINDINGS
        findings = (*self.failures[:MOST_FINDINGS], *([f"and {more} more"] if more > 0 else []))
        return Check(
            group=self.group,
            name=self.name,
            passed=self.passed,
            failed=len(self.failures),
            set_aside=self.set_aside,
            allowed=dict(self.allowed),
            findings=findings,
        )


def screen(done: Verification) -> str:
    """A verification as a table for people, and a sentence."""
    lines = [f"Profile {done.profile} ({done.profile_hash[:16]})", ""]
    for group, checks in _by_group(done.checks):
        lines.append(f"{group:<40} {'passed':>8} {'set aside':>10} {'allowed':>8} {'FAILED':>7}")
        for check in checks:
            allowed = sum(check.allowed.values())
            lines.append(
                f"  {check.name:<38} {check.passed:>8,} {check.set_aside:>10,} {allowed:>8,} {check.failed:>7,}"
            )
            lines += [f"      {finding}" for finding in check.findings]
        lines.append("")
    failed = [check.name for check in done.checks if check.failed]
    verdict = f"FAILED: {', '.join(failed)}." if failed else "Nothing was found that must not be there."
    counts = f"{done.objects:,} objects de-identified, {done.set_aside:,} set aside."
    return "\n".join([*lines, f"{counts} {verdict}"])


def _by_group(checks: Iterable[Check]) -> Iterable[tuple[str, list[Check]]]:
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.group, []).append(check)
    return groups.items()


def as_table(done: Verification) -> pd.DataFrame:
    """One row for each check, with its counts."""
    rows = [
        (check.group, check.name, check.passed, check.set_aside, sum(check.allowed.values()), check.failed)
        for check in done.checks
    ]
    return pd.DataFrame(rows, columns=["group", "check", *OUTCOMES])


def reasons_table(done: Verification) -> pd.DataFrame:
    """Why planted texts may stay, and how many do."""
    reasons: Counter[str] = Counter()
    for check in done.checks:
        reasons.update(check.allowed)
    return pd.DataFrame(reasons.most_common(), columns=["may stay since", "texts"])


def matrix(done: Verification) -> "go.Figure":
    """Draw checks against outcomes: the share in color, the count in each cell."""
    from plotly import graph_objects as go

    table = as_table(done)
    counts = table[list(OUTCOMES)]
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0)
    names = [f"{group}: {check}" for group, check in zip(table["group"], table["check"], strict=True)]
    heat = go.Heatmap(
        z=shares, x=list(OUTCOMES), y=names, text=counts, texttemplate="%{text:,}", colorscale="Blues", showscale=False
    )
    layout = {"height": 80 + 20 * len(names), "margin": {"l": 10, "r": 10, "t": 10, "b": 10}}
    return go.Figure(heat, layout).update_yaxes(autorange="reversed", automargin=True).update_xaxes(side="top")
