"""The commands on people, as a program calls them: secrets come by standard input."""

import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cut_short import killed
from lakeward.cli import main
from lakeward.governance.people.cli import app
from lakeward.governance.people.lockouts import PASSED_ON
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.governance.people.signatures import Meaning, Signed, sign, signatures
from lakeward.governance.people.store import Person
from lakeward.governance.trail import keeping
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event, record
from recorded import recorded

PASSWORD = "correct horse battery"
Join = Callable[..., Person]
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lakeward ... --json` in this process: exit code, and what it printed; each secret is a line of its input."""

    def run_(*arguments: object, said: tuple[str, ...] = (PASSWORD,)) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", ["lakeward", *map(str, arguments), "--json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in said)))
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr().out
        assert not any(line in printed for line in said)
        return int(ended.value.code or 0), json.loads(printed)

    return run_


@pytest.fixture
def clock() -> None:
    """The commands' own: what is signed here is signed now."""


@pytest.fixture
def people(home: Path) -> People:
    return People()


def test_people_are_added_listed_and_get_other_roles(home: Path, run: Run) -> None:
    assert run("people", "add", "root", "--name", "Rita Root")[0] == 0
    person = ("ann", "--name", "Dr. Ann", "--role", "data_scientist", "--by", "root")
    _, added = run("people", "add", *person, said=(PASSWORD, "a first password"))
    assert added["roles"] == ["data_scientist"]
    assert run("people", "password", "ann", said=("a first password", "another good password"))[0] == 0
    _, changed = run("people", "roles", "ann", "--role", "ml_engineer", "--by", "root")
    assert changed["roles"] == ["ml_engineer"]
    assert [person["user"] for person in run("people", "list")[1]] == ["ann", "root"]
    code, told = run("people", "deactivate", "root", "--by", "ann", said=("another good password",))
    assert (code, told["error"]) == (8, "NotAllowed")
    code, told = run("people", "roles", "ann", "--by", "root", said=("not the password",))
    assert (code, told["error"]) == (7, "NotLetIn")
    assert {event.actor for event in recorded("governance.user.roles_changed")} == {"root"}


@pytest.mark.parametrize(("again", "code"), [(PASSWORD, 0), ("correct horse bettary", 2)])
def test_a_new_password_is_typed_twice_by_who_does_not_see_it(home: Path, again: str, code: int) -> None:
    keyboard, terminal = pty.openpty()
    command = [sys.executable, "-m", "lakeward", "people", "add", "root", "--name", "Rita Root"]
    to = {"stdin": terminal, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **to, start_new_session=True) as adding:  # type: ignore[call-overload]
        for asked, typed in (("First password of root: ", PASSWORD), ("The same again: ", again)):
            prompt = b""
            while not prompt.endswith(asked.encode()):
                prompt += adding.stderr.read(1) or pytest.fail(prompt.decode())
            os.write(keyboard, f"{typed}\n".encode())
        said = adding.stderr.read().decode()
    for end in (keyboard, terminal):
        os.close(end)
    assert adding.returncode == code, said
    assert People().none_yet() is bool(code)


def test_passwords_are_hashed_as_strongly_as_they_should(home: Path) -> None:
    """In a process of its own, in which no test has made them cheap."""
    command = [sys.executable, "-m", "lakeward", "people", "add", "root", "--name", "Rita Root"]
    subprocess.run(command, input=f"{PASSWORD}\n", check=True, text=True, capture_output=True)
    assert People().find("root").password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_signature_is_checked_where_there_is_nothing_but_the_public_key(
    join: Join, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join("ann", Role.CLINICAL_REVIEWER)
    protocol, note, key = tmp_path / "protocol.pdf", tmp_path / "protocol.pdf.sig", tmp_path / "ann.vkey"
    protocol.write_bytes(b"Do this, then that.")
    signing = ("people", "sign", "protocol/7", "--file", protocol, "--meaning", "review", "--by", "ann")
    assert run(*signing, said=("not the password",))[0] == 7
    _, made = run(*signing)
    assert (made["signer"], made["meaning"], made["roles"]) == ("ann", "review", ["clinical_reviewer"])
    assert run("people", "signatures", "protocol/7") == (0, [made])
    note.write_text(made["note"])
    key.write_text("\n".join(run("people", "keys", "ann")[1]))
    monkeypatch.setenv("LAKEWARD_HOME", str(tmp_path / "elsewhere"))
    check = ("people", "check-signature", note, "--key", key, "--file", protocol)
    assert run(*check)[1]["name"] == "Dr. Ann"
    protocol.write_bytes(b"Do that, then this.")
    assert "another content" in run(*check)[1]["message"]
    note.write_text(made["note"].replace("meaning review", "meaning approval"))
    code, told = run(*check[:-2])
    assert (code, told["error"]) == (1, "SignatureInvalid")


@pytest.mark.parametrize(
    "wrong", [(), ("--sha256", "abc"), ("--sha256", "a" * 64, "--meaning", "joy"), ("--sha256", "a" * 64, "--by")]
)
def test_what_is_to_be_signed_is_said_whole(join: Join, run: Run, wrong: tuple[str, ...]) -> None:
    join("ann")
    arguments = wrong[:-1] if wrong[-1:] == ("--by",) else (*wrong, "--by", "ann")
    assert run("people", "sign", "protocol/7", *arguments)[0] == 2


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        ("UPDATE people SET roles = '[\"administrator\"]' WHERE user = 'ann'", "roles is ['administrator']"),
        ("UPDATE people SET name = 'Dr. Eve' WHERE user = 'ann'", "name is 'Dr. Eve' in the store, but 'Dr. Ann'"),
        ("UPDATE people SET active = 0 WHERE user = 'ann'", "active is False"),
        ("UPDATE people SET vkey = 'ann+00000000+AA' WHERE user = 'ann'", "key is 'ann+00000000+AA'"),
        ("DELETE FROM people WHERE user = 'ann'", "the store lacks this person"),
        ("UPDATE people SET user = 'eve' WHERE user = 'ann'", "the trail tells of no such person"),
        ("UPDATE signatures SET note = replace(note, 'review', 'approval')", "tells of no such signature"),
        ("DELETE FROM signatures", "the store lacks the signature of ann"),
        ("INSERT INTO signatures (kind, id, sha256, note) VALUES ('a', 'b', 'c', 'forged')", "no electronic signature"),
    ],
)
def test_what_somebody_writes_into_the_store_is_found(join: Join, run: Run, home: Path, sql: str, finding: str) -> None:
    join("ann")
    run("people", "sign", "protocol/7", "--sha256", "ab" * 32, "--meaning", "review", "--by", "ann")
    assert run("people", "verify") == (0, {"ok": True, "people": 2, "signatures": 1, "findings": []})
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute(sql)
    code, told = run("people", "verify")
    assert code == 1
    assert any(finding in it["detail"] for it in told["findings"]), told


def test_the_store_is_put_right_by_what_the_trail_tells(join: Join, run: Run, home: Path, people: People) -> None:
    join("ann", Role.DATA_SCIENTIST)
    with sqlite3.connect(home / "governance" / "people.sqlite") as store:
        store.execute("UPDATE people SET roles = '[]', name = 'Dr. Eve', active = 0 WHERE user = 'ann'")
    assert run("people", "verify")[0] == 1
    assert run("people", "verify", "--repair")[0] == 0
    assert people.let_in("ann", PASSWORD).roles == {Role.DATA_SCIENTIST}
    (event,) = recorded("governance.user.put_right")
    assert event.details == {"fields": ["active", "name", "roles"]}


def test_a_signature_is_put_back_that_a_kill_has_left_in_the_trail_alone(people: People, join: Join, run: Run) -> None:
    join("ann", Role.CLINICAL_REVIEWER)
    what = Signed("protocol", "7", "ab" * 32)
    with killed("governance.signature.made"):
        sign(people, what, Meaning.APPROVAL, "ann", PASSWORD)
    assert signatures(people, what) == []
    assert run("people", "verify")[0] == 1
    assert run("people", "verify", "--repair")[0] == 0
    assert [one.signer for one in signatures(people, what)] == ["ann"]
    assert run("people", "verify", "--repair")[1]["signatures"] == 1


def test_what_keeps_the_audit_trail_is_done_by_a_person_with_the_role(join: Join, run: Run) -> None:
    join("cat", Role.COMPLIANCE_OFFICER)
    join("dan", Role.DATA_SCIENTIST)
    hold = ("audit", "hold", "case-1", "--reason", "Litigation")
    assert run(*hold)[0] == 2, "nobody said who"
    assert run(*hold, "--by", "dan")[0] == 8
    assert run(*hold, "--by", "cat", said=("not the password",))[0] == 7
    assert run(*hold, "--by", "cat")[0] == 0
    (held,) = recorded("governance.audit.held")
    assert held.actor == "cat"
    assert run("audit", "release", "case-1", "--reason", "Settled", "--by", "cat")[0] == 0
    assert run("audit", "rotate-key", "--by", "cat")[0] == 0
    assert [event.actor for event in recorded("governance.key.rotated")] == ["cat"]
    assert run("audit", "verify", said=())[0] == 0, "a schedule has no password"


def test_who_looks_at_the_audit_trail_can_say_so(join: Join, run: Run) -> None:
    join("cat", Role.COMPLIANCE_OFFICER)
    looking = ("audit", "query", "--event-type", "login", "--start-date", "2026-11-01", "--by", "cat")
    assert run(*looking, said=("not the password",))[0] == 7
    assert recorded("governance.audit.reviewed") == []
    assert run(*looking)[0] == 0
    (event,) = recorded("governance.audit.reviewed")
    assert (event.actor, event.details) == ("cat", {"types": ["login"], "between": ["2026-11-01", ""]})


def test_what_is_erased_from_the_audit_trail_two_people_have_signed(join: Join, run: Run) -> None:
    for user, role in (("cat", Role.COMPLIANCE_OFFICER), ("max", Role.QUALITY_MANAGER), ("dan", Role.DATA_SCIENTIST)):
        join(user, role)
    event = Event(type="imaging.export.started", object="cohort-a", details={"images": 3})
    record(event)
    redact = ("audit", "redact", event.id, "--field", "images", "--reason", "Request 17")
    assert run(*redact, "--by", "dan")[0] == 8
    for _ in range(2):
        code, told = run(*redact, "--by", "cat")
        assert (code, told["error"]) == (10, "MoreMustSign"), "the same person twice is one person"
    assert run(*redact[:-1], "Request 18", "--by", "max")[0] == 10, "another reason is another act"
    assert run(*redact, "--by", "max")[0] == 0
    (erased,) = recorded("governance.audit.erased")
    assert erased.actor == "max"
    assert run("people", "verify", said=())[0] == 0


def test_what_keeps_people_and_signatures_true_is_never_erased(join: Join, run: Run) -> None:
    join("cat", Role.COMPLIANCE_OFFICER)
    added = recorded("governance.user.added")[-1]
    code, told = run("audit", "redact", added.id, "--field", "roles", "--reason", "Hide it", "--by", "cat")
    assert (code, told["error"]) == (2, "Kept")
    assert not recorded("governance.signature.made"), "nobody signs what can't be done"


def test_two_people_sign_that_events_are_deleted_whose_time_is_over(
    home: Path, request: pytest.FixtureRequest, run: Run
) -> None:
    Trail(clock=lambda: datetime(2016, 1, 1, tzinfo=UTC)).append(Event(type="imaging.export.started", object="cohort"))
    join: Join = request.getfixturevalue("join")
    join("cat", Role.COMPLIANCE_OFFICER)
    join("max", Role.QUALITY_MANAGER)
    delete = ("audit", "retention", "--apply", "--before", "2019-11-01", "--reason", "Yearly deletion")
    assert run(*delete, "--by", "cat")[0] == 10
    assert run(*delete, "--by", "max")[0] == 0
    assert [event.actor for event in recorded("governance.audit.retired")] == ["max"]
    assert run("people", "verify", said=())[0] == 0


def test_what_was_erased_past_the_command_is_found(join: Join, run: Run) -> None:
    join("cat", Role.COMPLIANCE_OFFICER)
    event = Event(type="imaging.export.started", object="cohort-a", details={"images": 3})
    record(event)
    assert run("audit", "redact", event.id, "--field", "images", "--reason", "Request 17", "--by", "cat")[0] == 10
    number = keeping.erase(trail_here(), event.id, ["images"], "Request 17")
    code, told = run("people", "verify", said=())
    assert code == 1
    assert told["findings"][0]["what"] == f"audit/redact-{number}"


def test_what_was_signed_for_one_deletion_serves_for_no_other(
    home: Path, request: pytest.FixtureRequest, run: Run
) -> None:
    old = Trail(clock=lambda: datetime(2016, 1, 1, tzinfo=UTC))
    old.append(*(Event(type="imaging.export.started", object=f"cohort-{number}") for number in range(2)))
    join: Join = request.getfixturevalue("join")
    join("cat", Role.COMPLIANCE_OFFICER)
    join("max", Role.QUALITY_MANAGER)
    delete = ("audit", "retention", "--apply", "--before", "2017-01-01", "--reason", "Yearly deletion")
    keeping.hold(trail_here(), "case-1", "Litigation", "cohort-1")
    assert [run(*delete, "--by", user)[0] for user in ("cat", "max")] == [10, 0]
    keeping.end_hold(trail_here(), "case-1", "Settled")
    assert run(*delete, "--by", "cat")[0] == 10, "they agreed to the deletion of another event"
    assert run("people", "verify", said=())[0] == 0
    removal = keeping.retirement(trail_here(), date(2017, 1, 1), "Yearly deletion")
    trail_here().take_out(*removal)
    assert run("people", "verify", said=())[1]["findings"][0]["what"] == "audit/retention-2017-01-01"
    act = Signed.of_json("audit", *keeping.act(removal.event.type, "trail", "Yearly deletion", removal.event.details))
    for user in ("cat", "max"):
        sign(People(), act, Meaning.APPROVAL, user, PASSWORD)
    assert run("people", "verify", said=())[0] == 1, "who signs afterwards has agreed to nothing"


def test_on_a_laptop_with_no_people_it_works_without(home: Path, run: Run) -> None:
    assert run("audit", "hold", "case-1", "--reason", "Litigation", said=())[0] == 0


def test_the_matrix_is_shown(run: Run, home: Path) -> None:
    shown = {row["action"]: row for row in run("people", "matrix", said=())[1]}
    assert shown["people.manage"]["administrator"] is True
    assert shown["model.approve"]["administrator"] is False


def test_every_command_has_an_example_and_speaks_json() -> None:
    for command in app.registered_commands:
        assert command.callback
        assert "Example: lakeward people" in (command.callback.__doc__ or "")
        assert "json" in command.callback.__annotations__


def test_each_lock_out_is_passed_on_once(home: Path, run: Run) -> None:
    run("people", "add", "root", "--name", "Rita Root")
    assert run("people", "lockouts", "--new") == (0, [])
    for to_come in (10**9, "all"):  # which nobody can have passed on
        record(Event(type=PASSED_ON, object="lockouts", details={"until": to_come}))
    for _ in range(5):
        assert run("people", "add", "ann", "--name", "Ann Lee", "--by", "root", said=("swordfish", PASSWORD))[0] != 0
    code, (new,) = run("people", "lockouts", "--new")
    assert (code, new["user"]) == (1, "root")
    assert run("people", "lockouts", "--new") == (0, [])
    assert run("people", "lockouts") == (0, [new])


def test_only_what_was_looked_at_is_a_review(home: Path, run: Run) -> None:
    run("people", "add", "root", "--name", "Rita Root")
    assert run("audit", "query", "--event-type", "no_such_kind", "--by", "root")[0] == 2
    assert recorded("governance.audit.reviewed") == []
    assert run("audit", "query", "--event-type", "login", "--by", "root")[0] == 0
    (review,) = recorded("governance.audit.reviewed")
    assert (review.actor, review.details["types"]) == ("root", ["login"])
