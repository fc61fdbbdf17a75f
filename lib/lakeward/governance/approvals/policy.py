"""The policy of approvals as data: how many approve a model of which risk, within how long, on what evidence."""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import rfc8785
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from lakeward.governance.approvals.errors import PolicyRefused
from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.forms import Form
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.signatures import Signed


class Risk(StrEnum):
    """What a wrong answer of the model may do to a patient (IMDRF N12; EU AI Act, article 6)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """What a model of one risk needs.

    Attributes
    ----------
    approvers : int
        How many people, none of whom has made the model, must approve it.
    among : tuple of Role
        Roles of each of which at least one of them must be.
    review_days : int
        How long a review lasts at most, from the submission on; a request that is not decided by then expires.
    evidence : tuple of Kind
        What must be attached before it can be submitted.
    """

    approvers: int = Field(ge=1, le=20)
    among: Annotated[tuple[Role, ...], AfterValidator(lambda roles: tuple(sorted(set(roles))))] = ()
    review_days: int = Field(ge=1, le=365)
    evidence: Annotated[tuple[Kind, ...], AfterValidator(lambda kinds: tuple(sorted(set(kinds))))]

    @model_validator(mode="after")
    def _can_be_met(self) -> "Rule":
        if strangers := set(self.among) - MATRIX[Action.APPROVE_MODEL]:
            raise ValueError(f"{', '.join(sorted(strangers))} may not approve models")
        if len(self.among) > self.approvers:
            raise ValueError("there are more roles in `among` than approvers")
        return self


class Emergency(_Strict):
    """What a model needs that can't wait for its approval.

    Attributes
    ----------
    signatures : int
        How many people take responsibility, the one who promotes it among them.
    review_days : int
        How long the review after the fact may take.
    """

    signatures: int = Field(ge=2, le=20)
    review_days: int = Field(ge=1, le=30)


class Policy(_Strict):
    """A policy; a higher risk asks for no less than a lower one.

    Attributes
    ----------
    forms : dict of Kind to Form
        What a file must be to be attached as evidence of a kind; of one that is not named, it may be any file.
    """

    high: Rule
    medium: Rule
    low: Rule
    emergency: Emergency
    forms: dict[Kind, Form] = {}

    @model_validator(mode="after")
    def _higher_asks_no_less(self) -> "Policy":
        for more, less in ((self.high, self.medium), (self.medium, self.low)):
            if more.approvers < less.approvers or not set(more.evidence) >= set(less.evidence):
                raise ValueError("a higher risk must ask for no fewer approvers and no less evidence than a lower one")
        return self

    @model_serializer(mode="wrap")
    def _as_it_was_signed(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out forms that are not there, so that policies from before there were any keep their hash."""
        return {name: value for name, value in told(self).items() if name != "forms" or value}

    @property
    def sha256(self) -> str:
        """Its version: SHA-256 of its canonical JSON (RFC 8785)."""
        return hashlib.sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()

    def rule(self, risk: Risk) -> Rule:
        """Return what a model of a risk needs."""
        return {Risk.HIGH: self.high, Risk.MEDIUM: self.medium, Risk.LOW: self.low}[risk]


def signed(policy: str, after: int | None) -> Signed:
    """Return what is signed to put a policy in force once: it, and the number of the event that did so to the last."""
    return Signed.of_json("policy", policy, {"policy": policy, "after": after})


_SOME = (Kind.METRICS, Kind.DATA_LINEAGE)
_MORE = (*_SOME, Kind.BIAS_BY_SUBGROUP, Kind.EXPLANATION)
_PDF = Form(type="pdf")
DEFAULT = Policy(
    high=Rule(
        approvers=3, among=(Role.CLINICAL_REVIEWER,), review_days=14, evidence=(*_MORE, Kind.CLINICAL_VALIDATION)
    ),
    medium=Rule(approvers=2, review_days=7, evidence=_MORE),
    low=Rule(approvers=1, review_days=3, evidence=_SOME),
    emergency=Emergency(signatures=2, review_days=3),
    forms={
        Kind.METRICS: Form(type="json", names=("metric", "n", "value", "interval")),
        Kind.DATA_LINEAGE: Form(type="json", names=("data", "digest", "rows", "use")),
        Kind.BIAS_BY_SUBGROUP: Form(type="json", names=("subgroup", "metric", "n", "value", "interval")),
        Kind.EXPLANATION: _PDF,
        Kind.CLINICAL_VALIDATION: _PDF,
    },
)
"""In force until another is put in force; the same as ``jobs/approval_policy.yml``."""

FORMER = DEFAULT.model_copy(update={"forms": {}})
"""What was in force so before there were forms: what was drafted then goes on under it."""


def load(file: Path) -> Policy:
    """Read a policy.

    Raises
    ------
    PolicyRefused
        If the file is not there, is not YAML, or a field of it is unknown, missing or ill-typed.
    """
    try:
        told: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyRefused(f"The policy {file} can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise PolicyRefused(f"{file} is not YAML.") from None
    try:
        return Policy.model_validate(told)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, it['loc'])) or 'policy'}: {it['msg']}" for it in error.errors()]
        raise PolicyRefused(f"{file}: {'; '.join(faults)}") from None
