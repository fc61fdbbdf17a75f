"""What is told of a version to whoever writes a document about it."""

from collections.abc import Callable

from approving import NAME, login
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.facts import facts_of
from lakeward.governance.approvals.requests import Request


def test_all_of_a_version_is_told(approvals: Approvals, in_review: Callable[..., Request]) -> None:
    request = in_review()
    approvals.approve(login("bob"), NAME, request.version)
    facts = facts_of(NAME, request.version, approvals)
    assert (facts.params, facts.metrics) == ({"C": "1.0"}, {"auc": 0.97})
    assert facts.digest == request.digest
    assert {"dan", "max"} <= set(facts.authors)
    assert (facts.state, facts.overdue, facts.champion) == ("in_review", False, False)
    assert len(facts.evidence) == 5
    assert not any(proof.fault for proof in facts.evidence)
    assert [(it.signature.signer, it.signature.meaning, it.stands) for it in facts.signatures] == [
        ("ann", "review", True),
        ("bob", "approval", True),
    ]
    assert [step.act for step in facts.history] == [*["attach"] * 5, "submit", "review", "approve"]
