"""Commands on electronic signatures; mounted by the area's own."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.workspace.console import By, Json, print_either, print_json, print_rows

if TYPE_CHECKING:
    from lakeward.governance.people.signatures import Signature, Signed

Record = Annotated[str, typer.Argument(help="What is signed: kind/id.", metavar="RECORD")]
Content = Annotated[Path | None, typer.Option(help="The record's content.", exists=True, dir_okay=False)]
Hash = Annotated[str, typer.Option(help="In place of the file, its SHA-256.")]


def sign(
    record: Record,
    file: Content = None,
    sha256: Hash = "",
    meaning: Annotated[str, typer.Option(help="authorship, review, approval, rejection, responsibility.")] = "approval",
    by: By = None,
    json: Json = False,
) -> None:
    """Sign a record, with identity and password; prints the signature, a note that holds for this content only.

    Example: lakeward people sign protocol/7 --file protocol.pdf --meaning review --by ann > protocol.pdf.sig
    """
    from lakeward.governance.people.asking import ask_and_sign, named
    from lakeward.governance.people.people import People
    from lakeward.governance.people.signatures import Meaning

    if meaning not in set(Meaning):
        raise typer.BadParameter(f"a signature's meaning is one of {', '.join(Meaning)}.")
    made = ask_and_sign(People(), _signed(record, file, sha256), Meaning(meaning), named(by))
    if json:
        print_json(_told(made))
    else:
        typer.echo(made.note, nl=False)


def signatures(record: Record, json: Json = False) -> None:
    """List the signatures on a record, each verified; ends with 1 if one is not its signer's own.

    Example: lakeward people signatures model/nodules/7
    """
    from lakeward.governance.people.people import People
    from lakeward.governance.people.signatures import signatures_of

    kind, _, id_ = record.partition("/")
    found = [_told(it) for it in signatures_of(People(), kind, id_)]
    shown = ("signer", "name", "meaning", "time", "roles", "sha256")
    rows = found if json else [{name: it[name] for name in shown} for it in found]
    print_rows(rows, json) if rows or json else typer.echo(f"Nobody has signed {record}.")


def check_signature(
    note: Annotated[Path, typer.Argument(help="What lakeward people sign printed.", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option(help="The signer's public key as you know it, or a file with their keys.")],
    file: Content = None,
    sha256: Hash = "",
    json: Json = False,
) -> None:
    """Check a signature with nothing but the signer's public key, and that it is on a file; ends with 1 if not.

    When the key was the signer's, the audit trail tells: lakeward people signatures.

    Example: lakeward people check-signature protocol.pdf.sig --key ann.vkey --file protocol.pdf
    """
    from lakeward.governance.people.errors import SignatureInvalid
    from lakeward.governance.people.signatures import by, read
    from lakeward.governance.trail.notes import verifiers_of

    text = note.read_text(encoding="utf-8", errors="replace")
    found = read(text)
    if not any(one.name == found.signer and by(text, one) for one in verifiers_of(key)):
        raise SignatureInvalid(f"No such key of {found.signer} has made this signature, or it was changed.")
    if (file or sha256) and _signed(str(found.signed), file, sha256) != found.signed:
        raise SignatureInvalid(f"The signature is on another content than this one: on {found.signed.sha256}.")
    said = f"{found.name} ({found.signer}) has signed {found.signed} at {found.time.isoformat()}: {found.meaning}."
    content = "" if file or sha256 else " Its content was not compared: give --file."
    print_either(_told(found), json, said + content)


def keys(
    user: Annotated[str, typer.Argument(help="Identity of the person.", metavar="USER")], json: Json = False
) -> None:
    """Print the public keys that somebody has signed with, newest last: hand them to those who check signatures.

    Example: lakeward people keys ann > ann.vkey
    """
    from lakeward.governance.people.errors import PersonRefused
    from lakeward.governance.people.register import told

    found = list(dict.fromkeys(state.facts["key"] for state in told().get(user, [])))
    if not found:
        raise PersonRefused(f"The audit trail tells of no person {user}. lakeward people list tells who there is.")
    print_either(found, json, "\n".join(found))


def _signed(record: str, file: Path | None, sha256: str) -> "Signed":
    from lakeward.governance.people.signatures import Signed

    kind, _, id_ = record.partition("/")
    if bool(file) == bool(sha256) or (sha256 and not re.fullmatch("[0-9a-f]{64}", sha256)):
        raise typer.BadParameter("say what the record's content is: either --file, or --sha256 with 64 hex digits.")
    return Signed.of_file(kind, id_, file) if file else Signed(kind, id_, sha256)


def _told(made: "Signature") -> dict[str, Any]:
    return {
        "record": str(made.signed),
        "sha256": made.signed.sha256,
        "meaning": made.meaning.value,
        "signer": made.signer,
        "name": made.name,
        "roles": sorted(made.roles),
        "time": made.time,
        "note": made.note,
    }
