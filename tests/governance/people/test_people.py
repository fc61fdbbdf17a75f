"""People: who is let in, who is not, and what each may do."""

from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest

from lakeward.governance.people.errors import NotAllowed, NotLetIn, PersonRefused
from lakeward.governance.people.people import LOCKED_S, MOST_FAILURES, PASSWORD_DAYS, People
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.store import Person
from recorded import recorded

PASSWORD = "correct horse battery"
Join = Callable[..., Person]


def test_the_first_person_is_an_administrator_and_adds_the_others(people: People, root: Person, join: Join) -> None:
    assert Role.ADMINISTRATOR in root.roles
    assert join("ann", Role.DATA_SCIENTIST).roles == {Role.DATA_SCIENTIST}
    with pytest.raises(NotAllowed, match="needs the role administrator"):
        people.add(people.find("ann"), "bob", "Bob", [], PASSWORD)
    with pytest.raises(NotAllowed):
        people.add(None, "bob", "Bob", [], PASSWORD)


def test_an_identity_is_never_given_again(people: People, root: Person, join: Join) -> None:
    join("ann")
    people.set_active(root, "ann", False)
    with pytest.raises(PersonRefused, match="never given again"):
        people.add(root, "ann", "Another Ann", [], PASSWORD)


@pytest.mark.parametrize("user", ["A", "a", "ann lee", "ann\n", "ä" * 4, "x" * 33, "../ann", "ann+1"])
def test_an_identity_is_plain(people: People, root: Person, user: str) -> None:
    with pytest.raises(PersonRefused):
        people.add(root, user, "Ann", [], PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "aaaaaaaaaaaaaaaa", "x" * 257])
def test_a_weak_password_is_refused_and_nothing_is_stored(people: People, root: Person, password: str) -> None:
    with pytest.raises(PersonRefused):
        people.add(root, "ann", "Ann", [], password)
    assert people.store.person("ann") is None


def test_a_first_password_must_be_changed(people: People, root: Person) -> None:
    people.add(root, "ann", "Ann", [], "a first password")
    with pytest.raises(NotLetIn, match="must be changed"):
        people.let_in("ann", "a first password")
    people.change_password("ann", "a first password", PASSWORD)
    assert people.let_in("ann", PASSWORD).user == "ann"


def test_too_many_failures_lock_somebody_out_for_a_while(people: People, join: Join, clock: "object") -> None:
    join("ann")
    for _ in range(MOST_FAILURES):
        with pytest.raises(NotLetIn, match="is wrong"):
            people.let_in("ann", "not the password")
    with pytest.raises(NotLetIn, match="locked for another 900 s"):
        people.let_in("ann", PASSWORD)
    clock.seconds += LOCKED_S + 1  # type: ignore[attr-defined]
    assert people.let_in("ann", PASSWORD)
    assert people.find("ann").failures == 0


def test_nobody_learns_who_there_is(people: People, join: Join) -> None:
    join("ann")
    said = []
    for user in ("ann", "nobody"):
        with pytest.raises(NotLetIn) as refused:
            people.let_in(user, "not the password")
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_a_password_expires_and_is_not_used_again(people: People, join: Join, clock: "object") -> None:
    join("ann")
    clock.seconds += (PASSWORD_DAYS + 1) * 86_400  # type: ignore[attr-defined]
    with pytest.raises(NotLetIn, match="older than"):
        people.let_in("ann", PASSWORD)
    with pytest.raises(PersonRefused, match="one of the last"):
        people.change_password("ann", PASSWORD, PASSWORD)
    people.change_password("ann", PASSWORD, "another good password")
    with pytest.raises(PersonRefused, match="one of the last"):
        people.change_password("ann", "another good password", PASSWORD)


def test_whose_access_was_taken_away_is_not_let_in(people: People, root: Person, join: Join) -> None:
    join("ann")
    people.set_active(root, "ann", False)
    with pytest.raises(NotLetIn, match="taken away"):
        people.let_in("ann", PASSWORD)


def test_there_is_always_an_administrator(people: People, root: Person, join: Join) -> None:
    for change in (lambda: people.set_active(root, "root", False), lambda: people.set_roles(root, "root", [])):
        with pytest.raises(PersonRefused, match="last administrator"):
            change()
    join("ann", Role.ADMINISTRATOR)
    people.set_roles(people.find("ann"), "root", [])
    assert people.find("root").roles == frozenset()


def test_a_code_is_the_second_factor_and_is_used_once(people: People, join: Join, clock: "object") -> None:
    join("ann")
    codes = pyotp.parse_uri(people.set_up_codes("ann", PASSWORD))
    assert isinstance(codes, pyotp.TOTP)
    now = int(clock.seconds)  # type: ignore[attr-defined]
    for wrong in (None, "", "000000", codes.at(now - 120)):
        with pytest.raises(NotLetIn, match="is wrong"):
            people.let_in("ann", PASSWORD, wrong)
    assert people.let_in("ann", PASSWORD, codes.at(now))
    with pytest.raises(NotLetIn, match="is wrong"):
        people.let_in("ann", PASSWORD, codes.at(now))
    clock.seconds += 30  # type: ignore[attr-defined]
    people.change_password("ann", PASSWORD, "another good password", codes.at(now + 30))
    clock.seconds += 30  # type: ignore[attr-defined]
    assert people.let_in("ann", "another good password", codes.at(now + 60))


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_the_matrix_of_roles_and_actions_holds(people: People, action: Action, role: Role) -> None:
    somebody = Person("x", "X", frozenset({role}), "", (), b"", "", None, 0, True, 0, 0, 0, False)
    if role in MATRIX[action]:
        people.allow(somebody, action)
    else:
        with pytest.raises(NotAllowed):
            people.allow(somebody, action)


def test_nobody_both_makes_and_approves_or_manages_and_approves() -> None:
    assert not MATRIX[Action.SUBMIT_MODEL] & MATRIX[Action.APPROVE_MODEL]
    assert not MATRIX[Action.MANAGE_PEOPLE] & MATRIX[Action.APPROVE_MODEL]


def test_each_change_and_each_try_is_on_record_without_a_password(people: People, join: Join, home: Path) -> None:
    join("ann")
    with pytest.raises(NotLetIn):
        people.let_in("ann", "not the password")
    types = [event.type for event in recorded()]
    assert {"governance.user.added", "governance.user.password_changed", "governance.login.failed"} <= set(types)
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    for password in (PASSWORD, "a first password", "not the password"):
        assert password.encode() not in kept
