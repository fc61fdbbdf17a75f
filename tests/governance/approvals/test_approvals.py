"""From the draft of a request to its decision: who may do what when, and what makes it void."""

import errno
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from approving import NAME, PASSWORD, Clock, Models, evidence, login
from lakeward.governance.approvals import versions, witness
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.errors import EvidenceBroken, NotNow, RequestRefused, StoreBroken, Voided
from lakeward.governance.approvals.evidence import EvidenceStore, Kind
from lakeward.governance.approvals.machine import TABLE, Act, State, after
from lakeward.governance.approvals.policy import DEFAULT, Risk
from lakeward.governance.approvals.requests import DAY_S, Login, Request
from lakeward.governance.approvals.store import Done
from lakeward.governance.people.errors import NotAllowed, NotLetIn
from lakeward.governance.people.roles import Role
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import Event, record
from recorded import recorded, without_event

InReview = Callable[..., Request]


def _state(approvals: Approvals, request: Request) -> State:
    return approvals.store.latest(NAME, request.version).state


def _forge(home: Path, sql: str) -> None:
    with closing(sqlite3.connect(home / "governance" / "approvals.sqlite")) as store, store:
        store.execute(sql)


def test_what_the_table_does_not_have_is_refused_by_name() -> None:
    assert after(State.DRAFT, Act.SUBMIT) is State.SUBMITTED
    with pytest.raises(NotNow, match=r"is draft, so that this is not possible: approve. Possible is attach, submit"):
        after(State.DRAFT, Act.APPROVE)
    assert all(TABLE[state] == {} for state in (State.REJECTED, State.EXPIRED, State.VOIDED, State.RETIRED))


def test_three_people_approve_a_high_risk_and_one_is_a_clinician(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.HIGH)
    for user in ("bob", "cat", "fay"):
        assert approvals.approve(login(user), NAME, request.version).state == "in_review", user
    assert approvals.approve(login("ann"), NAME, request.version).state == "approved"
    (event,) = recorded("governance.approval.approved")
    assert event.object == f"model/{NAME}/{request.version}"
    assert sorted(event.details["approvers"]) == ["ann", "bob", "cat", "fay"]  # type: ignore[arg-type]
    assert event.details["sha256"] == request.signed.sha256


@pytest.mark.parametrize(("risk", "needed"), [(Risk.MEDIUM, ["bob", "cat"]), (Risk.LOW, ["bob"])])
def test_a_lower_risk_takes_fewer(approvals: Approvals, in_review: InReview, risk: Risk, needed: list[str]) -> None:
    request = in_review(risk)
    states = [approvals.approve(login(user), NAME, request.version).state for user in needed]
    assert states == [*["in_review"] * (len(needed) - 1), "approved"]


def test_a_risk_is_not_called_lower_than_before_by_those_who_ask(
    approvals: Approvals, models: Models, in_review: InReview
) -> None:
    first = in_review(Risk.MEDIUM)
    assert approvals.draft(login("dan"), NAME, models.add(), Risk.LOW).risk is Risk.LOW, "nothing is approved yet"
    for user in ("ann", "bob"):
        approvals.approve(login(user), NAME, first.version)
    with pytest.raises(NotAllowed, match="lower_risk"):
        approvals.draft(login("dan"), NAME, models.add(), Risk.LOW)
    with pytest.raises(NotAllowed, match="lower_risk"):
        approvals.emergency([login("eve"), login("ann")], NAME, models.add(), Risk.LOW, "Outage")
    version = models.add()
    assert approvals.draft(login("bob"), NAME, version, Risk.LOW).by == "bob"
    assert approvals.draft(login("dan"), NAME, models.add(), Risk.HIGH).risk is Risk.HIGH


def test_nobody_approves_their_own_work_twice_or_without_the_role(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.MEDIUM)
    with pytest.raises(NotAllowed, match="own work"):
        approvals.approve(login("max"), NAME, request.version)  # a quality manager, who registered it
    with pytest.raises(NotAllowed, match=r"model\.approve"):
        approvals.approve(login("eve"), NAME, request.version)
    approvals.approve(login("bob"), NAME, request.version)
    with pytest.raises(NotNow, match="already"):
        approvals.approve(login("bob"), NAME, request.version)
    with pytest.raises(NotLetIn):
        approvals.approve(Login("ann", "not the password"), NAME, request.version)
    assert _state(approvals, request) is State.IN_REVIEW
    refused = [event for event in recorded("governance.approval.approved") if event.outcome == "refused"]
    assert [(event.details["as"], event.reason) for event in refused] == [("max", "nobody decides on their own work")]
    assert refused[0].actor != "max", "no password was asked for, so that it may have been anybody"


def test_who_submits_does_not_approve_though_mlflow_knows_others(approvals: Approvals, models: Models) -> None:
    version = models.add(author="dan")
    request = approvals.draft(login("max"), NAME, version, Risk.LOW)
    assert request.is_by("max")
    assert request.is_by("dan")
    assert not request.is_by("bob")


def test_an_author_is_known_by_a_mail_address_and_for_good(
    approvals: Approvals, models: Models, in_review: InReview
) -> None:
    request = in_review(Risk.LOW)
    models.client.set_model_version_tag(NAME, request.version, "lakeward.author", "Bob@example.com")
    with pytest.raises(NotAllowed, match="own work"):
        approvals.approve(login("bob"), NAME, request.version)
    models.client.delete_model_version_tag(NAME, request.version, "lakeward.author")
    with pytest.raises(NotAllowed, match="own work"):
        approvals.approve(login("max"), NAME, request.version)


def test_who_has_lost_the_role_counts_no_more(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.MEDIUM)
    approvals.approve(login("bob"), NAME, request.version)
    approvals.people.set_roles(approvals.people.let_in("root", PASSWORD), "bob", [Role.DATA_SCIENTIST])
    assert approvals.approve(login("cat"), NAME, request.version).state == "in_review"
    assert approvals.approve(login("ann"), NAME, request.version).state == "approved"


def test_a_role_counts_only_for_what_was_signed_in_it(approvals: Approvals, in_review: InReview, clock: Clock) -> None:
    request = in_review(Risk.HIGH)
    for user in ("bob", "cat", "fay"):
        approvals.approve(login(user), NAME, request.version)
    approvals.people.set_roles(approvals.people.let_in("root", PASSWORD), "bob", [Role.CLINICAL_REVIEWER])
    with pytest.raises(NotNow, match="already"):
        approvals.approve(login("cat"), NAME, request.version)
    clock.seconds += 1
    assert approvals.approve(login("bob"), NAME, request.version).state == "approved", "as a clinician, anew"


def test_people_who_approve_at_once_are_all_counted(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.HIGH)
    with ThreadPoolExecutor() as threads:
        users = ("ann", "bob", "cat")
        states = threads.map(lambda user: approvals.approve(login(user), NAME, request.version).state, users)
        assert sorted(states) == ["approved", "in_review", "in_review"]
    assert len(recorded("governance.approval.approved")) == 1


def test_evidence_is_asked_for_at_submission(approvals: Approvals, models: Models, tmp_path: Path) -> None:
    version = models.add()
    approvals.draft(login("dan"), NAME, version, Risk.LOW)
    (tmp_path / "empty").touch()
    approvals.attach(login("dan"), NAME, version, Kind.METRICS, evidence(tmp_path, Kind.METRICS))
    with pytest.raises(RequestRefused, match="data_lineage"):
        approvals.submit(login("dan"), NAME, version)
    with pytest.raises(RequestRefused, match="is empty"):
        approvals.attach(login("dan"), NAME, version, Kind.DATA_LINEAGE, tmp_path / "empty")
    with pytest.raises(RequestRefused, match="can't be read"):
        approvals.attach(login("dan"), NAME, version, Kind.DATA_LINEAGE, tmp_path / "nowhere")
    assert len(list(approvals.evidence.folder.iterdir())) == 1
    with pytest.raises(NotAllowed):
        approvals.attach(Login("root", PASSWORD), NAME, version, Kind.METRICS, tmp_path / "empty")


@pytest.mark.parametrize(
    ("kind", "told", "fault"),
    [
        (Kind.BIAS_BY_SUBGROUP, b"there is none", "must say subgroup, metric, n, value, interval"),
        (Kind.BIAS_BY_SUBGROUP, b"[]", "no JSON of objects"),
        (Kind.BIAS_BY_SUBGROUP, b'{"Miller, Ann": 0.9}', "object 1 of 1 does not say subgroup, metric, n, value"),
        (Kind.METRICS, b'[{"metric":"auc","n":9,"value":0,"interval":[0,1]},{"metric":"auc","n":9,"value":1}]',
         "object 2 of 2 does not say interval; add that"),
        (Kind.METRICS, b'{"metric":" ","n":0,"value":false,"interval":[null,null]}', "does not say metric, interval;"),
        (Kind.METRICS, b'{"metric":"auc","n":9,"value":NaN,"interval":[0,1]}', "no JSON"),
        (Kind.METRICS, b"[" * 100_000, "no JSON"),
        (Kind.CLINICAL_VALIDATION, b"It works.", "no whole PDF"),
        (Kind.CLINICAL_VALIDATION, b"%PDF-1.7\nIt works.\nstartxref\n9\n%%EOF\n", "no whole PDF"),
        (Kind.CLINICAL_VALIDATION, b"%PDF-1.7\n1 0 obj It works.\nstartxref\n9\n%%EOF\n", "no whole PDF"),
        (Kind.EXPLANATION, b"%PDF-1.7\n", "no whole PDF"),
    ],
)  # fmt: skip
def test_evidence_that_is_not_of_its_form_is_not_attached(
    approvals: Approvals, models: Models, tmp_path: Path, kind: Kind, told: bytes, fault: str
) -> None:
    version = models.add()
    approvals.draft(login("dan"), NAME, version, Risk.HIGH)
    (tmp_path / "file").write_bytes(told)
    with pytest.raises(RequestRefused, match=fault) as refused:
        approvals.attach(login("dan"), NAME, version, kind, tmp_path / "file")
    assert "Miller" not in str(refused.value)
    assert list(approvals.evidence.folder.iterdir()) == []
    assert approvals.attach(login("dan"), NAME, version, kind, evidence(tmp_path, kind)).evidence[0].kind == kind


def test_a_full_disk_leaves_nothing_of_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = EvidenceStore(tmp_path / "evidence")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RequestRefused, match="No space left"):
        store.add(evidence(tmp_path, Kind.METRICS))
    assert list(store.folder.iterdir()) == []


def test_evidence_that_was_changed_or_is_gone_stops_each_decision(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.LOW)
    kept = approvals.evidence.path(request.evidence[0].sha256)
    told = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_bytes(told + b" ")
    with pytest.raises(EvidenceBroken, match="was changed"):
        approvals.approve(login("bob"), NAME, request.version)
    kept.unlink()
    with pytest.raises(EvidenceBroken, match="is gone"):
        approvals.approve(login("bob"), NAME, request.version)
    kept.write_bytes(told)
    approvals.approve(login("bob"), NAME, request.version)
    kept.unlink()
    with pytest.raises(EvidenceBroken):
        approvals.permitted(NAME, request.version)


def test_new_evidence_voids_approvals_which_are_asked_for_anew(
    approvals: Approvals, in_review: InReview, tmp_path: Path
) -> None:
    request = in_review(Risk.MEDIUM)
    approvals.approve(login("bob"), NAME, request.version)
    more = evidence(tmp_path, Kind.CLINICAL_VALIDATION, "a second hospital")
    approvals.attach(login("ann"), NAME, request.version, Kind.CLINICAL_VALIDATION, more)
    (event,) = recorded("governance.approval.approvals_voided")
    assert event.details["approvers"] == ["bob"]
    assert approvals.approve(login("cat"), NAME, request.version).state == "in_review"
    assert approvals.approve(login("bob"), NAME, request.version).state == "approved", "on what it is now"


def test_another_artefact_voids_the_request(approvals: Approvals, models: Models, in_review: InReview) -> None:
    request, approved = in_review(Risk.MEDIUM), in_review(Risk.LOW)
    approvals.approve(login("bob"), NAME, request.version)
    approvals.approve(login("bob"), NAME, approved.version)
    for version in (request.version, approved.version):
        models.change(version)
    with pytest.raises(Voided, match="artefact changed"):
        approvals.approve(login("ann"), NAME, request.version)
    with pytest.raises(Voided, match="artefact changed"):
        approvals.permitted(NAME, approved.version)
    assert _state(approvals, request) is _state(approvals, approved) is State.VOIDED
    assert len(recorded("governance.approval.voided")) == 2
    assert approvals.draft(login("dan"), NAME, request.version, Risk.LOW).digest != request.digest


def test_a_file_that_mlflow_adds_when_it_loads_a_model_is_no_change(
    approvals: Approvals, models: Models, in_review: InReview
) -> None:
    request = in_review(Risk.LOW)
    file = models.files(request.version) / "registered_model_meta"
    file.write_text("model_name: nodules\nmodel_version: 1\n")
    assert approvals.approve(login("bob"), NAME, request.version).state == "approved"
    file.write_text("model_name: nodules\nmodel_version: 1\nweights: 0.3\n")
    with pytest.raises(Voided, match="artefact changed"):
        approvals.permitted(NAME, request.version)


def test_a_file_of_that_name_elsewhere_is_part_of_the_artefact(approvals: Approvals, models: Models) -> None:
    version = models.add()
    file = models.files(version) / "data" / "registered_model_meta"
    file.parent.mkdir()
    digests = set()
    for told in ("the weights", "other weights", "model_name: nodules\nmodel_version: 1\n"):
        file.write_text(told)
        digests.add(versions.read(NAME, version).digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE requests SET state = 'approved'", "tells of no approval"),
        ("UPDATE requests SET state = 'deployed', risk = 'low'", "audit trail"),
        ("UPDATE requests SET state = 'emergency', emergency = 'quick'", "tells of no emergency"),
        ("UPDATE requests SET state = 'approved', policy = replace(policy, '\"approvers\":3', '\"approvers\":2')",
         "audit trail"),
        ("UPDATE requests SET state = 'approved', authors = '[]'", "audit trail"),
        ("UPDATE requests SET policy = '{}'", "was changed"),
        ("UPDATE requests SET risk = 'none'", "was changed"),
    ],
)  # fmt: skip
def test_what_is_written_into_the_store_approves_nothing(
    approvals: Approvals, in_review: InReview, home: Path, sql: str, told: str
) -> None:
    request = in_review(Risk.HIGH)
    approvals.approve(login("ann"), NAME, request.version)
    _forge(home, sql)
    with pytest.raises((Voided, StoreBroken), match=told):
        approvals.permitted(NAME, request.version)


@pytest.mark.parametrize(
    ("end", "was"),
    [
        (lambda it, version: it.withdraw(login("dan"), NAME, version, "It is dangerous"), "approved"),
        (lambda it, version: it.expire(), "submitted"),
        (lambda it, version: it.reject(login("ann"), NAME, version, "It is dangerous"), "in_review"),
    ],
)
def test_what_was_ended_is_not_begun_again_by_writing_into_the_store(
    approvals: Approvals, in_review: InReview, home: Path, clock: Clock, end: Callable[..., object], was: str
) -> None:
    request = in_review(Risk.LOW)
    if was == "approved":
        approvals.approve(login("bob"), NAME, request.version)
    clock.seconds += 4 * DAY_S if was == "submitted" else 0
    end(approvals, request.version)
    _forge(home, f"UPDATE requests SET state = '{was}', due = due + 864000")
    judge = {"submitted": approvals.review, "in_review": approvals.approve}.get(was)
    with pytest.raises(NotNow, match="audit trail tells that it was"):
        judge(login("bob"), NAME, request.version) if judge else approvals.permitted(NAME, request.version)


def test_a_rejection_that_is_signed_holds_though_its_signer_was_killed_then(
    approvals: Approvals, in_review: InReview
) -> None:
    request = in_review(Risk.LOW)
    reject = partial(approvals.reject, login("ann"), NAME, request.version, "Misses small nodules")
    with pytest.raises(EventNotRecorded):
        without_event("governance.approval.rejected", reject)
    with pytest.raises(NotNow, match="a rejection of it is signed"):
        approvals.approve(login("bob"), NAME, request.version)
    assert reject().state == "rejected"


def test_a_review_that_takes_too_long_expires(approvals: Approvals, in_review: InReview, clock: Clock) -> None:
    request = in_review(Risk.LOW)
    clock.seconds += 3 * DAY_S + 1
    assert request.state_at(approvals.people.now()) is State.EXPIRED, "also before anybody notices"
    with pytest.raises(NotNow, match="expired"):
        approvals.approve(login("bob"), NAME, request.version)
    (event,) = recorded("governance.approval.expired")
    assert event.actor == "lakeward"
    assert approvals.expire() == []


@pytest.mark.parametrize("due", ["due + 864000", "NULL"])
def test_no_time_is_gained_by_writing_into_the_store(
    approvals: Approvals, in_review: InReview, home: Path, clock: Clock, due: str
) -> None:
    request = in_review(Risk.LOW)
    clock.seconds += 3 * DAY_S + 1
    _forge(home, f"UPDATE requests SET due = {due}")
    with pytest.raises(Voided, match="not as the audit trail tells that it was submitted"):
        approvals.approve(login("bob"), NAME, request.version)


def test_an_emergency_is_reviewed_in_its_own_time_not_in_that_of_the_request_before(
    approvals: Approvals, in_review: InReview, home: Path
) -> None:
    request = in_review(Risk.HIGH)  # 14 days, and an emergency has 3
    approvals.emergency([login("eve"), login("ann")], NAME, request.version, Risk.HIGH, "Outage")
    _forge(home, f"UPDATE requests SET due = {request.due}")
    with pytest.raises(Voided, match="not as the audit trail tells"):
        approvals.permitted(NAME, request.version)


def test_one_who_rejects_is_enough_and_a_new_request_can_follow(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.HIGH)
    approvals.approve(login("bob"), NAME, request.version)
    with pytest.raises(NotAllowed, match="own work"):
        approvals.reject(login("max"), NAME, request.version, "Not mine")
    assert approvals.reject(login("ann"), NAME, request.version, "Misses small nodules").state == "rejected"
    with pytest.raises(NotNow, match="rejected"):
        approvals.approve(login("cat"), NAME, request.version)
    again = approvals.draft(login("dan"), NAME, request.version, Risk.HIGH)
    assert again.signed != request.signed, "so that no signature on the one is on the other"
    with pytest.raises(NotNow, match="already, draft"):
        approvals.draft(login("dan"), NAME, request.version, Risk.LOW)
    assert approvals.withdraw(login("dan"), NAME, request.version, "Trained anew").state == "withdrawn"


def test_who_ends_a_request_says_why(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.LOW)
    for end, user in ((approvals.reject, "ann"), (approvals.withdraw, "dan")):
        with pytest.raises(RequestRefused, match="takes a reason"):
            end(login(user), NAME, request.version, " ")
    assert _state(approvals, request) is State.IN_REVIEW


def test_what_is_not_there_can_not_be_asked_for(approvals: Approvals, models: Models) -> None:
    for model, version in ((NAME, "7"), ("other", "1"), (NAME, "x")):
        with pytest.raises(RequestRefused, match="has no version"):
            approvals.draft(login("dan"), model, version, Risk.LOW)
    with pytest.raises(RequestRefused, match="There is no request"):
        approvals.approve(login("bob"), NAME, "7")


def test_a_link_in_an_artefact_is_refused(approvals: Approvals, models: Models, tmp_path: Path) -> None:
    version = models.add()
    (models.files(version) / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(RequestRefused, match="link"):
        approvals.draft(login("dan"), NAME, version, Risk.LOW)


def test_who_was_killed_after_signing_approves_by_trying_again(approvals: Approvals, in_review: InReview) -> None:
    request = in_review(Risk.LOW)
    with pytest.raises(EventNotRecorded):
        without_event("governance.approval.approved", lambda: approvals.approve(login("bob"), NAME, request.version))
    assert _state(approvals, request) is State.IN_REVIEW, "what can't be recorded is not done"
    assert approvals.approve(login("bob"), NAME, request.version).state == "approved"


def test_an_emergency_takes_two_and_a_reason_and_is_reviewed_after_the_fact(
    approvals: Approvals, models: Models, tmp_path: Path, clock: Clock
) -> None:
    version = models.add()
    two = [login("eve"), login("ann")]
    with pytest.raises(RequestRefused, match="takes a reason"):
        approvals.emergency(two, NAME, version, Risk.LOW, " ")
    with pytest.raises(RequestRefused, match="2 people"):
        approvals.emergency([two[0], two[0]], NAME, version, Risk.LOW, "Outage")
    with pytest.raises(NotAllowed, match="own work"):
        approvals.emergency([two[0], login("max")], NAME, version, Risk.LOW, "Outage")
    with pytest.raises(NotAllowed, match=r"model\.promote"):
        approvals.emergency([two[1], login("bob")], NAME, version, Risk.LOW, "Outage")
    request = approvals.emergency(two, NAME, version, Risk.LOW, "Outage")
    assert request.state == "emergency"
    assert approvals.permitted(NAME, version) == request
    with pytest.raises(RequestRefused, match="needs evidence"):
        approvals.approve(login("bob"), NAME, version)
    for kind in DEFAULT.low.evidence:
        approvals.attach(login("dan"), NAME, version, kind, evidence(tmp_path, kind))
    assert approvals.permitted(NAME, version).state == "emergency", "evidence that comes later stops nothing"
    clock.seconds += 3 * DAY_S + 1
    assert approvals.store.latest(NAME, version).overdue(approvals.people.now())
    assert approvals.approve(login("bob"), NAME, version).state == "deployed"
    (event,) = recorded("governance.approval.reviewed_after")
    assert (event.details["decision"], event.details["approvers"]) == ("approved", {"bob": ["quality_manager"]})
    assert approvals.permitted(NAME, version).state == "deployed"


def test_what_was_signed_in_an_emergency_is_used_for_nothing_else(approvals: Approvals, models: Models) -> None:
    version = models.add()
    request = approvals.emergency([login("eve"), login("ann")], NAME, version, Risk.HIGH, "Outage")
    models.change(version)
    with pytest.raises(Voided):
        approvals.permitted(NAME, version)
    digest = versions.read(NAME, version).digest
    forged = replace(request, id="forged", digest=digest, state=State.DRAFT)
    for type_, told in (
        (witness.DRAFTED, witness.told(forged)),
        (witness.EMERGENCY, {"sha256": request.signed.sha256, "due": request.due}),
    ):
        details: Any = {**told, "request": forged.id}
        record(Event(type=type_, object=forged.object, actor="eve", details=details))
    approvals.store.add(forged)
    for then in (request, forged):
        done = Done(Act.EMERGENCY, State.EMERGENCY, "eve", 0, then.record.decode())
        approvals.store.done(forged, done, due=request.due)
    with pytest.raises(Voided, match="is another record"):
        approvals.permitted(NAME, version)
