"""Who has signed a request, and whether they are enough; asked of the signatures themselves, never of the state."""

import hashlib
from collections.abc import Iterable, Mapping

from lakeward.governance.approvals.machine import Act, State
from lakeward.governance.approvals.requests import Request
from lakeward.governance.approvals.store import Done
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.signatures import Meaning, Signed, signatures

Approvers = Mapping[str, frozenset[Role]]
"""People, and the roles that they approved in."""


def signers(people: People, what: Signed, meaning: Meaning) -> list[str]:
    """Return who has signed a record as it is now, each once.

    Raises
    ------
    SignatureInvalid
        If a signature that is kept is not its signer's own.
    """
    return sorted({it.signer for it in signatures(people, what) if it.meaning is meaning})


def approvers(people: People, request: Request) -> Approvers:
    """Return who has approved a request as it is now, and may do so at this moment."""
    may = MATRIX[Action.APPROVE_MODEL]
    found = [people.find(user) for user in signers(people, request.signed, Meaning.APPROVAL)]
    return {it.user: it.roles & may for it in found if it.active and it.roles & may and not request.is_by(it.user)}


def lack(request: Request, found: Approvers) -> str:
    """Tell what is still to be had of approvals, empty if nothing is."""
    told = []
    if (more := request.rule.approvers - len(found)) > 0:
        told.append(f"{more} more to approve")
    present = frozenset[Role]().union(*found.values())
    told += [f"a {role} among them" for role in request.rule.among if role not in present]
    return ", ".join(told)


def fault(people: People, request: Request, acts: Iterable[Done]) -> str:
    """Tell why a request does not permit the use of a version, whatever its state says; empty if it does.

    Who approved must have held the role when it was decided; who has left since has approved nevertheless.
    """
    if request.state is State.EMERGENCY:
        asked = next((it for it in acts if it.act is Act.EMERGENCY), None)
        record = asked.record.encode() if asked else b""
        what = Signed("model", f"{request.model}/{request.version}", hashlib.sha256(record).hexdigest())
        more = request.policy.emergency.signatures - len(signers(people, what, Meaning.RESPONSIBILITY))
        return f"{more} more signatures are needed in an emergency" if more > 0 else ""
    decided = [it.details["approvers"] for it in acts if "approvers" in it.details]
    named: Mapping[str, list[str]] = decided[-1] if decided else {}
    have = signers(people, request.signed, Meaning.APPROVAL)
    return lack(request, {user: frozenset(map(Role, named[user])) for user in have if user in named})
