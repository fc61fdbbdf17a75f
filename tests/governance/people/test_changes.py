"""A change of a person counts only if somebody has signed it who might make it; what else is written changes nobody."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeward.governance.people import changes, register
from lakeward.governance.people.errors import NotAllowed, PersonRefused
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.governance.people.store import Person
from lakeward.governance.people.verify import verify
from lakeward.governance.trail.notes import Signer
from lakeward.workspace.events import Event, record
from recorded import recorded

PASSWORD = "correct horse battery"
Join = Callable[..., Person]


def _forged(event: Event, **other: Any) -> Event:
    """An event as it was, anew, with other fields or facts: whoever can write to the trail can write it."""
    fields = {name: other.pop(name) for name in ("object", "actor", "type") if name in other}
    plain = event.model_dump(include={"object", "actor", "type", "details"})
    return Event(**{**plain, **fields, "details": {**event.details, **other}})


def _signed_by(signer: Signer, change: str, user: str, **other: Any) -> Event:
    """A change that somebody signs with a program of their own, past all of ours."""
    history = register.told()
    facts = {**register.now(user), **other}
    note = signer.sign(changes._text(change, user, facts, signer.verifier.name, history))
    told = {"type": f"governance.user.{change}", "object": user, "actor": signer.verifier.name}
    return Event(**told, details={**facts, "signed": note})


def _counts_for_nothing(people: People, event: Event) -> None:
    before = register.told()
    record(event)
    assert register.told() == before
    assert any("nobody has signed" in finding.detail for finding in verify(people).findings)


def test_what_somebody_else_writes_into_the_trail_gives_no_role(people: People, join: Join) -> None:
    join("ann", Role.DATA_SCIENTIST)
    added = recorded("governance.user.added")[-1]
    _counts_for_nothing(people, _forged(added, roles=["administrator"]))
    _counts_for_nothing(people, _forged(added, type="governance.user.roles_changed", roles=["administrator"]))
    assert people.let_in("ann", PASSWORD).roles == {Role.DATA_SCIENTIST}


def test_a_change_does_not_count_again_after_it_was_taken_back(people: People, root: Person, join: Join) -> None:
    join("ann")
    people.set_roles(root, "ann", [Role.ADMINISTRATOR])
    granted = recorded("governance.user.roles_changed")[-1]
    people.set_roles(root, "ann", [])
    _counts_for_nothing(people, _forged(granted))


def test_it_does_not_count_for_another(people: People, root: Person, join: Join) -> None:
    join("ann")
    join("ben")
    people.set_roles(root, "ann", [Role.ADMINISTRATOR])
    _counts_for_nothing(people, _forged(recorded("governance.user.roles_changed")[-1], object="ben"))


def test_nobody_signs_more_than_they_may(people: People, root: Person, join: Join) -> None:
    ann = join("ann", Role.COMPLIANCE_OFFICER)
    join("ben")
    assert ann.signer
    assert root.signer
    for change, user, facts in (
        ("roles_changed", "ann", {"roles": ["administrator"]}),
        ("password_changed", "ann", {"roles": ["administrator"]}),
        ("password_changed", "ben", {"key": str(ann.signer.verifier)}),
        ("confirmed", "ann", {"confirmed": "ann"}),
        ("confirmed", "ben", {"confirmed": "root"}),
        ("codes_set_up", "ann", {"codes": True, "height": "tall"}),
    ):
        _counts_for_nothing(people, _signed_by(ann.signer, change, user, **facts))
    for change, facts in (("added", {}), ("confirmed", {"confirmed": "root"}), ("reset", {"confirmed": "root"})):
        _counts_for_nothing(people, _signed_by(root.signer, change, "ben", **facts))


def test_nobody_confirms_a_first_key_which_who_gave_it_knows(
    people: People, root: Person, join: Join, home: Path
) -> None:
    cat = join("cat", Role.COMPLIANCE_OFFICER)
    people.add(root, "ann", "Dr. Ann", [], "a first password")
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("UPDATE people SET must_change = 0 WHERE user = 'ann'")
    with pytest.raises(PersonRefused, match="must change the first password"):
        people.confirm(cat, "ann")
    assert cat.signer
    _counts_for_nothing(people, _signed_by(cat.signer, "confirmed", "ann", confirmed="cat"))


def test_who_gives_another_way_in_does_not_keep_the_confirmation(people: People, root: Person, join: Join) -> None:
    cat, dan = join("cat", Role.COMPLIANCE_OFFICER), join("dan", Role.COMPLIANCE_OFFICER)
    people.confirm(cat, "dan")
    people.confirm(dan, "cat")
    assert root.signer
    puppet = str(Signer("cat", bytes(32)).verifier)
    _counts_for_nothing(people, _signed_by(root.signer, "reset", "cat", key=puppet))
    _counts_for_nothing(people, _signed_by(root.signer, "account_changed", "cat", account="0" * 8))


def test_whose_access_was_taken_away_changes_nobody(people: People, root: Person, join: Join) -> None:
    max_ = join("max", Role.ADMINISTRATOR)
    join("ann")
    people.set_active(root, "max", False)
    assert max_.signer
    _counts_for_nothing(people, _signed_by(max_.signer, "roles_changed", "ann", roles=["administrator"]))


def test_a_replaced_key_changes_nobody(people: People, root: Person, join: Join) -> None:
    max_ = join("max", Role.ADMINISTRATOR)
    people.reset(root, "max", "a second first password")
    people.change_password("max", "a second first password", "a third good password")
    with pytest.raises(NotAllowed, match="may not do this"):
        people.set_roles(max_, "root", [])
    assert Role.ADMINISTRATOR in people.find("root").roles


def test_who_came_in_without_a_password_changes_nobody(people: People, root: Person, join: Join) -> None:
    join("ann")
    with pytest.raises(NotAllowed, match="is signed"):
        people.set_roles(people.find("root"), "ann", [Role.ADMINISTRATOR])


def test_a_new_administrator_is_not_made_by_a_new_beginning(people: People, root: Person) -> None:
    eve = Signer("eve", bytes(32))
    facts = {**register.now("root"), "name": "Eve", "key": str(eve.verifier)}
    _counts_for_nothing(people, _signed_by(eve, "added", "eve", **facts))
