"""A request that a version of a model be used, and the record of it that people sign."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import rfc8785

from lakeward.governance.approvals.errors import RequestRefused
from lakeward.governance.approvals.evidence import Attached
from lakeward.governance.approvals.machine import State
from lakeward.governance.approvals.policy import Policy, Risk, Rule
from lakeward.governance.people.signatures import Signed

DAY_S = 86_400


class Login(NamedTuple):
    """What somebody shows to be let in, at each act."""

    user: str
    password: str
    code: str | None = None


@dataclass(frozen=True)
class Request:
    """A request; times are seconds since 1970-01-01 UTC.

    Attributes
    ----------
    digest : str
        SHA-256 of the artefact when the request was drafted.
    authors : frozenset of str
        Who made the version or asks for it, none of whom can approve it.
    due : int or None
        Until when it must be decided: the review's end, which is counted from the submission (a request that nobody
        takes up must not stay open for good), or, in an emergency, that of the review after the fact.
    emergency : str
        Why it could not wait; empty if it could.
    """

    id: str
    model: str
    version: str
    digest: str
    risk: Risk
    policy: Policy
    state: State
    authors: frozenset[str]
    by: str
    drafted: int
    due: int | None
    emergency: str
    evidence: tuple[Attached, ...]

    @property
    def rule(self) -> Rule:
        """What the policy that it was drafted under asks for."""
        return self.policy.rule(self.risk)

    @property
    def object(self) -> str:
        """How events name the version."""
        return f"model/{self.model}/{self.version}"

    @property
    def record(self) -> bytes:
        """What is signed, as canonical JSON (RFC 8785); whatever of it changes, no signature fits it any more."""
        told: dict[str, Any] = {
            "artefact": self.digest,
            "authors": sorted(self.authors),
            "emergency": self.emergency,
            "evidence": sorted([it.kind.value, it.sha256] for it in self.evidence),
            "model": self.model,
            "policy": self.policy.sha256,
            "request": self.id,
            "risk": self.risk.value,
            "version": self.version,
        }
        return rfc8785.dumps(told)

    @property
    def signed(self) -> Signed:
        """The record as signatures name it."""
        return Signed("model", f"{self.model}/{self.version}", hashlib.sha256(self.record).hexdigest())

    def is_by(self, user: str) -> bool:
        """Whether a person is among the authors; MLflow may know them by their mail address, or in capitals."""
        return _plain(user) in map(_plain, self.authors)

    def missing(self) -> list[str]:
        """Evidence that the policy asks for and that is not attached."""
        return sorted(set(self.rule.evidence) - {it.kind for it in self.evidence})

    @property
    def waits(self) -> bool:
        """Whether it must be decided in time."""
        return self.state in (State.SUBMITTED, State.IN_REVIEW, State.EMERGENCY)

    def state_at(self, now: int) -> State:
        """Return its state, which is expired as soon as its time is over, also if nobody has noticed yet."""
        return State.EXPIRED if self.state is not State.EMERGENCY and self.overdue(now) else self.state

    def overdue(self, now: int) -> bool:
        """Whether it should have been decided by now, and was not."""
        return self.waits and self.due is not None and now > self.due


def check_reason(reason: str) -> None:
    """Make sure that there is a reason: an auditor asks for it years later.

    Raises
    ------
    RequestRefused
        If there is none.
    """
    if not reason.strip():
        raise RequestRefused("This takes a reason. Give it: --reason.")


def _plain(name: str) -> str:
    return name.partition("@")[0].casefold()
