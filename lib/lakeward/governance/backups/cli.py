"""The commands ``lakeward backup ...``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lakeward.workspace.console import Json, print_either, print_json, print_rows

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Backups: make, list, verify, restore, remove.")

_MIB = 1 << 20


@app.command()
def create(json: Json = False) -> None:
    """Back up the lakehouse to LAKEWARD_BACKUP_TO, encrypted with the secret backup_key; only what is new is sent.

    Example: lakeward backup create
    """
    from lakeward.governance.backups.create import create as make

    manifest, digest = make()
    facts = {
        "id": manifest.id,
        "manifest": digest,
        "tables": len(manifest.tables),
        "databases": len(manifest.databases),
        "files": len(manifest.items),
        "bytes": manifest.size,
        "sent": manifest.sent,
    }
    print_either(
        facts,
        json,
        f"Backup {manifest.id}: {len(manifest.items):,} files, {manifest.size / _MIB:,.1f} MiB, of which "
        f"{manifest.sent / _MIB:,.1f} MiB were new.",
    )


@app.command("list")
def list_backups(json: Json = False) -> None:
    """List the backups, oldest first; ends with 1 if one can't be read, and says why.

    Example: lakeward backup list
    """
    from lakeward.governance.backups.manifest import Manifest
    from lakeward.governance.backups.restore import manifests

    rows: list[dict[str, object]] = []
    for id_, it in manifests().items():
        read = it if isinstance(it, Manifest) else None
        rows.append(
            {
                "id": id_,
                "tables": read and len(read.tables),
                "files": read and len(read.items),
                "bytes": read and read.size,
                "sent": read and read.sent,
                "fault": "" if read else str(it),
            }
        )
    print_rows(rows, json)
    if any(row["fault"] for row in rows):
        raise typer.Exit(1)


@app.command()
def restore(
    backup: Annotated[str, typer.Argument(help="A backup's id, or newest.", metavar="ID")],
    to: Annotated[Path, typer.Option(help="A new folder.")],
    only: Annotated[
        list[str] | None, typer.Option(help="A table, or a folder of the lakehouse; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Restore a backup, or part of it, into a new folder; nothing is ever restored over something.

    Patients who have withdrawn since, and fields that were erased since, come back: do both again.

    Example: lakeward backup restore newest --to restored --only imaging.images
    """
    from lakeward.governance.backups.restore import erasures_since
    from lakeward.governance.backups.restore import restore as bring_back

    done = bring_back(backup, to, only or [])
    erased = erasures_since(done.at)
    text = f"{len(done.items):,} files of backup {done.id} are in {to}."
    if erased:
        day = f"{done.at:%Y-%m-%d}"
        text += f"\n{erased} erasures were done since: do them again. lakeward audit query --start-date {day}"
    facts = {"id": done.id, "to": str(to), "files": len(done.items), "bytes": done.size, "erasures_since": erased}
    print_either(facts, json, text)


@app.command()
def verify(
    days: Annotated[int, typer.Option(min=1, help="Days to look at, today included.")] = 7,
    last_7_days: Annotated[bool, typer.Option("--last-7-days", help="The same as --days 7.")] = False,
    json: Json = False,
) -> None:
    """Verify that each day has its backup, that each is as it was recorded, and that the newest can be restored.

    It is restored into a scratch place in the lakehouse: tables are opened and their rows counted, databases checked,
    the audit trail verified against the anchored heads. Ends with 1 at a finding.

    Example: lakeward backup verify --last-7-days
    """
    from lakeward.governance.backups.verify import verify as look

    if last_7_days and days != 7:
        raise typer.BadParameter("give --days or --last-7-days, not both")
    done = look(days)
    if json:
        print_json({**asdict(done), "ok": done.ok})
    elif done.findings:
        print_rows([asdict(it) for it in done.findings], as_json=False)
    else:
        typer.echo(
            f"{len(done.backups)} backups since {done.since}, {done.bytes / _MIB:,.1f} MiB read. {done.restored} was "
            f"restored: {done.files:,} files, {done.tables} tables, {done.databases} databases, all as recorded."
        )
    if done.findings:
        raise typer.Exit(1)


@app.command("remove-old")
def remove_old(
    apply: Annotated[bool, typer.Option("--apply", help="Remove them, not only list them.")] = False, json: Json = False
) -> None:
    """List the backups that are older than LAKEWARD_BACKUP_DAYS, or remove them; the newest of all stays.

    Example: lakeward backup remove-old --apply
    """
    from lakeward.governance.backups import keeping

    ids, chunks = keeping.remove_old() if apply else (keeping.due(), 0)
    what = f"were removed, and {chunks:,} chunks that no other needs" if apply else "may be removed"
    text = f"{len(ids)} backups {what}.{''.join(f' {id_}' for id_ in ids)}"
    print_either({"backups": ids, "chunks": chunks, "removed": apply}, json, text)


@app.command("new-key")
def new_key(
    path: Annotated[Path, typer.Argument(help="File for the key; must not exist.")], json: Json = False
) -> None:
    """Make a key for backups in a file that only you can read. Keep it elsewhere: without it no backup can be restored.

    Example: lakeward backup new-key /run/secrets/backup_key
    """
    from lakeward.workspace.secrets import make_key

    make_key(path)
    said = f"New key in {path}. Use it with LAKEWARD_SECRETS_DIR, or LAKEWARD_BACKUP_KEY; keep a copy elsewhere."
    print_either({"path": str(path)}, json, said)
