"""The registry: the alias goes only where governance has permitted it, and who moves it in MLflow is found."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from approving import NAME, Clock, Models, evidence, login
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.errors import EvidenceBroken, NotNow, RequestRefused, Voided
from lakeward.governance.approvals.policy import DEFAULT, Risk
from lakeward.governance.approvals.requests import DAY_S, Request
from lakeward.governance.people.errors import NotAllowed
from lakeward.training.registry import Registry
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import Event, record
from recorded import recorded, without_event


@pytest.fixture
def registry(approvals: Approvals, models: Models) -> Registry:
    return Registry(approvals)


@pytest.fixture
def approved(approvals: Approvals, in_review: Callable[..., Request]) -> Callable[[], str]:
    """A new version that is approved."""

    def make() -> str:
        return approvals.approve(login("bob"), NAME, in_review(Risk.LOW).version).version

    return make


@pytest.fixture
def three(registry: Registry, approved: Callable[[], str]) -> list[str]:
    """Three versions that were champions one after the other."""
    versions = [approved() for _ in range(3)]
    for version in versions:
        registry.promote(login("eve"), NAME, version)
    return versions


def test_an_approved_version_becomes_the_champion(
    registry: Registry, models: Models, approved: Callable[[], str]
) -> None:
    version = approved()
    with pytest.raises(NotAllowed):
        registry.promote(login("bob"), NAME, version)
    request = registry.promote(login("eve"), NAME, version)
    assert (models.champion, request.state) == (version, "deployed")
    (event,) = recorded("training.model.promoted")
    assert (event.object, event.actor) == (f"model/{NAME}/{version}", "eve")
    told = {"alias": "champion", "digest": request.digest, "request": request.id, "before": None}
    assert event.details == told
    with pytest.raises(NotNow, match="already"):
        registry.promote(login("eve"), NAME, version)
    assert registry.drift() == []


def test_nothing_else_does_and_the_try_is_recorded(
    registry: Registry, models: Models, in_review: Callable[..., Request], approved: Callable[[], str]
) -> None:
    version, changed, lost = in_review(Risk.LOW).version, approved(), approved()
    with pytest.raises(NotNow, match="in_review"):
        registry.promote(login("eve"), NAME, version)
    models.change(changed)
    with pytest.raises(Voided):
        registry.promote(login("eve"), NAME, changed)
    kept = registry.approvals.store.latest(NAME, lost).evidence[0]
    registry.approvals.evidence.path(kept.sha256).unlink()
    with pytest.raises(EvidenceBroken):
        registry.promote(login("eve"), NAME, lost)
    with pytest.raises(RequestRefused, match="no request"):
        registry.promote(login("eve"), NAME, models.add())
    assert models.champion is None
    assert [event.outcome for event in recorded("training.model.promoted")] == ["refused"] * 4


def test_it_goes_back_to_the_champion_before_or_the_one_that_is_named(
    registry: Registry, models: Models, three: list[str]
) -> None:
    first, second, third = three
    registry.rollback(login("eve"), NAME, "Misses small nodules")
    assert models.champion == second
    registry.rollback(login("eve"), NAME, "So does this one")
    assert models.champion == first, "not to the one that was left for a reason"
    with pytest.raises(RequestRefused, match="no former"):
        registry.rollback(login("eve"), NAME, "And this")
    with pytest.raises(NotNow, match="rollback"):
        registry.promote(login("eve"), NAME, third)
    assert [event.reason for event in recorded("training.model.rolled_back")] == [
        "Misses small nodules",
        "So does this one",
    ]


def test_it_never_goes_back_to_what_was_retired_or_changed(
    registry: Registry, models: Models, three: list[str]
) -> None:
    first, second, _ = three
    registry.retire(login("eve"), NAME, second, "Scanner replaced")
    models.change(first)
    with pytest.raises(RequestRefused, match="no former"):
        registry.rollback(login("eve"), NAME, "Misses", second)
    with pytest.raises(Voided):
        registry.rollback(login("eve"), NAME, "Misses")
    assert models.champion == three[2]


def test_a_champion_that_is_retired_leaves_none(registry: Registry, models: Models, three: list[str]) -> None:
    assert registry.retire(login("eve"), NAME, three[2], "Scanner replaced").state == "retired"
    assert models.champion is None
    assert registry.drift() == []
    registry.rollback(login("eve"), NAME, "The one before still serves")
    assert models.champion == three[1]


def test_what_the_trail_tells_was_retired_is_not_used_again(
    registry: Registry, models: Models, three: list[str], home: Path
) -> None:
    registry.retire(login("eve"), NAME, three[1], "Scanner replaced")
    with closing(sqlite3.connect(home / "governance" / "approvals.sqlite")) as store, store:
        store.execute("UPDATE requests SET state = 'deployed'")
    with pytest.raises(NotNow, match="audit trail tells that it was retired"):
        registry.rollback(login("eve"), NAME, "Misses")
    assert models.champion == three[2]


def test_an_alias_that_was_moved_in_mlflow_is_found_and_recorded_once(
    registry: Registry, models: Models, three: list[str]
) -> None:
    models.client.set_registered_model_alias(NAME, "champion", three[0])
    for _ in range(2):
        assert [(it.finding, it.version) for it in registry.drift()] == [("alias_changed_outside", three[0])]
    models.client.delete_registered_model_alias(NAME, "champion")
    assert [it.detail for it in registry.drift()] == [f"champion is gone; through the registry it was {three[2]}."]
    events = recorded("training.model.alias_changed_outside")
    assert [(event.details["version"], event.details["expected"]) for event in events] == [
        (three[0], three[2]),
        (None, three[2]),
    ]
    registry.promote(login("eve"), NAME, three[2])
    assert (models.champion, registry.drift()) == (three[2], [])


def test_an_alias_that_was_never_set_here_is_found(registry: Registry, models: Models) -> None:
    models.client.set_registered_model_alias(NAME, "champion", models.add())
    assert [it.finding for it in registry.drift()] == ["alias_changed_outside"]


def test_a_champion_whose_files_were_changed_is_found(registry: Registry, models: Models, three: list[str]) -> None:
    models.change(three[2])
    assert [it.finding for it in registry.drift()] == ["not_as_approved"]
    assert [it.finding for it in registry.drift()] == ["not_as_approved"], "until it is put right"
    assert len(recorded("governance.approval.voided")) == 1
    registry.rollback(login("eve"), NAME, "Files were changed")
    assert registry.drift() == []


def test_a_champion_is_approved_anew_after_its_files_were_changed(
    registry: Registry, models: Models, approved: Callable[[], str], tmp_path: Path
) -> None:
    version = approved()
    registry.promote(login("eve"), NAME, version)
    models.change(version)
    assert [it.finding for it in registry.drift()] == ["not_as_approved"]
    registry.approvals.draft(login("dan"), NAME, version, Risk.LOW)
    assert [it.finding for it in registry.drift()] == ["not_as_approved"], "a draft approves nothing"
    for kind in DEFAULT.low.evidence:
        registry.approvals.attach(login("dan"), NAME, version, kind, evidence(tmp_path, kind))
    registry.approvals.submit(login("dan"), NAME, version)
    for act in (registry.approvals.review, registry.approvals.approve):
        act(login("bob"), NAME, version)
    assert registry.promote(login("eve"), NAME, version).state == "deployed"
    assert registry.drift() == []


def test_what_can_not_be_recorded_moves_nothing(
    registry: Registry, models: Models, approved: Callable[[], str]
) -> None:
    version = approved()
    with pytest.raises(EventNotRecorded):
        without_event("training.model.promoted", lambda: registry.promote(login("eve"), NAME, version))
    assert models.champion is None
    assert registry.drift() == []
    models.client.set_registered_model_alias(NAME, "champion", version)
    for _ in range(2):
        with pytest.raises(EventNotRecorded):
            without_event("training.model.alias_changed_outside", registry.drift)
    assert [it.finding for it in registry.drift()] == ["alias_changed_outside"]
    assert len(recorded("training.model.alias_changed_outside")) == 1


class Killed(BaseException):
    """The end of a process, as what is under way sees it."""

    @classmethod
    def die(cls, *_: object) -> None:
        raise cls


@pytest.mark.parametrize("act", ["promote", "rollback", "retire"])
def test_who_was_killed_does_it_again(
    registry: Registry, models: Models, approved: Callable[[], str], monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    store = registry.approvals.store
    alias = "delete_registered_model_alias" if act == "retire" else "set_registered_model_alias"
    registry.promote(login("eve"), NAME, approved())
    for owner, name in ((store, "add_move"), (registry._client, alias), (store, "finish")):
        before, new = models.champion, approved()
        if act != "promote":
            registry.promote(login("eve"), NAME, new)
        do, wanted = {
            "promote": (partial(registry.promote, login("eve"), NAME, new), new),
            "rollback": (partial(registry.rollback, login("eve"), NAME, "Misses"), before),
            "retire": (partial(registry.retire, login("eve"), NAME, new, "Old"), None),
        }[act]
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, Killed.die)
            with pytest.raises(Killed):
                do()
        told = {alias: ["move_unfinished"], "add_move": ["not_as_approved"] if act == "retire" else []}
        assert [it.finding for it in registry.drift()] == told.get(name, []), name
        do()
        assert (models.champion, registry.drift()) == (wanted, []), name
        assert store.moves(NAME)[-1].done
    assert recorded("training.model.alias_changed_outside") == []


def test_an_emergency_is_in_use_at_once_and_its_review_becomes_due(
    registry: Registry, models: Models, three: list[str], clock: Clock, tmp_path: Path
) -> None:
    version = models.add()
    two = [login("eve"), login("bob")]
    registry.emergency(two, NAME, version, Risk.LOW, "Champion fails on the new scanner")
    assert (models.champion, registry.drift()) == (version, [])
    clock.seconds += 3 * DAY_S + 1
    assert [it.finding for it in registry.drift()] == ["review_overdue"]
    for kind in DEFAULT.low.evidence:
        registry.approvals.attach(login("dan"), NAME, version, kind, evidence(tmp_path, kind))
    registry.approvals.reject(login("ann"), NAME, version, "Misses small nodules")
    assert [it.finding for it in registry.drift()] == ["not_as_approved"]
    registry.rollback(login("eve"), NAME, "Rejected after the fact")
    assert (models.champion, registry.drift()) == (three[2], [])


def test_a_policy_that_somebody_only_told_the_trail_of_is_found(registry: Registry) -> None:
    weaker = DEFAULT.model_copy(update={"high": DEFAULT.low})
    record(Event(type="governance.policy.changed", object=f"policy/{weaker.sha256}", actor="ann"))
    (found,) = registry.drift()
    assert (found.finding, weaker.sha256[:12] in found.detail) == ("policy_not_signed", True)


def test_what_was_not_reviewed_in_time_does_not_become_the_champion_again(
    registry: Registry, models: Models, three: list[str], clock: Clock
) -> None:
    version = models.add()
    registry.emergency([login("eve"), login("ann")], NAME, version, Risk.LOW, "Champion fails on the new scanner")
    models.client.delete_registered_model_alias(NAME, "champion")
    clock.seconds += 3 * DAY_S + 1
    with pytest.raises(NotNow, match="overdue"):
        registry.promote(login("eve"), NAME, version)
    registry.rollback(login("eve"), NAME, "Not reviewed")
    with pytest.raises(NotNow, match="overdue"):
        registry.promote(login("eve"), NAME, version)
    assert models.champion == three[2]


def test_who_registers_a_model_is_its_author(registry: Registry, models: Models) -> None:
    logged = models.log()
    version = registry.register(login("dan"), "lesions", logged)
    (event,) = recorded("training.model.registered")
    assert (event.actor, event.object, event.details["logged_model"]) == ("dan", "model/lesions", logged)
    assert registry.approvals.draft(login("eve"), "lesions", version, Risk.LOW).authors >= {"dan", "eve"}
    assert registry.register(login("dan"), "lesions", logged) == "2"
    for name in ("lakeward.author", "mlflow.user"):
        models.client.delete_model_version_tag("lesions", "2", name)
    assert registry.approvals.draft(login("eve"), "lesions", "2", Risk.LOW).is_by("dan"), "for good"
    with pytest.raises(NotAllowed):
        registry.register(login("bob"), "lesions", logged)
    for name, id_ in (("lesions", "m-0"), ("a/b", logged), ("it's", logged)):
        with pytest.raises(RequestRefused, match="does not register"):
            registry.register(login("dan"), name, id_)
    with pytest.raises(RequestRefused, match="has spaces"):
        registry.register(login("dan"), "my lesions", logged)
    assert "model/my lesions" not in {event.object for event in recorded("training.model.registered")}
