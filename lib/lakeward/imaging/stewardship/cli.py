"""Commands on what is stored: re-identification, withdrawal, review, keys and upkeep; mounted by the area's own."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lakeward.imaging.stewardship.verdicts import Verdict
from lakeward.workspace.console import By, Json, print_either, print_json, print_rows
from lakeward.workspace.ports import as_person

crosswalk_app = typer.Typer(help="What pseudonyms stand for, to whoever holds the key.", no_args_is_help=True)
review_app = typer.Typer(help="Random samples for people to look at.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; recorded. Nothing of the patient in it.")]


@crosswalk_app.command("lookup")
def crosswalk_lookup(
    pseudonym: Annotated[str, typer.Argument(help="A patient's pseudonym, or a UID.")],
    reason: Reason,
    by: By = None,
    json: Json = False,
) -> None:
    """Tell what a pseudonym stands for; needs the secret crosswalk_key.

    Example: lakeward imaging crosswalk lookup LWABCDEFGHIJKLMN --reason "Incidental finding, case 12" --by ann
    """
    from lakeward.imaging.parameters import crosswalk_key
    from lakeward.imaging.stewardship.crosswalk import lookup

    crosswalk = crosswalk_key()
    with as_person(by, "patient.identify"):
        found = lookup(pseudonym, reason, crosswalk)
    print_either(found.model_dump(), json, f"{found.kind} {found.original}")


@crosswalk_app.command("find")
def crosswalk_find(reason: Reason, by: By = None, json: Json = False) -> None:
    """Tell the pseudonyms of Patient IDs or UIDs, which are read from standard input, one in a line.

    With --by, a file that is given as standard input begins with the password, and the code in the next line.

    Example: lakeward imaging crosswalk find --reason "Follow-up of trial 7" < ids.txt
    """
    from lakeward.imaging.parameters import crosswalk_key
    from lakeward.imaging.stewardship.crosswalk import find

    crosswalk = crosswalk_key()
    with as_person(by, "patient.identify"):
        found = find(_lines(), reason, crosswalk)
    print_rows([match.model_dump() for match in found], json)


@crosswalk_app.command("reseal")
def crosswalk_reseal(
    reason: Reason,
    old: Annotated[str, typer.Option(help="The secret with the key that the entries are sealed under.")],
    by: By = None,
    json: Json = False,
) -> None:
    """Seal all entries anew under the secret crosswalk_key; what the old key could open is removed.

    Example: lakeward imaging crosswalk reseal --old crosswalk_key_2025 --reason "Yearly change of keys" --by cat
    """
    from lakeward.imaging.parameters import crosswalk_key
    from lakeward.imaging.stewardship.crosswalk import reseal

    keys = crosswalk_key(old), crosswalk_key()
    with as_person(by, "key.rotate"):
        done = reseal(*keys, reason)
    print_either({"resealed": done}, json, f"{done} entries sealed anew. The old key opens none of them.")


def withdraw(
    reason: Reason,
    patients: Annotated[list[str] | None, typer.Argument(help="Patients' pseudonyms.")] = None,
    originals: Annotated[bool, typer.Option(help="Read original Patient IDs from standard input, too.")] = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Remove all that is here of patients, show that it is gone, and refuse their files from now on.

    A legal hold on one of them, or on everything, keeps them all. With --by and --originals, a file that is given as
    standard input begins with the password, and the code in the next line.

    Example: lakeward imaging withdraw LWABCDEFGHIJKLMN --reason "Consent was withdrawn" --by cat
    """
    from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
    from lakeward.imaging.parameters import KEY_NAME
    from lakeward.imaging.stewardship.withdrawal import withdraw as withdraw_patients
    from lakeward.workspace.secrets import secret_key

    if not patients and not originals:
        raise typer.BadParameter("name a patient's pseudonym, or give --originals")
    key = Pseudonyms(secret_key(KEY_NAME))
    with as_person(by, "patient.withdraw"):
        done = withdraw_patients(reason, key, patients or [], _lines() if originals else [])
    if json:
        print_json(done.model_dump())
        return
    typer.echo(
        f"{done.objects} objects and {done.copies} originals in quarantine removed.\n"
        f"{done.bytes_searched:,} bytes in {done.files_searched:,} files searched for every name of theirs: none in a "
        "table or in its history."
    )
    for path, hits in done.elsewhere.items():
        typer.echo(f"{hits} names in {path}: remove it by hand, unless it must be kept as the audit trail is.")
    for name in done.unattributed:
        typer.echo(f"Nobody can tell whose {name} in quarantine is: look at it.")
    typer.echo("What was exported, copied or served before can't be called back from here.")


def retire_key(
    key_id: Annotated[str, typer.Argument(help="The old key's name, as in imaging.runs.")],
    reason: Reason,
    incomplete: Annotated[bool, typer.Option(help="Also if files are there under no other key: they go.")] = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Remove what was made under an old key, once all of it was ingested with --reprocess under a new one.

    Keep the key as the secret deid_key_<its name>: it is needed to keep out patients who were withdrawn under it.
    A legal hold on a pseudonym that comes from the key, or on everything, keeps it; while there is any, the key must be
    among the secrets, to tell whose originals are in quarantine.

    Example: lakeward imaging retire-key 27ac75fb06cf9f3b --reason "The project with this key has ended" --by cat
    """
    from lakeward.imaging.stewardship.rotation import retire

    with as_person(by, "key.rotate"):
        done = retire(key_id, reason, incomplete=incomplete)
    told = f"{done.objects} objects and {done.copies} originals in quarantine removed with the key {key_id}."
    print_either(done.model_dump(), json, told)


@review_app.command("sample")
def review_sample(
    size: Annotated[int, typer.Option(min=1, help="How many images.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws the same again from the same images.")] = 0,
    where: Annotated[str, typer.Option(help="SQL condition on imaging.images.")] = "true",
    json: Json = False,
) -> None:
    """Draw images at random for people to look at, every kind of image in proportion.

    Example: lakeward imaging review sample --size 200 --where "modality = 'US'"
    """
    from lakeward.imaging.stewardship.review import draw

    done = draw(size, seed, where)
    print_either(done.model_dump(), json, f"{done.size} of {done.population} images drawn.")


@review_app.command("next")
def review_next(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, at most.")] = 20,
    by: By = None,
    json: Json = False,
) -> None:
    """Write a picture of each image that waits for a verdict; its file's name is the review's.

    Example: lakeward imaging review next --out /tmp/look --by ann
    """
    from lakeward.imaging.stewardship.sheets import write_sheets

    with as_person(by, "image.review"):
        paths = [str(path) for path in write_sheets(out, limit)]
    print_either(paths, json, "\n".join(paths) or "Nothing waits for a verdict.")


@review_app.command("verdict")
def review_verdict(
    verdict: Annotated[Verdict, typer.Argument(help="What you saw in all of these.")],
    reviews: Annotated[list[str], typer.Argument(help="Names of reviews.")],
    by: By = None,
    json: Json = False,
) -> None:
    """Record what you saw; unless it is clean, the objects go into quarantine.

    Example: lakeward imaging review verdict clean 3f2a9c01b7de 90ab12cd34ef --by ann
    """
    from lakeward.imaging.stewardship.review import judge

    with as_person(by, "image.review"):
        done = judge(reviews, verdict)
    told = f"{done.reviews} verdicts recorded, {done.set_aside} objects set aside."
    print_either(done.model_dump(), json, told)


@review_app.command("summary")
def review_summary(json: Json = False) -> None:
    """Tell what was seen in each sample, and what share may be left at most (95 % confidence).

    Example: lakeward imaging review summary --json
    """
    from lakeward.imaging.stewardship.sheets import summaries

    print_rows([summary.model_dump() for summary in summaries()], json)


def optimize(json: Json = False) -> None:
    """Lay the tables' files out anew where that pays, and remove those that nothing has used for a week.

    While a legal hold keeps everything, or a patient, none is removed, and the tables' history stays.

    Example: lakeward imaging optimize
    """
    from lakeward.imaging.stewardship.maintenance import optimize as optimize_tables

    print_rows([done.model_dump() for done in optimize_tables()], json)


def _lines() -> list[str]:
    """What stands on standard input, where arguments would land in the shell's history and the list of processes."""
    return [line.strip() for line in sys.stdin if line.strip()]
