"""The policy: data whose faults are told by their fields, in force through a recorded act, for what comes after it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from approving import NAME, Models, login
from lakeward.governance.approvals import witness
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.errors import PolicyRefused
from lakeward.governance.approvals.machine import State
from lakeward.governance.approvals.policy import DEFAULT, FORMER, Policy, Risk, load
from lakeward.governance.approvals.requests import Request
from lakeward.governance.people.errors import MoreMustSign, NotAllowed
from lakeward.workspace.events import Event, record
from recorded import recorded

FILE = Path(__file__).parents[3] / "jobs" / "approval_policy.yml"


def test_the_file_is_what_is_in_force_with_no_file() -> None:
    assert load(FILE) == DEFAULT
    told = [(rule.approvers, rule.review_days) for rule in map(DEFAULT.rule, Risk)]
    assert told == [(3, 14), (2, 7), (1, 3)]
    assert [set(DEFAULT.high.evidence) - set(DEFAULT.medium.evidence)] == [{"clinical_validation"}]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("high.approvers", 0, "high.approvers"),
        ("medium.review_dyas", 3, "medium.review_dyas"),
        ("low.evidence", ["metrics", "vibes"], "low.evidence.1"),
        ("high.among", ["data_scientist"], "data_scientist may not approve"),
        ("low.among", ["clinical_reviewer", "quality_manager"], "more roles"),
        ("low.approvers", 4, "higher risk"),
        ("emergency.signatures", 1, "emergency.signatures"),
        ("forms.vibes", {"type": "pdf"}, "forms.vibes"),
        ("forms.metrics", {"type": "docx"}, "forms.metrics.type"),
        ("forms.metrics", {"type": "json"}, "type json has names"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(tmp_path: Path, path: str, value: object, told: str) -> None:
    policy = yaml.safe_load(FILE.read_text())
    part, name = path.split(".")
    policy[part][name] = value
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(policy))
    with pytest.raises(PolicyRefused, match=told):
        load(tmp_path / "policy.yml")


@pytest.mark.parametrize("text", ["high: [", "", "- a\n"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.yml").write_text(text)
    with pytest.raises(PolicyRefused):
        load(tmp_path / "policy.yml")
    with pytest.raises(PolicyRefused, match="can't be read"):
        load(tmp_path / "other.yml")


def _stricter() -> Policy:
    return DEFAULT.model_copy(update={"low": DEFAULT.low.model_copy(update={"approvers": 2})})


def _change(approvals: Approvals, policy: Policy) -> None:
    with pytest.raises(MoreMustSign):
        approvals.change_policy(login("cat"), policy)
    approvals.change_policy(login("bob"), policy)


def _told(policy: Policy) -> None:
    """Tell of a policy as whoever can write to the trail can."""
    record(Event(type="governance.policy.changed", object=f"policy/{policy.sha256}", actor="bob"))


def test_another_is_put_in_force_by_two_who_may_and_holds_for_what_is_drafted_then(
    approvals: Approvals, models: Models, in_review: Callable[..., Request]
) -> None:
    before = in_review(Risk.LOW)
    with pytest.raises(NotAllowed):
        approvals.change_policy(login("dan"), _stricter())
    for _ in range(2):
        with pytest.raises(MoreMustSign, match="One more person"):
            approvals.change_policy(login("cat"), _stricter())
    assert approvals.policy() == DEFAULT
    approvals.change_policy(login("bob"), _stricter())
    (event,) = recorded("governance.policy.changed")
    assert (event.actor, event.object) == ("bob", f"policy/{_stricter().sha256}")
    assert event.details["before"] == DEFAULT.sha256
    assert approvals.approve(login("bob"), NAME, before.version).state == "approved", "one is enough, as it was"
    after = in_review(Risk.LOW)
    assert approvals.approve(login("bob"), NAME, after.version).state == "in_review"


def test_one_that_is_only_in_the_store_and_nobody_signed_is_not_believed(approvals: Approvals, models: Models) -> None:
    approvals.store.add_policy(_stricter(), "mallory", 0)
    with pytest.raises(PolicyRefused, match="audit trail"):
        approvals.draft(login("dan"), NAME, models.add(), Risk.LOW)
    _told(_stricter())
    with pytest.raises(PolicyRefused, match="2 people have signed"):
        approvals.draft(login("dan"), NAME, models.add(), Risk.LOW)
    _change(approvals, DEFAULT)
    approvals.draft(login("dan"), NAME, models.add(), Risk.LOW)


def test_one_that_was_in_force_once_comes_back_only_by_signatures_anew(approvals: Approvals, models: Models) -> None:
    weaker = DEFAULT.model_copy(update={"medium": DEFAULT.low})
    for policy in (weaker, _stricter()):
        _change(approvals, policy)
    for policy in (weaker, DEFAULT):
        _told(policy)
        approvals.store.add_policy(policy, "mallory", 0)
        with pytest.raises(PolicyRefused, match="2 people have signed"):
            approvals.policy()
    _change(approvals, weaker)
    assert approvals.policy() == weaker


def test_a_request_under_a_policy_that_nobody_signed_is_not_decided(
    approvals: Approvals, in_review: Callable[..., Request]
) -> None:
    request = in_review(Risk.MEDIUM)
    weaker = DEFAULT.model_copy(update={"medium": DEFAULT.low})
    forged = replace(request, id="forged", policy=weaker)
    for type_ in (witness.DRAFTED, "governance.approval.submitted"):
        details: Any = witness.told(forged) | {"due": None}
        record(Event(type=type_, object=request.object, actor="dan", details=details))
    approvals.withdraw(login("dan"), NAME, request.version, "Another follows")
    approvals.store.add(forged)
    with pytest.raises(PolicyRefused, match="2 people have signed"):
        approvals.approve(login("bob"), NAME, request.version)


def test_what_was_drafted_before_there_were_forms_goes_on_and_nothing_new_is_drafted_so(
    approvals: Approvals, models: Models, in_review: Callable[..., Request], tmp_path: Path
) -> None:
    assert FORMER.sha256.startswith("93e08f45"), "so it was then"
    request = in_review(Risk.LOW)
    approvals.withdraw(login("dan"), NAME, request.version, "Only its files are wanted")
    old = replace(request, id="old", policy=FORMER, state=State.DRAFT, due=None, evidence=())
    details: Any = witness.told(old)
    record(Event(type=witness.DRAFTED, object=request.object, actor="dan", details=details))
    approvals.store.add(old)
    (tmp_path / "file").write_text("all is well")
    for kind in FORMER.low.evidence:
        approvals.attach(login("dan"), NAME, request.version, kind, tmp_path / "file")
    approvals.submit(login("dan"), NAME, request.version)
    approvals.review(login("ann"), NAME, request.version)
    assert approvals.approve(login("bob"), NAME, request.version).state == "approved"
    approvals.store.add_policy(FORMER, "mallory", 0)
    with pytest.raises(PolicyRefused, match="2 people have signed"):
        approvals.draft(login("dan"), NAME, models.add(), Risk.LOW)
