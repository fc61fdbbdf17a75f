"""People: who is let in, who is not, and what each may do."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyotp
import pytest

from cut_short import killed
from issuer import ACCOUNT
from lakeward.governance.people import sealing
from lakeward.governance.people.entrance import LOCKED_S, MOST_FAILURES, PASSWORD_DAYS
from lakeward.governance.people.errors import NotAllowed, NotLetIn, PersonRefused, StoreDamaged
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.store import Person
from lakeward.governance.people.verify import verify
from lakeward.governance.trail.sink import trail_of
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import use_sink
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
    with pytest.raises(NotLetIn, match="locked for 30 minutes"):
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


def test_a_password_that_is_typed_in_place_of_the_identity_is_not_recorded(people: People, join: Join) -> None:
    join("ann")
    for typed in (PASSWORD, "Ann"):
        with pytest.raises(NotLetIn):
            people.let_in(typed, "ann")
    assert {event.object for event in recorded("governance.login.failed")} == {"(unknown)"}


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
    people.set_roles(people.let_in("ann", PASSWORD), "root", [])
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


RIGHTS = """
                administrator data_scientist ml_engineer clinical_reviewer quality_manager compliance_officer
people.manage   x             .              .           .                 .               .
people.confirm  x             .              .           .                 .               x
policy.change   .             .              .           .                 x               x
model.submit    .             x              x           .                 .               .
model.attach    .             x              x           x                 x               x
model.lower_risk .            .              .           .                 x               x
model.review    .             .              .           x                 x               x
model.approve   .             .              .           x                 x               x
model.promote   .             .              x           .                 .               .
report.sign     .             .              .           .                 .               x
audit.keep      .             .              .           .                 .               x
audit.destroy   .             .              .           .                 x               x
patient.identify .            .              .           x                 .               x
patient.withdraw .            .              .           .                 .               x
image.export    .             x              x           .                 .               .
image.review    .             .              .           x                 x               .
key.rotate      x             .              .           .                 .               x
table.restore   x             .              x           .                 .               .
"""


def test_each_role_may_do_what_this_table_says_and_nothing_else(people: People, join: Join) -> None:
    roles, *rows = [line.split() for line in RIGHTS.strip().splitlines()]
    assert [Role(role) for role in roles] == list(Role)
    assert [Action(row[0]) for row in rows] == list(Action)
    for role, *marks in zip(roles, *(row[1:] for row in rows), strict=True):
        somebody = join(role, Role(role))
        for action, mark in zip(Action, marks, strict=True):
            if mark == "x":
                people.allow(somebody, action)
            else:
                with pytest.raises(NotAllowed):
                    people.allow(somebody, action)


def test_a_role_that_somebody_wrote_into_the_store_allows_nothing(people: People, join: Join, home: Path) -> None:
    ann = join("ann")
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("""UPDATE people SET roles = '["administrator"]' WHERE user = 'ann'""")
    with pytest.raises(NotAllowed, match="audit trail"):
        people.set_roles(people.find("ann"), "ann", [Role.ADMINISTRATOR])
    with pytest.raises(NotLetIn, match="audit trail"):
        people.let_in("ann", PASSWORD)
    assert ann.roles == frozenset()


def test_an_entry_that_can_not_be_read_is_told_of(people: People, join: Join, home: Path) -> None:
    join("ann")
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("""UPDATE people SET roles = '["king"]' WHERE user = 'ann'""")
    with pytest.raises(StoreDamaged, match="entry of ann"):
        people.let_in("ann", PASSWORD)


def test_whoever_empties_the_store_becomes_no_administrator(people: People, join: Join, home: Path) -> None:
    join("ann")
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("DELETE FROM people")
    with pytest.raises(PersonRefused, match="root, ann, whom the store lacks"):
        people.add(None, "eve", "Eve", [], PASSWORD)


def test_what_can_not_be_recorded_changes_nobody(people: People, root: Person, join: Join) -> None:
    join("ann")

    def full(event: object) -> None:
        raise OSError("no space left")

    before = use_sink(full)
    try:
        with pytest.raises(EventNotRecorded):
            people.set_roles(root, "ann", [Role.ADMINISTRATOR])
        with pytest.raises(EventNotRecorded):
            people.reset(root, "ann", "a second first password")
        with pytest.raises(EventNotRecorded):
            people.set_account(root, "ann", ACCOUNT)
    finally:
        use_sink(before)
    people.set_account(root, "root", ACCOUNT)  # it is nobody's yet
    assert people.let_in("ann", PASSWORD).roles == frozenset()


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_the_first_person_is_added_shuts_nobody_out(people: People, after: bool) -> None:
    with killed("governance.user.added", after):
        people.add(None, "root", "Rita Root", [], PASSWORD)
    if not after:
        with pytest.raises(NotLetIn):
            people.let_in("root", PASSWORD)
    if people.none_yet():
        people.add(None, "root", "Rita Root", [], "another good password")
    root = people.let_in("root", PASSWORD if after else "another good password")
    with killed("governance.user.added", after):
        people.add(root, "ann", "Dr. Ann", [], "a first password")
    if not after:
        people.add(root, "ann", "Dr. Ann", [], "a first password")
    people.change_password("ann", "a first password", PASSWORD)
    assert verify(people).findings == []


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_while_they_change_their_own_way_in_shuts_the_only_administrator_not_out(
    people: People, root: Person, after: bool
) -> None:
    said: list[str] = []
    with killed("governance.user.reset", after):
        people.reset(root, "root", "a first password")
    if not after:
        people.reset(people.let_in("root", PASSWORD), "root", "a first password")
    with killed("governance.user.password_changed", after):
        people.change_password("root", "a first password", "a good second password")
    if not after:
        people.change_password("root", "a first password", "a good second password")
    with killed("governance.user.codes_set_up", after):
        people.set_up_codes("root", "a good second password", said.append)
    code = pyotp.parse_uri(said[0]).at(people.now()) if after else None
    assert people.let_in("root", "a good second password", code).sealed_totp is not None or not after
    assert verify(people).findings == []


RESET = """
import sys
from lakeward.governance.people import sealing
from lakeward.governance.people.people import People
from lakeward.governance.trail.sink import write
from lakeward.workspace.events import use_sink
sealing._TIME, sealing._MEMORY_KIB, sealing._LANES = map(int, sys.argv[3:])
def tell(event):
    if event.type != "governance.user.reset":
        return write(event)
    print("telling", flush=True)
    sys.stdin.readline()
    write(event)
    print("told", flush=True)
    sys.stdin.readline()
use_sink(tell)
people = People(now=lambda: int(sys.argv[1]))
people.reset(people.let_in("root", sys.argv[2]), "ann", "a second first password")
"""
"""Resets Ann's password, and waits just before and just after the trail has it."""


def test_of_two_who_change_a_person_at_once_one_is_killed_and_both_changes_are_made(people: People, join: Join) -> None:
    join("ann")
    max_ = join("max", Role.ADMINISTRATOR)
    cost = [str(it) for it in (sealing._TIME, sealing._MEMORY_KIB, sealing._LANES)]
    program = [sys.executable, "-c", RESET, str(people.now()), PASSWORD, *cost]
    with (
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed,
        ThreadPoolExecutor(1) as beside,
    ):
        assert killed.stdin
        assert killed.stdout
        assert killed.stdout.readline() == "telling\n"
        other = beside.submit(people.set_roles, max_, "ann", [Role.ML_ENGINEER])
        with pytest.raises(TimeoutError):
            other.result(timeout=0.3)
        print(file=killed.stdin, flush=True)
        assert killed.stdout.readline() == "told\n"
        killed.kill()
        other.result(timeout=30)
    assert verify(people).findings == []
    people.change_password("ann", "a second first password", "a good second password")
    assert people.let_in("ann", "a good second password").roles == {Role.ML_ENGINEER}


def test_what_is_written_as_underway_is_nobodys_change(people: People, join: Join, home: Path) -> None:
    join("ann")
    with closing(sqlite3.connect(home / "governance" / "people.sqlite", isolation_level=None)) as store:
        store.execute("INSERT INTO underway SELECT * FROM people WHERE user = 'ann'")
        for table in ("people", "underway"):
            store.execute(f"""UPDATE {table} SET roles = '["administrator"]' WHERE user = 'ann'""")
    with pytest.raises(NotLetIn, match="audit trail"):
        people.let_in("ann", PASSWORD)


def test_who_was_never_wholly_added_is_no_administrator(people: People) -> None:
    with killed("governance.user.added", after=False):
        people.add(None, "rita", "Rita Root", [], PASSWORD)
    root = people.add(None, "root", "Rita Root", [], PASSWORD)
    with pytest.raises(PersonRefused, match="last administrator"):
        people.set_active(root, "root", False)


def test_two_who_add_the_same_person_at_once_add_one(people: People, root: Person) -> None:
    def add(number: int) -> str:
        try:
            return people.add(root, "ann", f"Ann {number}", [], f"first password {number}").name
        except PersonRefused:
            return ""

    with ThreadPoolExecutor(4) as pool:
        (added,) = filter(None, pool.map(add, range(4)))
    assert people.find("ann").name == added
    assert verify(people).findings == []


def test_a_store_whose_trail_is_elsewhere_takes_no_new_administrator(people: People, join: Join, home: Path) -> None:
    join("ann")
    (home / "events").rename(home / "elsewhere")
    trail_of.cache_clear()
    with pytest.raises(PersonRefused, match="trail tells nothing"):
        people.add(None, "eve", "Eve", [], PASSWORD)


def test_guesses_are_counted_before_they_are_judged(people: People, join: Join) -> None:
    """Each starts while none has failed yet: no more are judged than one after the other would be."""
    join("ann")
    with ThreadPoolExecutor(4 * MOST_FAILURES) as pool:
        said = list(pool.map(lambda number: _said(people, f"guess number {number}"), range(4 * MOST_FAILURES)))
    assert said.count("Identity, password or code is wrong.") == MOST_FAILURES
    assert len(recorded("governance.user.locked")) == 1


def _said(people: People, password: str) -> str:
    with pytest.raises(NotLetIn) as refused:
        people.let_in("ann", password)
    return str(refused.value)


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
