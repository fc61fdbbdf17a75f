"""The states of a request, and what leads from one to the next: a table, of which nothing else is possible."""

from enum import StrEnum

from lakeward.governance.approvals.errors import NotNow


class State(StrEnum):
    """How far a request is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    EMERGENCY = "emergency"
    """In use without approval; the review after the fact is on."""
    DEPLOYED = "deployed"
    """Is, or was, what the alias names; may be gone back to."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    VOIDED = "voided"
    RETIRED = "retired"


class Act(StrEnum):
    """What is done to a request."""

    ATTACH = "attach"
    SUBMIT = "submit"
    REVIEW = "review"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    EMERGENCY = "emergency"
    DEPLOY = "promote"
    VOID = "void"
    RETIRE = "retire"


TABLE: dict[State, dict[Act, State]] = {
    State.DRAFT: {
        Act.ATTACH: State.DRAFT,
        Act.SUBMIT: State.SUBMITTED,
        Act.WITHDRAW: State.WITHDRAWN,
        Act.EMERGENCY: State.EMERGENCY,
        Act.VOID: State.VOIDED,
    },
    State.SUBMITTED: {
        Act.REVIEW: State.IN_REVIEW,
        Act.WITHDRAW: State.WITHDRAWN,
        Act.EXPIRE: State.EXPIRED,
        Act.EMERGENCY: State.EMERGENCY,
        Act.VOID: State.VOIDED,
    },
    State.IN_REVIEW: {
        Act.ATTACH: State.IN_REVIEW,
        Act.REVIEW: State.IN_REVIEW,
        Act.APPROVE: State.APPROVED,
        Act.REJECT: State.REJECTED,
        Act.WITHDRAW: State.WITHDRAWN,
        Act.EXPIRE: State.EXPIRED,
        Act.EMERGENCY: State.EMERGENCY,
        Act.VOID: State.VOIDED,
    },
    State.APPROVED: {Act.DEPLOY: State.DEPLOYED, Act.WITHDRAW: State.WITHDRAWN, Act.VOID: State.VOIDED},
    State.EMERGENCY: {
        Act.ATTACH: State.EMERGENCY,
        Act.REVIEW: State.EMERGENCY,
        Act.APPROVE: State.DEPLOYED,
        Act.REJECT: State.REJECTED,
        Act.DEPLOY: State.EMERGENCY,
        Act.VOID: State.VOIDED,
    },
    State.DEPLOYED: {Act.DEPLOY: State.DEPLOYED, Act.VOID: State.VOIDED, Act.RETIRE: State.RETIRED},
    State.REJECTED: {},
    State.EXPIRED: {},
    State.WITHDRAWN: {},
    State.VOIDED: {},
    State.RETIRED: {},
}

_BY_ITSELF = (Act.EXPIRE, Act.VOID)

OPEN = frozenset(state for state, acts in TABLE.items() if acts)
"""States that lead on; a version has at most one request in any of them."""


def after(state: State, act: Act) -> State:
    """Return the state that an act leads to.

    Raises
    ------
    NotNow
        If it is not possible in this one.
    """
    if found := TABLE[state].get(act):
        return found
    possible = ", ".join(it for it in TABLE[state] if it not in _BY_ITSELF) or "nothing any more"
    raise NotNow(f"The request is {state}, so that this is not possible: {act}. Possible is {possible}.")
