"""21 CFR Part 11, paragraph by paragraph, as far as software can fulfil it; each test is named for what it shows.

What only an organization can do: certify to the agency that its electronic signatures are as binding as those by hand
(11.100(c)), hold people accountable by written policies (11.10(j)), train them (11.10(i)), look at who somebody is
before adding them (11.100(b), of which the software asks that a second person confirms it), have somebody at hand who
is told of a lock-out (11.300(d)), and test authenticators from time to time (11.300(e)). Biometric signatures
(11.200(b)) are not offered. Validation, copies and protection of records, and audit trails (11.10(a) to (e)), are the
trail's, the reports' and the backups'.
"""

from collections.abc import Callable
from dataclasses import replace

import pyotp
import pytest

from lakeward.governance.people.entrance import MOST_FAILURES, PASSWORD_DAYS
from lakeward.governance.people.errors import NotAllowed, NotLetIn, PersonRefused, SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Action, Role
from lakeward.governance.people.signatures import Meaning, Signed, read, sign, signatures, verify
from lakeward.governance.people.store import Person
from recorded import recorded

PASSWORD = "correct horse battery"
RECORD = Signed("model", "nodules/7", "ab" * 32)
Join = Callable[..., Person]


@pytest.fixture
def ann(join: Join) -> Person:
    return join("ann", Role.CLINICAL_REVIEWER)


def test_11_10_d_only_authorized_people_come_in(people: People, root: Person, ann: Person) -> None:
    people.set_active(root, "ann", False)
    with pytest.raises(NotLetIn):
        people.let_in("ann", PASSWORD)


def test_11_10_g_authority_is_checked_at_each_act_as_it_is_then(people: People, root: Person, ann: Person) -> None:
    people.allow(ann, Action.APPROVE_MODEL)
    people.set_roles(root, "ann", [])
    with pytest.raises(NotAllowed):
        people.allow(ann, Action.APPROVE_MODEL)


def test_11_50_a_a_signature_tells_name_time_and_meaning(people: People, ann: Person) -> None:
    shown = read(sign(people, RECORD, Meaning.REVIEW, "ann", PASSWORD).note)
    assert (shown.name, shown.time.isoformat(), shown.meaning) == ("Dr. Ann", "2026-11-18T11:06:40+00:00", "review")


def test_11_50_b_and_a_person_can_read_it(people: People, ann: Person) -> None:
    lines = sign(people, RECORD, Meaning.REVIEW, "ann", PASSWORD).note.splitlines()
    assert {"meaning review", "name Dr. Ann", "time 2026-11-18T11:06:40+00:00"} <= set(lines)


def test_11_70_a_signature_is_linked_to_its_record_for_good(people: People, ann: Person) -> None:
    note = sign(people, RECORD, Meaning.APPROVAL, "ann", PASSWORD).note
    for there, elsewhere in (("nodules/7", "nodules/8"), ("ab" * 32, "cd" * 32)):
        with pytest.raises(SignatureInvalid):
            verify(note.replace(there, elsewhere))
    assert signatures(people, replace(RECORD, sha256="cd" * 32)) == []


def test_11_100_a_a_signature_is_one_individuals_and_is_never_given_again(
    people: People, root: Person, ann: Person
) -> None:
    people.set_active(root, "ann", False)
    with pytest.raises(PersonRefused, match="never given again"):
        people.add(root, "ann", "Another Ann", [], PASSWORD)


def test_11_100_b_a_second_person_confirms_who_it_is(people: People, root: Person, join: Join) -> None:
    cat = join("cat", Role.COMPLIANCE_OFFICER)
    people.add(root, "ann", "Dr. Ann", [], "a first password")
    with pytest.raises(PersonRefused, match="must change the first password"):
        people.confirm(cat, "ann")
    people.change_password("ann", "a first password", PASSWORD)
    for refused, user in ((root, "ann"), (cat, "cat")):
        with pytest.raises(PersonRefused, match="Somebody else"):
            people.confirm(refused, user)
    people.confirm(cat, "ann")
    assert people.find("ann").confirmed == "cat"


def test_11_200_a_1_each_signing_takes_identity_and_password(people: People, ann: Person) -> None:
    people.let_in("ann", PASSWORD)
    with pytest.raises(NotLetIn):
        sign(people, RECORD, Meaning.APPROVAL, "ann", "")
    with pytest.raises(NotLetIn):
        sign(people, RECORD, Meaning.APPROVAL, "", PASSWORD)


def test_11_200_a_2_what_the_giver_of_a_first_password_knows_does_not_sign(
    people: People, root: Person, join: Join
) -> None:
    people.add(root, "ben", "Dr. Ben", [], "a first password")
    first = people.find("ben").vkey
    with pytest.raises(NotLetIn, match="must be changed"):
        sign(people, RECORD, Meaning.APPROVAL, "ben", "a first password")
    people.change_password("ben", "a first password", PASSWORD)
    assert people.find("ben").vkey != first


def test_11_200_a_3_to_sign_as_somebody_else_takes_two(
    production: None, people: People, root: Person, ann: Person, join: Join
) -> None:
    """An administrator alone, who resets somebody's password and sets up codes of his own, does not get there."""
    cat = join("cat", Role.COMPLIANCE_OFFICER)
    people.confirm(cat, "ann")
    people.reset(root, "ann", "a second first password")
    people.change_password("ann", "a second first password", "the administrator's own")
    codes = pyotp.parse_uri(people.set_up_codes("ann", "the administrator's own"))
    assert isinstance(codes, pyotp.TOTP)
    with pytest.raises(NotLetIn, match="another must have confirmed"):
        sign(people, RECORD, Meaning.APPROVAL, "ann", "the administrator's own", codes.at(people.now()))
    with pytest.raises(PersonRefused, match="Somebody else"):
        people.confirm(root, "ann")


def test_11_200_a_3_nor_does_it_help_to_take_the_place_of_who_confirms(
    people: People, root: Person, ann: Person, join: Join
) -> None:
    cat, dan = join("cat", Role.COMPLIANCE_OFFICER), join("dan", Role.COMPLIANCE_OFFICER)
    people.confirm(cat, "dan")
    people.confirm(dan, "cat")
    people.confirm(cat, "ann")
    for taken in ("ann", "cat"):
        people.reset(root, taken, "a second first password")
        people.change_password(taken, "a second first password", "the administrator's own")
    with pytest.raises(PersonRefused, match="who was confirmed, which cat was not"):
        people.confirm(people.let_in("cat", "the administrator's own"), "ann")
    people.set_account(root, "dan", "3f2b8c1e-5d7a-4e60-9b1c-2a4d6e8f0a1b")
    with pytest.raises(PersonRefused, match="which dan was not"):
        people.confirm(dan, "ann")


def test_11_300_a_no_two_people_have_the_same_identity(people: People, root: Person, ann: Person) -> None:
    with pytest.raises(PersonRefused):
        people.add(root, "ann", "Dr. Ann", [], "another good password")


def test_11_300_b_passwords_age_and_are_not_used_again(people: People, ann: Person, clock: "object") -> None:
    clock.seconds += (PASSWORD_DAYS + 1) * 86_400  # type: ignore[attr-defined]
    with pytest.raises(NotLetIn, match="older than"):
        sign(people, RECORD, Meaning.APPROVAL, "ann", PASSWORD)
    with pytest.raises(PersonRefused, match="one of the last"):
        people.change_password("ann", PASSWORD, PASSWORD)


def test_11_300_c_after_a_loss_the_old_password_and_key_sign_no_more_and_old_signatures_stand(
    people: People, root: Person, ann: Person
) -> None:
    sign(people, RECORD, Meaning.APPROVAL, "ann", PASSWORD)
    people.reset(root, "ann", "a second first password")
    with pytest.raises(NotLetIn):
        sign(people, RECORD, Meaning.APPROVAL, "ann", PASSWORD)
    assert people.find("ann").vkey != ann.vkey
    assert len(signatures(people, RECORD)) == 1


def test_11_300_d_unauthorized_use_is_stopped_and_recorded(people: People, ann: Person) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(NotLetIn):
            sign(people, RECORD, Meaning.APPROVAL, "ann", "not the password")
    with pytest.raises(NotLetIn, match="locked"):
        sign(people, RECORD, Meaning.APPROVAL, "ann", PASSWORD)
    assert len(recorded("governance.login.failed")) == MOST_FAILURES + 1
    assert [event.object for event in recorded("governance.user.locked")] == ["ann"]
