"""Commands of the imaging area."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lakeward.imaging.stewardship import cli as stewardship
from lakeward.workspace.console import By, Json, print_either
from lakeward.workspace.ports import as_person

app = typer.Typer(help="DICOM images: de-identify, enhance, store, export.", no_args_is_help=True, add_completion=False)
quarantine_app = typer.Typer(help="Objects that were set aside.", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(stewardship.crosswalk_app, name="crosswalk")
app.add_typer(stewardship.review_app, name="review")

ProfileName = Annotated[str, typer.Option("--profile", help="A shipped profile's name, or a YAML file.")]
ClipLimit = Annotated[float, typer.Option(min=1, max=64, help="Strength of the enhancement.")]
Crosswalk = Annotated[bool, typer.Option(help="Keep what pseudonyms stand for, sealed under crosswalk_key.")]
Tiles = Annotated[int, typer.Option(min=1, max=64, help="Tiles along each side of an image.")]


@app.command()
def ingest(
    source: Annotated[str, typer.Argument(help="Folder with DICOM files, or: samples")],
    profile: ProfileName = "research",
    clip_limit: ClipLimit = 2.0,
    tiles: Tiles = 8,
    crosswalk: Crosswalk = False,
    reprocess: Annotated[bool, typer.Option(help="Also files known with another profile, key or version.")] = False,
    incremental: Annotated[bool, typer.Option(help="Only what has come since the last time, by streaming.")] = False,
    json: Json = False,
) -> None:
    """De-identify and enhance a folder's new files into the imaging tables.

    Example: lakeward imaging ingest /data/pacs --profile research
    """
    from lakeward.imaging.parameters import recipe, source_folder
    from lakeward.imaging.pipeline.ingest import ingest as ingest_folder

    chosen = recipe(profile, crosswalk=crosswalk, clip_limit=clip_limit, tiles=tiles)
    done = ingest_folder(source_folder(source), chosen, reprocess=reprocess, incremental=incremental)
    _show_run(done.model_dump(), json)


@app.command()
def deidentify(
    source: Annotated[str, typer.Argument(help="Folder with the originals; it is only read. Or: samples")],
    destination: Annotated[Path, typer.Argument(help="Folder for the new files.")],
    profile: ProfileName = "basic",
    quarantine: Annotated[
        Path | None, typer.Option(help="Restricted folder for copies of what is set aside, with their paths.")
    ] = None,
    json: Json = False,
) -> None:
    """De-identify files to files, with no tables and no Spark.

    Example: lakeward imaging deidentify /data/pacs /data/clean --profile basic --json
    """
    from lakeward.imaging.parameters import recipe, source_folder
    from lakeward.imaging.pipeline.files import deidentify_folder

    done = deidentify_folder(source_folder(source), destination, recipe(profile), quarantine)
    _show_run(done.model_dump(), json)


@app.command()
def export(
    destination: Annotated[Path, typer.Argument(help="Folder for study/series/object.dcm")],
    where: Annotated[str, typer.Option(help="SQL condition on imaging.images.")] = "true",
    derived: Annotated[
        Literal["sc", "pr"] | None,
        typer.Option(help="Also enhanced frames as Secondary Captures, or windows as presentation states."),
    ] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Write de-identified objects out of the tables as DICOM files.

    Example: lakeward imaging export /data/out --where "modality = 'CT'" --derived sc --by dan
    """
    from lakeward.imaging.pipeline import export as exporting

    with as_person(by, "image.export"):
        done = exporting.export(destination, where, derived).model_dump()
    print_either(done, json, f"{done['written']} files written to {destination}, {done['present']} were there already.")


@app.command()
def verify(
    source: Annotated[
        str, typer.Argument(help="Folder of originals, to try too and to search the lakehouse for. Or: samples")
    ] = "",
    profile: ProfileName = "research",
    json: Json = False,
) -> None:
    """Try a profile on objects with markers hidden everywhere; ends with 1 if anything leaks or breaks.

    Example: lakeward imaging verify /data/pacs --profile research
    """
    from lakeward.imaging.deidentification.profile import load_profile
    from lakeward.imaging.parameters import source_folder
    from lakeward.imaging.verification.report import screen
    from lakeward.imaging.verification.verify import verify as put_on_trial

    done = put_on_trial(load_profile(profile), source_folder(source) if source else None)
    print_either(done.model_dump(mode="json") | {"ok": done.ok}, json, screen(done))
    if not done.ok:
        raise typer.Exit(1)


@app.command()
def new_key(
    path: Annotated[Path, typer.Argument(help="File for the key; must not exist.")], json: Json = False
) -> None:
    """Make a de-identification key in a file that only you can read. Keep it: later files need it.

    Example: lakeward imaging new-key /run/secrets/deid_key
    """
    from lakeward.workspace.secrets import make_key

    make_key(path)
    print_either(
        {"path": str(path)}, json, f"New key in {path}. Use it with LAKEWARD_SECRETS_DIR, or LAKEWARD_DEID_KEY."
    )


@app.command()
def demo(
    notebooks: Annotated[Path, typer.Option(help="Folder with the project's notebooks.")] = Path("notebooks"),
    json: Json = False,
) -> None:
    """Run the imaging notebooks on the real DICOM files that pydicom ships.

    Example: lakeward imaging demo
    """
    from lakeward.imaging.demo import demonstrate

    done = demonstrate(notebooks).model_dump()
    print_either(done, json, _screen(done))


@quarantine_app.command("list")
def quarantine_list(
    closed: Annotated[bool, typer.Option(help="Also those that were retried or released.")] = False, json: Json = False
) -> None:
    """List what is in quarantine.

    Example: lakeward imaging quarantine list --json
    """
    from lakeward.imaging.pipeline.quarantine import entries

    found = entries(closed=closed)
    lines = [f"{e.source_hmac[:12]}  {e.reason:<28} {e.size_bytes:>12,} bytes  {e.status}" for e in found]
    print_either([e.model_dump(mode="json") for e in found], json, "\n".join(lines) or "The quarantine is empty.")


@quarantine_app.command("show")
def quarantine_show(
    name: Annotated[str, typer.Argument(help="The object's name, or its beginning.")], json: Json = False
) -> None:
    """Show why an object is held and where the restricted zone keeps it.

    Example: lakeward imaging quarantine show 3f2a
    """
    from lakeward.imaging.pipeline.quarantine import entry

    held = entry(name)
    more = {"explanation": held.reason.explain, "releasable": held.reason.releasable, "copy": str(held.path)}
    shown = held.model_dump(mode="json") | more
    print_either(shown, json, "\n".join(f"{key:<15} {value}" for key, value in shown.items() if value is not None))


@quarantine_app.command("retry")
def quarantine_retry(
    names: Annotated[list[str] | None, typer.Argument(help="Objects' names; all if none is given.")] = None,
    profile: ProfileName = "research",
    clip_limit: ClipLimit = 2.0,
    tiles: Tiles = 8,
    crosswalk: Crosswalk = False,
    json: Json = False,
) -> None:
    """Process objects in quarantine again, as after a change of the profile.

    Example: lakeward imaging quarantine retry --profile my-profile.yaml
    """
    from lakeward.imaging.parameters import recipe
    from lakeward.imaging.pipeline.quarantine import retry

    _show_run(
        retry(recipe(profile, crosswalk=crosswalk, clip_limit=clip_limit, tiles=tiles), names or None).model_dump(),
        json,
    )


@quarantine_app.command("release")
def quarantine_release(
    name: Annotated[str, typer.Argument(help="The object's name, or its beginning.")],
    reason: Annotated[str, typer.Option(help="Why it may go through; recorded. Nothing of the patient in it.")],
    profile: ProfileName = "research",
    clip_limit: ClipLimit = 2.0,
    tiles: Tiles = 8,
    crosswalk: Crosswalk = False,
    by: By = None,
    json: Json = False,
) -> None:
    """Let an object through that you have looked at; its header is de-identified as ever.

    Example: lakeward imaging quarantine release 3f2a --reason "All frames were looked at: no text" --by ann
    """
    from lakeward.imaging.parameters import recipe
    from lakeward.imaging.pipeline.quarantine import release

    chosen = recipe(profile, crosswalk=crosswalk, clip_limit=clip_limit, tiles=tiles)
    with as_person(by, "image.review"):
        done = release(name, reason, chosen)
    _show_run(done.model_dump(), json)


app.command()(stewardship.withdraw)
app.command()(stewardship.retire_key)
app.command()(stewardship.optimize)


def _show_run(done: dict[str, Any], json: bool) -> None:
    print_either(done, json, _counts(done))


def _counts(done: dict[str, Any]) -> str:
    """Lines that show that what went in came out."""
    inputs = done.get("found", done.get("read", 0))
    parts = [("known from before", done.get("known", 0)), ("stored", done.get("stored", done.get("written", 0)))]
    lines = [f"{inputs:>8,} files"]
    lines += [f"{count:>8,}   {what}" for what, count in [*parts, ("in quarantine", done["quarantined"])]]
    lines += [f"{count:>8,}     {reason}" for reason, count in done["by_reason"].items()]
    if done.get("duplicates"):
        lines.append(f"{done['duplicates']:>8,}   of those stored have content that was stored before")
    if done.get("other_recipe"):
        lines.append(
            f"{done['other_recipe']:>8,}   of those known had another profile, key or version: --reprocess takes them"
        )
    return "\n".join(lines)


def _screen(done: dict[str, Any]) -> str:
    rate = done["images_per_second"]
    key = "made for this folder only, to be thrown away" if done["throw_away_key"] else "yours (deid_key)"
    return "\n".join(
        [
            f"The real DICOM files in {done['source']}",
            _counts(done),
            "",
            f"speed    {f'{rate} files a second (small ones; Spark started)' if rate else 'nothing new to process'}",
            f"key      {key}",
            *(f"table    {name:<20} {folder}" for name, folder in done["tables"].items()),
            *(f"notebook {path}" for path in done["notebooks"]),
            f"report   {done['report']}",
            f"Done in {done['seconds']} s.",
        ]
    )
