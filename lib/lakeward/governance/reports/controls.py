"""Controls of laws and standards, as data beside this module, and what each comes to by its checks."""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import NamedTuple, Self

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

from lakeward.governance.reports.checks.check import Proof, Result

OUTSIDE = "outside Lakeward"
"""What is said of a control that an organization must prove itself."""

FORMULA = "score = met / (met + not met + no evidence); controls outside Lakeward are not counted"


class Control(BaseModel):
    """A control: its section, what it is about in our own words, and the checks that prove it, if there are any.

    A check that shows less than what the control asks of Lakeward is not named: then there is no evidence, and `show`
    says what a person would have to show.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    checks: tuple[str, ...] = ()
    show: str = ""
    outside: bool = False

    @model_validator(mode="after")
    def _proven_one_way(self) -> Self:
        if sum(map(bool, (self.checks, self.show, self.outside))) != 1:
            raise ValueError(f"{self.id} has checks, or what a person shows, or is outside: one of these")
        return self

    def proof(self, proofs: Mapping[str, Proof]) -> str:
        """Say which checks prove it, and which of them don't; or what a person would have to show."""
        if self.show:
            return f"A person would have to show {self.show}."
        told = {name: proofs[name].result for name in self.checks}
        return ", ".join(name if it is Result.MET else f"{name} ({it.value})" for name, it in told.items())

    def result(self, proofs: Mapping[str, Proof]) -> str:
        """Return what the control comes to: met if all of its checks are, and never by default."""
        if self.outside:
            return OUTSIDE
        found = {proofs[name].result for name in self.checks} or {Result.NONE}
        return next(it for it in (Result.NOT_MET, Result.NONE, Result.MET) if it in found).value


class Framework(BaseModel):
    """A law or standard; `outside` is who proves what is not Lakeward's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    outside: str
    controls: tuple[Control, ...]


class Score(NamedTuple):
    """How many controls came to what."""

    met: int
    not_met: int
    no_evidence: int
    outside: int

    @property
    def percent(self) -> float | None:
        """Score in percent (see `FORMULA`); None if nothing is counted."""
        counted = self.met + self.not_met + self.no_evidence
        return round(100 * self.met / counted, 1) if counted else None

    @property
    def text(self) -> str:
        """The score as it is shown."""
        return "-" if self.percent is None else f"{self.percent:.1f}\N{NO-BREAK SPACE}%"


def frameworks() -> list[Framework]:
    """Return the frameworks, in the order of their files' names."""
    folder = files("lakeward.governance.reports") / "controls"
    found = sorted(folder.iterdir(), key=lambda file: file.name)
    return [Framework.model_validate(yaml.safe_load(it.read_text(encoding="utf-8"))) for it in found]


def score(results: Iterable[str]) -> Score:
    """Count results."""
    found = list(results)
    return Score(*(found.count(it) for it in (Result.MET, Result.NOT_MET, Result.NONE, OUTSIDE)))
