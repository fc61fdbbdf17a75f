"""Each check: met where all is well, red where one thing is broken, no evidence where there is nothing."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import rfc8785

from furnished import MODEL, NOW, PASSWORD, PERIOD, RUN, SAMPLE, World, write_table
from lakeward.governance.people.roles import Role
from lakeward.governance.people.signatures import Signed
from lakeward.governance.people.store import Person
from lakeward.governance.reports.checks import people
from lakeward.governance.reports.checks.all import run
from lakeward.governance.reports.checks.check import CHECKS, Result
from lakeward.governance.reports.stores import Period, Stores
from lakeward.governance.trail.anchors import anchor
from lakeward.workspace.events import use_sink
from lakeward.workspace.settings import settings

LONGER = Period(PERIOD.first, PERIOD.last + timedelta(days=1))
DAY_BEFORE = Period(date(2026, 11, 1), date(2026, 11, 1))
LATER = NOW + timedelta(days=200)


class Broken(NamedTuple):
    """What breaks a thing, and when it is looked at."""

    break_: Callable[[World], Any] = lambda world: None
    period: Period = PERIOD
    now: Any = NOW


def _sql(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        assert connection.execute(sql).rowcount


def _trail(sql: str) -> Callable[[World], None]:
    return lambda world: _sql(world.trail.store.path, sql)


def _people(sql: str) -> Callable[[World], None]:
    return lambda world: _sql(settings().home / "governance" / "people.sqlite", sql)


def _told(*what: Any, times: int = 1, **fields: Any) -> Callable[[World], None]:
    return lambda world: [world.tell(*what, **fields) for _ in range(times)] and None


def _root(world: World) -> Person:
    return world.people.let_in("root", PASSWORD, world.code("root"))


def _lock_out_told_of_before(world: World) -> None:
    world.tell("governance.user.lockouts_passed_on", "lockouts", details={"until": 10**9})
    world.tell("governance.user.locked", "ben")


def _came_in_with_a_first_password(world: World) -> None:
    world.people.add(_root(world), "zoe", "Dr. Zoe Lee", [Role.DATA_SCIENTIST], PASSWORD[::-1])
    world.tell("governance.login.succeeded", "zoe", "zoe")


def _lose_heads(world: World) -> None:
    place = settings().home.parent / "own-heads"
    place.mkdir()
    Path(anchor(world.trail, str(place))).unlink()


WRONG = "Identity, password or code is wrong."
EDIT = "UPDATE recent SET data = replace(data, 'cohort', 'c') || ' ' WHERE sequence = 30"
BROKEN = {
    "audit_intact": Broken(_trail(EDIT)),
    "audit_continuous": Broken(period=LONGER, now=NOW),
    "audit_anchored": Broken(_lose_heads),
    "audit_reviewed": Broken(period=DAY_BEFORE),
    "audit_detailed": Broken(_told("imaging.export.started", "")),
    "audit_kept": Broken(_told("governance.audit.retired", "trail", details={"day": "2026-01-01", "before": 0})),
    "stores_private": Broken(lambda world: world.trail.folder.chmod(0o755)),
    "duties_separated": Broken(
        lambda world: world.people.set_roles(_root(world), "ann", [Role.ML_ENGINEER, Role.CLINICAL_REVIEWER])
    ),
    "actors_known": Broken(_told("imaging.export.started", "imaging.images", "mallory")),
    "acts_by_right": Broken(_told("governance.audit.held", "case-1", "ben")),
    "losses_replaced": Broken(_told("governance.user.reset", "ann", "root")),
    "accounts_used": Broken(now=LATER),
    "identities_unique": Broken(_told("governance.user.added", "ann", "root")),
    "people_as_told": Broken(_people("UPDATE people SET roles = '[\"administrator\"]' WHERE user = 'ann'")),
    "passwords_fresh": Broken(now=LATER),
    "passwords_hashed": Broken(_people("UPDATE people SET password = 'swordfish' WHERE user = 'ann'")),
    "passwords_alone_fresh": Broken(_people("UPDATE people SET sealed_totp = NULL WHERE user = 'ann'"), now=LATER),
    "passwords_not_reused": Broken(_people("UPDATE people SET earlier = '[]' WHERE user = 'ann'")),
    "first_passwords_changed": Broken(_came_in_with_a_first_password),
    "second_factor": Broken(lambda world: world.people.reset(_root(world), "ann", PASSWORD[::-1])),
    "lockout_works": Broken(_told("governance.login.failed", "ann", outcome="refused", reason=WRONG, times=6)),
    "lockouts_passed_on": Broken(_lock_out_told_of_before, now=NOW + timedelta(hours=2)),
    "signatures_valid": Broken(_people("DELETE FROM signatures WHERE number = 1")),
    "signers_confirmed": Broken(lambda world: world.sign("carl", Signed("report", "r", "ab" * 32))),
    "signatures_by_login": Broken(_told("governance.signature.made", "approval/r-9")),
    "promotions_approved": Broken(_told("training.model.promoted", MODEL, details={"request": "r-77"})),
    "approvers_others": Broken(_told("governance.approval.approved", MODEL, "ann", details={"request": "r-02"})),
    "emergencies_reviewed": Broken(_told("governance.approval.emergency", MODEL, details={"request": "r-2", "due": 1})),
    "registry_untouched": Broken(_told("training.model.alias_changed_outside", MODEL)),
    "inputs_accounted": Broken(lambda world: write_table("imaging.runs", **{**RUN, "found": [10]})),
    "quarantine_attended": Broken(now=LATER),
    "masking_looked_at": Broken(
        lambda world: write_table("imaging.reviews", sampled_at=[PERIOD.begin], verdict=["face"], **SAMPLE)
    ),
    "lookups_reasoned": Broken(_told("imaging.crosswalk.looked_up", "LW1", "ben")),
    "erasures_done": Broken(_told("imaging.patient.withdrawn", "0f" * 32, "carl")),
    "audit_reviewed_daily": Broken(period=LONGER, now=NOW + timedelta(days=1)),
    "backups_daily": Broken(period=LONGER, now=NOW + timedelta(days=1)),
    "backups_verified": Broken(_told("governance.backup.failed", "backup/1", outcome="failure")),
}


def test_each_check_is_broken_here() -> None:
    assert {*BROKEN, "lockout_long", "tables_unaltered"} == set(CHECKS)


def test_all_are_met_where_all_is_as_it_should_be(world: World) -> None:
    others = {it.check.name: it.detail for it in run(Stores(PERIOD, NOW)).values() if it.result is not Result.MET}
    assert list(others) == ["tables_unaltered"], "no backup was really made here"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_thing_turns_its_check_red(world: World, name: str) -> None:
    broken = BROKEN[name]
    broken.break_(world)
    proof = world.proof(name, broken.period, broken.now)
    assert proof.result is Result.NOT_MET, proof.detail


@pytest.mark.parametrize("what", ["approvals_voided", "voided", "withdrawn"])
def test_what_is_no_review_is_none_of_an_emergency(world: World, what: str) -> None:
    request = {"request": "r-2", "due": NOW.timestamp() - 1}
    world.tell("governance.approval.emergency", MODEL, details=request)
    world.tell(f"governance.approval.{what}", MODEL, details=request)
    assert world.proof("emergencies_reviewed").result is Result.NOT_MET
    world.tell("governance.approval.reviewed_after", MODEL, details={**request, "decision": "rejected"})
    assert world.proof("emergencies_reviewed").result is Result.MET


def test_an_emergency_that_waits_for_its_review_is_told_with_its_end(world: World) -> None:
    for number, hours in enumerate((30, 20)):
        details = {"request": f"r-{number}", "due": (NOW + timedelta(hours=hours)).timestamp()}
        world.tell("governance.approval.emergency", MODEL, details=details)
    proof = world.proof("emergencies_reviewed")
    assert proof.result is Result.MET
    assert proof.detail.endswith(f"0 not reviewed in time; 2 wait, due {NOW + timedelta(hours=20):%Y-%m-%d %H:%M} UTC")


@pytest.mark.parametrize(
    ("type_", "outcome", "decision"),
    [
        ("approved", "refused", "approved"),
        ("emergency", "refused", ""),
        ("reviewed_after", "refused", "approved"),
        ("reviewed_after", "success", "rejected"),
    ],
)
def test_what_was_refused_or_rejected_approves_no_promotion(
    world: World, type_: str, outcome: str, decision: str
) -> None:
    request = {"request": "r-9"}
    details = {**request, "decision": decision, "due": 1}
    world.tell(f"governance.approval.{type_}", MODEL, outcome=outcome, details=details)
    world.tell("training.model.promoted", MODEL, details=request)
    assert world.proof("promotions_approved").result is Result.NOT_MET
    assert world.proof("emergencies_reviewed").result is Result.MET, "an emergency that was refused is none"


def test_who_was_refused_to_approve_their_own_has_not(world: World) -> None:
    world.tell("governance.approval.drafted", MODEL, "ann", details={"request": "r-9"})
    world.tell("governance.approval.approved", MODEL, "ann", outcome="refused", details={"request": "r-9"})
    assert world.proof("approvers_others").result is Result.MET


def test_a_backup_that_failed_while_it_was_made_is_none(world: World) -> None:
    world.clock.at = LONGER.end - timedelta(hours=1)
    world.tell("governance.backup.created", "backup/20261104T230000Z")
    after = NOW + timedelta(days=1)
    assert world.proof("backups_daily", LONGER, after).result is Result.MET
    world.tell("governance.backup.failed", "backup", outcome="failure")
    assert world.proof("backups_daily", LONGER, after).result is Result.NOT_MET


def test_days_before_the_first_backup_need_none(world: World) -> None:
    whole = Period(date(2026, 10, 1), PERIOD.last)
    proof = world.proof("backups_daily", whole)
    assert (proof.result, proof.detail[:26]) == (Result.MET, "2 of 2 days have a backup;")
    assert world.proof("backups_daily", PERIOD, PERIOD.begin + timedelta(hours=20)).result is Result.NONE


def test_modes_of_folders_say_nothing_of_a_trail_in_a_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEWARD_AUDIT_STORE", "postgresql://host/trail")
    settings.cache_clear()
    assert world.proof("stores_private").result is Result.NONE
    world.trail.folder.chmod(0o755)
    assert world.proof("stores_private").result is Result.NOT_MET


def test_a_job_that_goes_through_the_trail_is_no_person_who_looks_at_it(world: World) -> None:
    world.clock.at = LONGER.end - timedelta(hours=1)
    later = Period(LONGER.last, LONGER.last)
    world.tell("governance.audit.reviewed", "trail", "scheduler")
    after = NOW + timedelta(days=1)
    assert world.proof("audit_reviewed_daily", later, after).result is Result.MET
    assert world.proof("audit_reviewed", later, after).result is Result.NOT_MET
    world.tell("governance.audit.reviewed", "trail", "carl")
    assert world.proof("audit_reviewed", later, after).result is Result.MET


def test_a_withdrawal_that_was_interrupted_is_found(world: World, home: Path) -> None:
    plans = home / "intake" / "withdrawals"
    plans.mkdir()
    (plans / "a").write_text("{}")
    assert world.proof("erasures_done").result is Result.NOT_MET
    (plans / "a").unlink()
    assert world.proof("erasures_done").result is Result.MET
    world.tell("imaging.patient.withdrawn", "0e" * 32, "carl", reason="Consent was withdrawn")
    assert world.proof("erasures_done").result is Result.NOT_MET


def test_an_edited_signature_is_found(world: World) -> None:
    _people("UPDATE signatures SET note = replace(note, 'approval', 'approvaI') WHERE number = 1")(world)
    assert world.proof("signatures_valid").result is Result.NOT_MET


@pytest.mark.parametrize(("seconds", "result"), [(29 * 60, Result.NOT_MET), (30 * 60, Result.MET)])
def test_a_short_lock_is_not_enough(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: int, result: Result
) -> None:
    monkeypatch.setattr(people, "LOCKED_S", seconds)
    assert world.proof("lockout_long").result is result


def test_a_real_lock_out_is_one(world: World) -> None:
    for _ in range(7):
        with pytest.raises(Exception, match=r"wrong|locked"):
            world.people.let_in("ann", "not the password", world.code("ann"))
    proof = world.proof("lockout_works")
    assert (proof.result, proof.detail) == (
        Result.MET,
        "7 failed logins, 3 locks, 0 that should have been and were not",
    )


@pytest.mark.parametrize(
    ("type_", "actor"),
    [
        ("imaging.export.started", "ben"),
        ("imaging.crosswalk.looked_up", "ann"),
        ("imaging.patient.withdrawn", "ben"),
        ("workspace.table.restored", "carl"),
    ],
)
def test_who_touches_patient_data_or_tables_needs_the_role_for_it(world: World, type_: str, actor: str) -> None:
    world.tell(type_, "LWABCDEFGHIJKLMN", actor)
    assert world.proof("acts_by_right").result is Result.NOT_MET


def test_the_machines_user_touches_patient_data_only_while_nobody_was_added(home: Path) -> None:
    before = use_sink(None)
    world = World(PERIOD.begin)
    world.tell("imaging.export.started", "imaging.images", "os:root")
    world.people.add(None, "root", "Rita Root", [], PASSWORD)
    proofs = [world.proof("actors_known")]
    world.tell("imaging.export.started", "imaging.images", "os:root")
    proofs.append(world.proof("actors_known"))
    use_sink(before)
    assert [proof.result for proof in proofs] == [Result.MET, Result.NOT_MET]


@pytest.mark.usefixtures("home")
def test_nothing_is_met_where_there_is_nothing() -> None:
    results = {name: it.result for name, it in run(Stores(PERIOD, NOW)).items() if name != "lockout_long"}
    assert set(results.values()) == {Result.NONE}


def test_evidence_is_canonical_and_names_no_patient(world: World) -> None:
    for proof in run(Stores(PERIOD, NOW)).values():
        assert rfc8785.dumps(json.loads(proof.evidence)) == proof.evidence
        assert sha256(proof.evidence).hexdigest() == proof.sha256
        assert b"LWABCDEFGHIJKLMN" not in proof.evidence
