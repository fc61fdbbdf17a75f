"""Electronic signatures: a person's own, on one very record, with their meaning; and nothing else passes for one."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lakeward.governance.people import sealing
from lakeward.governance.people.errors import NotLetIn, PersonRefused, SignatureInvalid
from lakeward.governance.people.people import People
from lakeward.governance.people.register import SIGNED
from lakeward.governance.people.roles import Role
from lakeward.governance.people.signatures import Meaning, Signed, by, digest, quorum, sign, signatures, verify
from lakeward.governance.people.store import Person
from lakeward.governance.trail.notes import Signer, Verifier
from lakeward.workspace.errors import EventNotRecorded
from lakeward.workspace.events import Event, record, use_sink
from lakeward.workspace.settings import settings
from recorded import recorded

PASSWORD = "correct horse battery"
OPERATORS = "the operator's own"
MODEL = Signed("model", "nodules/7", "ab" * 32)
Join = Callable[..., Person]
Enter = Callable[[str], None]


def test_a_signature_shows_who_when_and_what_it_means(people: People, join: Join) -> None:
    join("ann")
    sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD)
    (made,) = signatures(people, MODEL)
    assert (made.signer, made.name, made.meaning, made.signed) == ("ann", "Dr. Ann", Meaning.APPROVAL, MODEL)
    assert made.time.isoformat() == "2026-11-18T11:06:40+00:00"
    (event,) = recorded("governance.signature.made")
    assert (event.actor, event.object) == ("ann", "model/nodules/7")


def test_both_components_are_needed_each_time(people: People, join: Join) -> None:
    join("ann")
    sign(people, MODEL, Meaning.REVIEW, "ann", PASSWORD)
    with pytest.raises(NotLetIn):
        sign(people, MODEL, Meaning.APPROVAL, "ann", "")
    assert len(signatures(people, MODEL)) == 1


@pytest.mark.parametrize(("begun", "shell"), [("prod", "prod"), ("prod", "dev"), ("dev", "prod")])
def test_in_production_it_takes_a_code_whatever_the_signers_shell_says(
    people: People, request: pytest.FixtureRequest, enter: Enter, begun: str, shell: str
) -> None:
    enter(begun)
    request.getfixturevalue("join")("ann")
    enter(shell)
    with pytest.raises(NotLetIn, match="one-time code"):
        sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD)


def test_the_first_people_of_production_confirm_one_another_and_then_sign(
    production: None, people: People, root: Person, join: Join, clock: "object"
) -> None:
    cat, dan = join("cat", Role.COMPLIANCE_OFFICER), join("dan", Role.COMPLIANCE_OFFICER)
    people.confirm(cat, "dan")
    people.confirm(dan, "cat")
    people.confirm(cat, "root")
    for user, role in (("cat", Role.COMPLIANCE_OFFICER), ("root", Role.ADMINISTRATOR)):
        codes = pyotp.parse_uri(people.set_up_codes(user, PASSWORD))
        assert isinstance(codes, pyotp.TOTP)
        code = codes.at(int(clock.seconds))  # type: ignore[attr-defined]
        assert sign(people, MODEL, Meaning.APPROVAL, user, PASSWORD, code).roles == {role}


def test_in_production_who_was_not_confirmed_signs_for_no_role_with_any_program(
    production: None, people: People, join: Join
) -> None:
    """What an administrator could do alone: add somebody who is nobody, and sign in their name with other software."""
    cat, dan = join("cat", Role.COMPLIANCE_OFFICER), join("dan", Role.COMPLIANCE_OFFICER)
    people.set_up_codes("dan", PASSWORD)
    people.confirm(dan, "cat")
    for person in (cat, dan):  # one has no codes, the other was not confirmed
        _sign_by_another_program(people, person)
    assert [(one.signer, one.roles) for one in signatures(people, MODEL)] == [("cat", set()), ("dan", set())]
    assert not quorum(people, MODEL, Meaning.APPROVAL, set(Role), 1).reached


def test_whose_access_was_taken_away_signs_nothing_with_any_program(people: People, root: Person, join: Join) -> None:
    ann = join("ann", Role.CLINICAL_REVIEWER)
    people.set_active(root, "ann", False)
    _sign_by_another_program(people, ann)
    with pytest.raises(SignatureInvalid, match="ann's access had been taken away"):
        signatures(people, MODEL)


@pytest.mark.parametrize(
    "change",
    [
        lambda people, root: people.set_active(root, "ann", False),
        lambda people, root: people.reset(root, "ann", "a second first password"),
    ],
)
def test_who_is_shut_out_while_signing_leaves_no_signature(
    people: People, root: Person, join: Join, clock: Callable[[], float], change: Callable[[People, Person], None]
) -> None:
    join("ann")

    class Overtaken(People):
        def let_in(self, user: str, password: str, code: str | None = None) -> Person:
            person = super().let_in(user, password, code)
            change(people, root)
            return person

    with pytest.raises(NotLetIn, match="meanwhile"):
        sign(Overtaken(now=clock), MODEL, Meaning.APPROVAL, "ann", PASSWORD)
    assert signatures(people, MODEL) == []
    assert not recorded("governance.signature.made")


def _sign_by_another_program(people: People, person: Person) -> None:
    """Sign with the key alone, and write store and trail as the command does."""
    assert person.signer
    at = datetime.fromtimestamp(people.now(), UTC).isoformat()
    said = ("record model/nodules/7", f"sha256 {MODEL.sha256}", "meaning approval")
    who = (f"signer {person.user}", f"name {person.name}", f"time {at}")
    note = person.signer.sign("\n".join(("Lakeward electronic signature, version 1", *said, *who)) + "\n")
    record(Event(type=SIGNED, object=str(MODEL), actor=person.user, details={"note": digest(note)}))
    people.store.add_signature(MODEL.kind, MODEL.id, MODEL.sha256, note, lambda: None)


def test_a_record_that_changed_is_not_signed_any_more(people: People, join: Join) -> None:
    join("ann")
    sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD)
    assert signatures(people, replace(MODEL, sha256="cd" * 32)) == []


def test_it_can_not_be_moved_to_another_record(people: People, join: Join, home: Path) -> None:
    join("ann")
    note = sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD).note
    with pytest.raises(SignatureInvalid):
        verify(note.replace("nodules/7", "nodules/8"))
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("UPDATE signatures SET id = 'nodules/8'")
    assert signatures(people, replace(MODEL, id="nodules/8")) == [], "it says itself what it is on"


@examples(deadline=None)
@given(place=st.integers(0, 10_000), char=st.characters(codec="utf-8"))
def test_whatever_is_changed_in_it_is_found(signed_note: tuple[People, str], place: int, char: str) -> None:
    people, note = signed_note
    place %= len(note)
    changed = note[:place] + char + note[place + 1 :]
    if changed != note:
        with pytest.raises(SignatureInvalid):
            verify(changed)
        assert not by(changed, Verifier.parse(people.find("ann").vkey))


@pytest.fixture(scope="module")
def signed_note(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[People, str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEWARD_HOME", str(tmp_path_factory.mktemp("people")))
        settings.cache_clear()
        people = People()
        people.add(None, "ann", "Dr. Ann", [], PASSWORD)
        yield people, sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD).note
    settings.cache_clear()


def test_another_persons_key_signs_for_nobody_else(people: People, join: Join) -> None:
    join("ann")
    join("bob")
    note = sign(people, MODEL, Meaning.APPROVAL, "bob", PASSWORD).note
    with pytest.raises(SignatureInvalid):
        verify(note.replace("signer bob", "signer ann").replace("name Dr. Bob", "name Dr. Ann"))


def test_after_a_loss_old_signatures_stay_valid_and_new_ones_take_the_new_key(
    people: People, root: Person, join: Join, clock: "object"
) -> None:
    join("ann")
    sign(people, MODEL, Meaning.REVIEW, "ann", PASSWORD)
    old = people.find("ann").vkey
    clock.seconds += 3600  # type: ignore[attr-defined]
    people.reset(root, "ann", "a second first password")
    assert people.find("ann").vkey != old
    people.change_password("ann", "a second first password", "a third good password")
    sign(people, MODEL, Meaning.APPROVAL, "ann", "a third good password")
    assert [one.meaning for one in signatures(people, MODEL)] == [Meaning.REVIEW, Meaning.APPROVAL]


def test_a_replaced_key_signs_nothing_later(people: People, root: Person, join: Join, home: Path) -> None:
    ann = join("ann")
    old = Signer("ann", sealing.unseal(ann.sealed_key, PASSWORD, "ann"))
    note = sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD).note
    people.reset(root, "ann", "a second first password")
    forged = old.sign(note.rpartition("\n\n")[0].replace("nodules/7", "nodules/8") + "\n")
    people.store.add_signature("model", "nodules/8", MODEL.sha256, forged, lambda: None)
    with pytest.raises(SignatureInvalid, match="tells of no such signature"):
        signatures(people, replace(MODEL, id="nodules/8"))


def test_a_key_that_somebody_wrote_into_the_store_signs_nothing(people: People, join: Join, home: Path) -> None:
    ann = join("ann")
    seed = bytes(32)
    forged = Signer("ann", seed)
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute(
            "UPDATE people SET vkey = ?, sealed_key = ?, password = ? WHERE user = 'ann'",
            (
                str(forged.verifier),
                sealing.seal(seed, "the operator's own", "ann"),
                sealing.hashed("the operator's own"),
            ),
        )
    with pytest.raises(NotLetIn, match="audit trail"):
        sign(people, MODEL, Meaning.APPROVAL, "ann", OPERATORS)
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("UPDATE people SET vkey = ? WHERE user = 'ann'", (ann.vkey,))
    with pytest.raises(NotLetIn, match="audit trail"):
        sign(people, MODEL, Meaning.APPROVAL, "ann", OPERATORS)


def test_a_quorum_is_of_distinct_people_who_had_a_role_when_they_signed(
    people: People, root: Person, join: Join
) -> None:
    reviewers = {Role.CLINICAL_REVIEWER, Role.QUALITY_MANAGER}
    join("ann", Role.CLINICAL_REVIEWER)
    join("ben", Role.QUALITY_MANAGER)
    join("cid", Role.ML_ENGINEER)

    def counted(number: int = 2, what: Signed = MODEL) -> tuple[list[str], bool]:
        found = quorum(people, what, Meaning.APPROVAL, reviewers, number)
        return [one.signer for one in found.signed], found.reached

    for user, meaning in (("ann", Meaning.APPROVAL), ("ann", Meaning.APPROVAL), ("ben", Meaning.REVIEW)):
        sign(people, MODEL, meaning, user, PASSWORD)
    sign(people, MODEL, Meaning.APPROVAL, "cid", PASSWORD)
    people.set_roles(root, "cid", [Role.CLINICAL_REVIEWER])
    assert counted() == (["ann"], False)
    sign(people, MODEL, Meaning.APPROVAL, "ben", PASSWORD)
    people.set_active(root, "ben", False)
    people.set_roles(root, "ann", [])
    assert counted() == (["ann", "ben"], True)
    assert counted(3) == (["ann", "ben"], False)
    assert counted(1, replace(MODEL, sha256="cd" * 32)) == ([], False)


def test_what_can_not_be_recorded_is_not_signed(people: People, join: Join) -> None:
    join("ann")

    def full(event: object) -> None:
        if getattr(event, "type", "").startswith("governance.signature"):
            raise OSError("no space left")

    before = use_sink(full)
    try:
        with pytest.raises(EventNotRecorded):
            sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD)
    finally:
        use_sink(before)
    assert signatures(people, MODEL) == []


@pytest.mark.parametrize(
    "bad", [("mo del", "x", "ab" * 32), ("model", "a b", "ab" * 32), ("model", "x", "ab"), ("m", "x\n", "ab" * 32)]
)
def test_what_can_be_signed_has_a_plain_name_and_a_hash(bad: tuple[str, str, str]) -> None:
    with pytest.raises(PersonRefused):
        Signed(*bad)


def test_the_key_lies_sealed(people: People, join: Join, home: Path) -> None:
    ann = join("ann")
    with pytest.raises(NotLetIn):
        sealing.unseal(ann.sealed_key, "not the password", "ann")
    with pytest.raises(NotLetIn):
        sealing.unseal(ann.sealed_key, PASSWORD, "bob")
    assert len(sealing.unseal(ann.sealed_key, PASSWORD, "ann")) == 32


def test_another_program_verifies_it_by_the_public_key_alone(
    people: People, join: Join, tmp_path: Path, verifier: Path
) -> None:
    key, signed = tmp_path / "ann.vkey", tmp_path / "note"
    key.write_text(join("ann").vkey)
    note = sign(people, MODEL, Meaning.APPROVAL, "ann", PASSWORD).note
    text, _, _ = note.rpartition("\n\n")
    for shown, code, said in ((note, 0, f"{text}\n"), (note.replace("approval", "review"), 1, "")):
        signed.write_text(shown)
        done = subprocess.run([verifier, "note", key, signed], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, said)
