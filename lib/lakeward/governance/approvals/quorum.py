"""Who has signed a request, and whether they are enough: asked of signatures and audit trail, never of the store."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from math import inf

from lakeward.governance.approvals import witness
from lakeward.governance.approvals.errors import PolicyRefused
from lakeward.governance.approvals.machine import Act, State
from lakeward.governance.approvals.policy import DEFAULT, FORMER, Policy, signed
from lakeward.governance.approvals.requests import Request
from lakeward.governance.approvals.store import Done
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, TOGETHER, Action, Role
from lakeward.governance.people.signatures import Meaning, Signed, signatures

Signers = Mapping[str, frozenset[Role]]
"""People, and the roles that they had when they signed."""

_APPROVE, _PROMOTE = MATRIX[Action.APPROVE_MODEL], MATRIX[Action.PROMOTE_MODEL]
_CHANGE = MATRIX[Action.CHANGE_POLICY]


def signers(people: People, what: Signed, meaning: Meaning) -> Signers:
    """Return who has signed a record as it is now.

    Raises
    ------
    SignatureInvalid
        If a signature that is kept is not its signer's own.
    """
    return {it.signer: it.roles for it in signatures(people, what) if it.meaning is meaning}


def approvers(people: People, request: Request) -> Signers:
    """Return who has approved a request as it is now, with the roles that they had for it and have still."""
    able = _judges(people, request, Meaning.APPROVAL)
    now = {user: people.find(user) for user in able}
    held = {user: roles & now[user].roles for user, roles in able.items() if now[user].active}
    return {user: roles for user, roles in held.items() if roles}


def in_force(people: People, until: float = inf) -> tuple[str, int | None]:
    """Return the SHA-256 of the policy in force before an event, and the number of the one that put it there.

    An event counts only if enough people have signed the policy for this very place, so that none comes back unsigned.
    """
    policy, after = DEFAULT.sha256, None
    for number, new, counts in _policies(people):
        if counts and number < until:
            policy, after = new, number
    return policy, after


def forged(people: People) -> list[tuple[int, str]]:
    """Return the events that tell of a policy which too few have signed: number, and SHA-256 of the policy."""
    return [(number, new) for number, new, counts in _policies(people) if not counts]


def _policies(people: People) -> Iterator[tuple[int, str, bool]]:
    """Yield each policy that an event tells was put in force: the event's number, SHA-256, and whether it was."""
    after: int | None = None
    for number, new in witness.changes():
        counts = enough(people, signed(new, after))
        after = number if counts else after
        yield number, new, counts


def enough(people: People, change: Signed) -> bool:
    """Whether a change of policy is signed by as many as it takes, who might each sign it."""
    found = signers(people, change, Meaning.APPROVAL)
    return sum(bool(roles & _CHANGE) for roles in found.values()) >= TOGETHER


def confirm(people: People, policy: Policy, drafted: float = inf) -> None:
    """Make sure that a policy is in force, or was when a request was drafted; what was written into a file was not.

    Raises
    ------
    PolicyRefused
        If it is another, or too few have signed it.
    """
    right, put_by = in_force(people, drafted)
    former = put_by is None and drafted < inf and policy == FORMER
    if policy.sha256 != right and not former:
        raise PolicyRefused(
            f"The policy {policy.sha256[:12]} is not the one that the audit trail tells of and {TOGETHER} people have "
            "signed. Put the right one in force: lakeward models policy --file, or restore the store from a backup."
        )


def ended(people: People, request: Request) -> str:
    """Tell what has ended a request, whatever its state says; empty if nothing has.

    Who was killed after signing a rejection has rejected it, though nothing else tells so yet.
    """
    if what := witness.ended(request):
        return f"the audit trail tells that it was {what}"
    return "a rejection of it is signed" if _judges(people, request, Meaning.REJECTION) else ""


def lack(request: Request, found: Signers) -> str:
    """Tell what is still to be had of approvals, empty if nothing is."""
    told = []
    if (more := request.rule.approvers - len(found)) > 0:
        told.append(f"{more} more to approve")
    present = frozenset[Role]().union(*found.values())
    told += [f"a {role} among them" for role in request.rule.among if role not in present]
    return ", ".join(told)


def fault(people: People, request: Request, acts: Iterable[Done]) -> str:
    """Tell why a request does not permit the use of a version, whatever its state says; empty if it does.

    Who had the role when it was decided has approved, also if they have left since.

    Parameters
    ----------
    acts : iterable of Done
        What was done to it.
    """
    if request.state is State.EMERGENCY:
        return _fault_in_emergency(people, request, acts)
    if not witness.decided(request):
        return "the audit trail tells of no approval"
    return lack(request, _judges(people, request, Meaning.APPROVAL))


def _fault_in_emergency(people: People, request: Request, acts: Iterable[Done]) -> str:
    """Evidence that was attached since has changed the record; but for it, what was signed then is what it is now."""
    told = witness.emergency(request)
    if told is None:
        return "the audit trail tells of no emergency"
    records = [it.record for it in acts if it.act is Act.EMERGENCY]
    if not any(sha256(it.encode()).hexdigest() == told and _only_grew(it, request) for it in records):
        return "what was signed in the emergency is another record"
    found = signers(people, replace(request.signed, sha256=told), Meaning.RESPONSIBILITY)
    judges = {user for user, roles in found.items() if roles & _APPROVE and not request.is_by(user)}
    most = max((len(judges | {user}) for user, roles in found.items() if roles & _PROMOTE), default=0)
    more = request.policy.emergency.signatures - most
    return f"{more} more must sign in an emergency" if more > 0 else ""


def _only_grew(record: str, request: Request) -> bool:
    """Whether a record of a request differs from the one of now by nothing but evidence that was attached since."""
    then, now = json.loads(record), json.loads(request.record)
    before, after = then.pop("evidence"), now.pop("evidence")
    return bool(then == now and all(it in after for it in before))


def _judges(people: People, request: Request, meaning: Meaning) -> Signers:
    """Who has judged a request as it is now, and might."""
    found = signers(people, request.signed, meaning)
    able = {user: roles & _APPROVE for user, roles in found.items() if not request.is_by(user)}
    return {user: roles for user, roles in able.items() if roles}
