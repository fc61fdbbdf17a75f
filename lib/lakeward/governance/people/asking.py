"""Who gives a command: a person who is asked for a password, or in whose name a token of Entra ID speaks.

Reading needs no person, so that a schedule can verify; what changes something, or touches patients' data, does, as soon
as there is one. Areas that may not know of people ask by the workspace's port ``as_person``.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from lakeward.governance.people.errors import MoreMustSign, NotLetIn, PersonRefused
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, TOGETHER, Action
from lakeward.governance.people.signatures import Meaning, Signature, Signed, quorum, sign
from lakeward.governance.people.store import Person
from lakeward.workspace.errors import MissingSecret
from lakeward.workspace.events import acting_as
from lakeward.workspace.secrets import secret
from lakeward.workspace.settings import settings


@contextmanager
def as_person(by: str | None, action: Action) -> Iterator[Person | None]:
    """Let somebody in whose roles include an action, and let them be the actor of the block's events.

    Where nobody was ever added, as on a laptop that is tried out, it is the operating system's user, which is said.
    """
    people = People()
    if _nobody_yet(people):
        yield None
        return
    person = enter(people, by)
    people.allow(person, action)
    with acting_as(person.user):
        yield person


@contextmanager
def as_people(by: str | None, action: Action, what: Signed) -> Iterator[None]:
    """Let somebody sign an act, and go on once several distinct people who may do it have signed this very one.

    Raises
    ------
    MoreMustSign
        If they are not enough yet: another gives the same command.
    """
    people = People()
    if _nobody_yet(people):
        yield
        return
    user = named(by)
    people.allow(people.store.person(user), action)
    ask_and_sign(people, what, Meaning.APPROVAL, user)
    done = quorum(people, what, Meaning.APPROVAL, MATRIX[action], TOGETHER)
    if not done.reached:
        roles = " or ".join(sorted(MATRIX[action]))
        raise MoreMustSign(f"You have signed {what}. One more person, {roles}, must give the very same command.")
    with acting_as(user):
        yield


def enter(people: People, by: str | None) -> Person:
    """Let in who gives the command: by the secret ``entra_token``, where there is one, else by password."""
    try:
        token = secret("entra_token") if settings().entra_tenant else ""
    except MissingSecret:
        token = ""
    if not token:
        return enter_by_password(people, by)
    person = people.let_in_by_token(token)
    if by not in (None, person.user):
        raise NotLetIn(f"The token is of {person.user}, not of {by}.")
    return person


def enter_by_password(people: People, by: str | None) -> Person:
    """Let in who gives the command by password, which opens their key: a change of people is signed."""
    user = named(by)
    given = ask(f"Password of {user}: ")
    return people.let_in(user, given, ask_code(people, user))


def ask_and_sign(people: People, what: Signed, meaning: Meaning, user: str) -> Signature:
    """Sign a record with what its signer is asked for."""
    password = ask(f"Password of {user}, to sign {what}: ")
    return sign(people, what, meaning, user, password, ask_code(people, user))


def ask_code(people: People, user: str) -> str | None:
    """Ask for a one-time code, of whoever has them."""
    person = people.store.person(user)
    return ask("Code: ") if person and person.sealed_totp else None


def ask(what: str) -> str:
    """Ask for a secret; from a program it comes as a line of standard input."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(what)
    return sys.stdin.readline().rstrip("\n")


def ask_new(what: str) -> str:
    """Ask for a secret that is new: a person, who does not see what they type, twice.

    Raises
    ------
    PersonRefused
        If it was not the same twice: nobody could use it.
    """
    given = ask(what)
    if sys.stdin.isatty() and ask("The same again: ") != given:
        raise PersonRefused("It was not the same twice. Nothing was changed: give the command again.")
    return given


def named(by: str | None) -> str:
    """Return who was named."""
    if by is None:
        raise typer.BadParameter("say who does it: --by USER")
    return by


def _nobody_yet(people: People) -> bool:
    if not people.none_yet():
        return False
    typer.echo("Nobody was added here yet, so anybody may do this. Begin with: lakeward people add", err=True)
    return True
