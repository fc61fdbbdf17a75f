"""The commands ``lakeward people ...``; passwords and codes are asked for, or read line by line from standard input."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakeward.governance.people.roles import Role
from lakeward.workspace.console import Json, print_either, print_rows

if TYPE_CHECKING:
    from lakeward.governance.people.people import People
    from lakeward.governance.people.store import Person

User = Annotated[str, typer.Argument(help="Identity of the person.", metavar="USER")]
By = Annotated[str | None, typer.Option("--by", help="Identity of the administrator who does it.")]
Roles = Annotated[list[Role] | None, typer.Option("--role", help="May be repeated.")]

app = typer.Typer(no_args_is_help=True, help="People: identities, roles, passwords, one-time codes.")


@app.command()
def add(
    user: User,
    name: Annotated[str, typer.Option(help="Printed name, which stands with each signature.")],
    role: Roles = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Add a person, whose first password must be changed at once; the very first one is an administrator.

    Check who it is before: an electronic signature is as binding as one by hand.

    Example: lakeward people add ann --name "Dr. Ann Lee" --role clinical_reviewer --by root
    """
    people = _people()
    admin = _let_in(people, by) if people.store.people() else None
    added = people.add(admin, user, name, role or [], _ask(f"First password of {user}: "))
    print_either(_told(added), json, f"{added.user} is here, as {', '.join(sorted(added.roles)) or 'nothing yet'}.")


@app.command("list")
def list_people(json: Json = False) -> None:
    """List people, their roles and whether they may come in.

    Example: lakeward people list
    """
    print_rows([_told(person) for person in _people().store.people()], json)


@app.command()
def password(user: User, json: Json = False) -> None:
    """Change your password.

    Example: lakeward people password ann
    """
    people = _people()
    old = _ask("Password: ")
    code = _code(people, user)
    people.change_password(user, old, _ask("New password: "), code)
    print_either({"user": user, "changed": True}, json, "The password is changed.")


@app.command()
def codes(user: User, json: Json = False) -> None:
    """Set up one-time codes, the second factor that production asks for; prints the address for your authenticator.

    Example: lakeward people codes ann
    """
    address = _people().set_up_codes(user, _ask("Password: "))
    said = f"Give this to your authenticator, and to nobody else:\n{address}"
    print_either({"user": user, "address": address}, json, said)


@app.command()
def reset(user: User, by: By = None, json: Json = False) -> None:
    """Give somebody who has lost the password a new first one, and a new key to sign with.

    Example: lakeward people reset ann --by root
    """
    people = _people()
    people.reset(_let_in(people, by), user, _ask(f"First password of {user}: "))
    print_either(_told(people.find(user)), json, f"{user} has a new first password.")


@app.command()
def roles(user: User, role: Roles = None, by: By = None, json: Json = False) -> None:
    """Give somebody other roles, in place of all that they have.

    Example: lakeward people roles ann --role clinical_reviewer --role quality_manager --by root
    """
    people = _people()
    people.set_roles(_let_in(people, by), user, role or [])
    print_either(_told(people.find(user)), json, f"{user}: {', '.join(sorted(people.find(user).roles)) or 'no role'}")


@app.command()
def deactivate(user: User, by: By = None, json: Json = False) -> None:
    """Take somebody's access away; what they signed stays valid.

    Example: lakeward people deactivate ann --by root
    """
    _set_active(user, by, False, json)


@app.command()
def activate(user: User, by: By = None, json: Json = False) -> None:
    """Give somebody's access back, also after a lock-out.

    Example: lakeward people activate ann --by root
    """
    _set_active(user, by, True, json)


def _set_active(user: str, by: str | None, active: bool, json: bool) -> None:
    people = _people()
    people.set_active(_let_in(people, by), user, active)
    print_either(_told(people.find(user)), json, f"{user} is {'active' if active else 'not active any more'}.")


def _people() -> "People":
    from lakeward.governance.people.people import People

    return People()


def _let_in(people: "People", user: str | None) -> "Person":
    if user is None:
        raise typer.BadParameter("say who does it: --by USER")
    given = _ask(f"Password of {user}: ")
    return people.let_in(user, given, _code(people, user))


def _code(people: "People", user: str) -> str | None:
    person = people.store.person(user)
    return _ask("Code: ") if person and person.sealed_totp else None


def _ask(what: str) -> str:
    """Ask for a secret; from a program it comes as a line of standard input."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(what)
    return sys.stdin.readline().rstrip("\n")


def _told(person: "Person") -> dict[str, object]:
    since = datetime.fromtimestamp(person.password_set, UTC)
    return {
        "user": person.user,
        "name": person.name,
        "roles": sorted(person.roles),
        "active": person.active,
        "codes": person.sealed_totp is not None,
        "password of": since.date(),
        "key": person.vkey,
    }
