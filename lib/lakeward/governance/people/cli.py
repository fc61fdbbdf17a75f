"""The commands ``lakeward people ...``; passwords and codes are asked for, or read line by line from standard input."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakeward.governance.people import cli_signing
from lakeward.governance.people.roles import MATRIX, Role
from lakeward.workspace.console import By, Json, print_either, print_rows

if TYPE_CHECKING:
    from lakeward.governance.people.people import People
    from lakeward.governance.people.store import Person

User = Annotated[str, typer.Argument(help="Identity of the person.", metavar="USER")]
Roles = Annotated[list[Role] | None, typer.Option("--role", help="May be repeated.")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="People: identities, roles, passwords, electronic signatures."
)
app.command()(cli_signing.sign)
app.command()(cli_signing.signatures)
app.command("check-signature")(cli_signing.check_signature)
app.command()(cli_signing.keys)


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
    from lakeward.governance.people.asking import ask_new, enter_by_password

    people = _people()
    admin = None if people.none_yet() else enter_by_password(people, by)
    added = people.add(admin, user, name, role or [], ask_new(f"First password of {user}: "))
    then = f" They change that password first: lakeward people password {user}" if added.must_change else ""
    said = f"{added.user} is here, as {', '.join(sorted(added.roles)) or 'nothing yet'}.{then}"
    print_either(_told(added), json, said)


@app.command("list")
def list_people(json: Json = False) -> None:
    """List people, their roles and whether they may come in.

    Example: lakeward people list
    """
    found = [_told(person) for person in _people().store.people()]
    nobody = "Nobody was added here yet. Begin with an administrator: lakeward people add"
    print_rows(found, json) if found or json else typer.echo(nobody)


@app.command()
def password(user: User, json: Json = False) -> None:
    """Change your password.

    Example: lakeward people password ann
    """
    from lakeward.governance.people.asking import ask, ask_code, ask_new

    people = _people()
    old = ask("Password: ")
    code = ask_code(people, user)
    people.change_password(user, old, ask_new("New password: "), code)
    print_either({"user": user, "changed": True}, json, "The password is changed.")


@app.command()
def codes(user: User, json: Json = False) -> None:
    """Set up one-time codes, the second factor that production asks for; prints the address for your authenticator.

    Example: lakeward people codes ann
    """
    from lakeward.governance.people.asking import ask

    def show(address: str) -> None:
        said = f"Give this to your authenticator, and to nobody else:\n{address}"
        print_either({"user": user, "address": address}, json, said)

    _people().set_up_codes(user, ask("Password: "), show)


@app.command()
def reset(user: User, by: By = None, json: Json = False) -> None:
    """Give somebody who has lost the password a new first one, and a new key to sign with.

    Example: lakeward people reset ann --by root
    """
    from lakeward.governance.people.asking import ask_new, enter_by_password

    people = _people()
    people.reset(enter_by_password(people, by), user, ask_new(f"First password of {user}: "))
    print_either(_told(people.find(user)), json, f"{user} has a new first password.")


@app.command()
def confirm(user: User, by: By = None, json: Json = False) -> None:
    """Confirm that somebody's key is their own: they have told you its id face to face, as `people list` shows it.

    In production nobody signs before. It takes another than the one who gave the first password.

    Example: lakeward people confirm ann --by cat
    """
    from lakeward.governance.people.asking import enter_by_password

    people = _people()
    people.confirm(enter_by_password(people, by), user)
    person = people.find(user)
    print_either(_told(person), json, f"{user} signs with the key {person.vkey}, confirmed by {person.confirmed}.")


@app.command()
def roles(user: User, role: Roles = None, by: By = None, json: Json = False) -> None:
    """Give somebody other roles, in place of all that they have.

    Example: lakeward people roles ann --role clinical_reviewer --role quality_manager --by root
    """
    from lakeward.governance.people.asking import enter_by_password

    people = _people()
    people.set_roles(enter_by_password(people, by), user, role or [])
    print_either(_told(people.find(user)), json, f"{user}: {', '.join(sorted(people.find(user).roles)) or 'no role'}")


@app.command()
def account(
    user: User,
    object_id: Annotated[str | None, typer.Argument(help="Object id in Entra ID; without: no token lets in.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Let tokens of an account in Entra ID stand for somebody's login: then the secret entra_token replaces a password.

    To sign, and to change people, the password is needed nevertheless: nothing else opens the key.

    Example: lakeward people account ann 3f2b8c1e-5d7a-4e60-9b1c-2a4d6e8f0a1b --by root
    """
    from lakeward.governance.people.asking import enter_by_password

    people = _people()
    people.set_account(enter_by_password(people, by), user, object_id)
    said = f"Tokens of {object_id} stand for {user}." if object_id else f"No token stands for {user} any more."
    print_either(_told(people.find(user)), json, said)


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


@app.command()
def matrix(json: Json = False) -> None:
    """Show which role may do what.

    Example: lakeward people matrix
    """
    mark = (lambda has: has) if json else (lambda has: "x" if has else "")
    rows = [{"action": action.value, **{it.value: mark(it in may) for it in Role}} for action, may in MATRIX.items()]
    print_rows(rows, json)


@app.command()
def lockouts(
    new: Annotated[bool, typer.Option("--new", help="Only those not passed on yet; ends with 1 if there are.")] = False,
    json: Json = False,
) -> None:
    """List who was locked out after too many failures, and when.

    The job governance_heartbeat asks for the new ones, so that whoever gets its notices hears of them.

    Example: lakeward people lockouts --new
    """
    from lakeward.governance.people.lockouts import lockouts as all_of_them
    from lakeward.governance.people.lockouts import pass_on

    found = pass_on() if new else all_of_them()
    print_rows(found, json) if found or json else typer.echo("Nobody was locked out.")
    if new and found:
        raise typer.Exit(1)


@app.command()
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="First write what the trail tells into the store.")] = False,
    json: Json = False,
) -> None:
    """Compare people and signatures in the store with what the audit trail tells of them; ends with 1 at a finding.

    It also finds events that claim a change of a person which nobody signed who might make it, and what was erased from
    the trail with too few having signed that. The trail itself is verified by `lakeward audit verify`. Secrets are not
    in it: who lacks them after a repair is given a new password, with `lakeward people reset`.

    Example: lakeward people verify
    """
    from lakeward.governance.people.signatures import restore
    from lakeward.governance.people.verify import repair as repair_store
    from lakeward.governance.people.verify import verify as verify_store

    if repair:
        repair_store(_people())
        restore(_people())
    done = verify_store(_people())
    findings = [{"what": it.what, "detail": it.detail} for it in done.findings]
    facts = {"ok": not findings, "people": done.people, "signatures": done.signatures, "findings": findings}
    if json or not findings:
        print_either(facts, json, f"{done.people} people, {done.signatures} signatures: all as the audit trail tells.")
    else:
        print_rows(findings, as_json=False)
    if findings:
        raise typer.Exit(1)


def _set_active(user: str, by: str | None, active: bool, json: bool) -> None:
    from lakeward.governance.people.asking import enter_by_password

    people = _people()
    people.set_active(enter_by_password(people, by), user, active)
    print_either(_told(people.find(user)), json, f"{user} is {'active' if active else 'not active any more'}.")


def _people() -> "People":
    from lakeward.governance.people.people import People

    return People()


def _told(person: "Person") -> dict[str, object]:
    since = datetime.fromtimestamp(person.password_set, UTC)
    return {
        "user": person.user,
        "name": person.name,
        "roles": sorted(person.roles),
        "active": person.active,
        "account": person.account,
        "confirmed": person.confirmed,
        "codes": person.sealed_totp is not None,
        "password of": since.date(),
        "key": person.vkey,
    }
