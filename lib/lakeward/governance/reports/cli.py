"""The commands ``lakeward report ...``."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.workspace.console import Json, print_either

if TYPE_CHECKING:
    from lakeward.governance.people.signatures import Signature

app = typer.Typer(no_args_is_help=True, help="Reports: compliance of a month, documents of a model version.")


class Kind(StrEnum):
    """Spans that are reported on."""

    MONTHLY = "monthly"


Output = Annotated[Path, typer.Option(help="File to write: .pdf, .html or .json.", dir_okay=False)]
Report = Annotated[Path, typer.Argument(help="The report.", exists=True, dir_okay=False)]


@app.command()
def compliance(
    month: Annotated[str, typer.Option(help="The month, such as 2026-11.")],
    output: Output,
    report_type: Annotated[Kind, typer.Option(help="The span that it is about.")] = Kind.MONTHLY,
    sign_by: Annotated[str, typer.Option(help="Identity of the person who signs it at once.")] = "",
    json: Json = False,
) -> None:
    """Report on the controls of HIPAA, Part 11, SOC 2, ISO 27001, GDPR, CCPA and PCI DSS, with a month's events.

    What each check saw is written into the folder OUTPUT.evidence.

    Example: lakeward report compliance --report-type monthly --month 2026-11 --output report.pdf
    """
    from lakeward.governance.reports import evidence
    from lakeward.governance.reports.compliance import made
    from lakeward.governance.reports.stores import Period
    from lakeward.governance.reports.writing import format_of, write

    format_of(output)
    done = made(Period.month(month), datetime.now(UTC))
    write(done.document, output)
    folder = evidence.write(output, done.proofs.values())
    signature = _sign(output, sign_by) if sign_by else None
    counts = done.score
    facts = {"output": str(output), "evidence": str(folder), **counts._asdict(), "percent": counts.percent}
    said = (
        f"{counts.text}: {counts.met} met, {counts.not_met} not met, {counts.no_evidence} with no evidence "
        f"({counts.outside} outside Lakeward). {output} is written, its evidence in {folder}."
    )
    print_either({**facts, "signed_by": signature.signer if signature else None}, json, said)


@app.command()
def sign(
    file: Report,
    by: Annotated[str, typer.Option("--by", help="Identity of the person who signs.")],
    json: Json = False,
) -> None:
    """Sign a report; the signature is written beside it, and the audit trail tells of both.

    Example: lakeward report sign report.pdf --by carl
    """
    signature = _sign(file, by)
    print_either(_told(signature), json, f"Signed by {signature.name}: {file.name}.sig")


@app.command()
def check(file: Report, json: Json = False) -> None:
    """Check a report against its signature, the audit trail and its evidence; ends with 1 if anything differs.

    Example: lakeward report check report.pdf
    """
    from lakeward.governance.reports.signing import check as check_report

    signature, faults = check_report(file)
    who = f"Signed by {signature.name} at {signature.time:%Y-%m-%d %H:%M} UTC" if signature else "Not signed"
    said = f"{who}; " + ("as it was then, and so is its evidence." if not faults else f"wrong: {'; '.join(faults)}.")
    print_either({"ok": not faults, "faults": faults, **(_told(signature) if signature else {})}, json, said)
    if faults:
        raise typer.Exit(1)


def _sign(file: Path, user: str) -> "Signature":
    from lakeward.governance.people.asking import ask_and_sign
    from lakeward.governance.people.people import People
    from lakeward.governance.reports.signing import sign as sign_report

    return sign_report(People(), file, user, ask_and_sign)


def _told(signature: "Signature") -> dict[str, Any]:
    return {
        "signer": signature.signer,
        "name": signature.name,
        "meaning": signature.meaning.value,
        "time": signature.time,
        "sha256": signature.signed.sha256,
    }
