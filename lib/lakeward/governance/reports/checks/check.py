"""What a check is, and what it leaves behind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

import rfc8785

from lakeward.governance.reports.stores import Stores
from lakeward.workspace.errors import LakewardError


class Result(StrEnum):
    """What a check, or a control by its checks, comes to."""

    MET = "met"
    NOT_MET = "not met"
    NONE = "no evidence"


@dataclass(frozen=True)
class Seen:
    """What a check saw: the result, one line with numbers, and all that these follow from."""

    result: Result
    detail: str
    evidence: Mapping[str, Any]


Look = Callable[[Stores], Seen]


@dataclass(frozen=True)
class Check:
    """A check; `rule` is what it asks for, in one sentence."""

    name: str
    rule: str
    look: Look


CHECKS: dict[str, Check] = {}
"""By name; `checks.all.run` has imported those that there are."""


def check(rule: str) -> Callable[[Look], Look]:
    """Make a function a check, under its own name."""

    def enter(look: Look) -> Look:
        CHECKS[look.__name__] = Check(look.__name__, rule, look)
        return look

    return enter


def seen(holds: bool, detail: str, **evidence: Any) -> Seen:
    """Return what was seen where there was something to see."""
    return Seen(Result.MET if holds else Result.NOT_MET, detail, evidence)


def many(count: int, one: str, more: str = "") -> str:
    """Return a number with the thing that there are so many of."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def nothing(detail: str, **evidence: Any) -> Seen:
    """Return that there was nothing to see."""
    return Seen(Result.NONE, detail, evidence)


@dataclass(frozen=True)
class Proof:
    """A check that was run; `evidence` is canonical JSON (RFC 8785)."""

    check: Check
    result: Result
    detail: str
    evidence: bytes

    @property
    def sha256(self) -> str:
        """Hash of the evidence, in hexadecimal."""
        return sha256(self.evidence).hexdigest()

    @property
    def file(self) -> str:
        """Name of the file that the evidence is written to."""
        return f"{self.check.name}.json"


def prove(check: Check, stores: Stores) -> Proof:
    """Run a check; where what it looks at can't be read, there is no evidence."""
    try:
        found = check.look(stores)
    except LakewardError as error:
        found = nothing(f"It could not be looked at: {error}")
    said = {"check": check.name, "rule": check.rule, "result": found.result.value, "detail": found.detail}
    period = {"first": stores.period.first.isoformat(), "last": stores.period.last.isoformat()}
    evidence = rfc8785.dumps({**said, "period": period, "seen": dict(found.evidence)})
    return Proof(check, found.result, found.detail, evidence)
