"""The commands ``lakeward report ...``."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.workspace.console import Json, print_either

if TYPE_CHECKING:
    from lakeward.governance.people.signatures import Signature

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Reports: compliance of a month, documents of a model version."
)


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

    What each check saw is written into the folder OUTPUT.evidence. A PDF is sealed: by LAKEWARD_REPORT_CERTIFICATE with
    the secret report_certificate_password, or else by a certificate of the lakehouse's own.

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


Name = Annotated[str, typer.Argument(help="The model, as MLflow has it.", metavar="NAME")]
Version = Annotated[str, typer.Argument(help="Its version.")]
Answers = Annotated[
    Path | None, typer.Option(help="YAML with what people write; made, to be filled in, if it is not there.")
]
Draft = Annotated[bool, typer.Option("--draft", help="End with 0 also if something is missing.")]


@app.command("model-card")
def model_card(
    name: Name, version: Version, output: Output, answers: Answers = None, draft: Draft = False, json: Json = False
) -> None:
    """Write the model card of a version; ends with 1 if something is missing, which it lists.

    Example: lakeward report model-card lung-nodules 3 --answers card.yml --output card.pdf
    """
    _write("model_card", name, version, output, answers, draft, json)


@app.command("annex-iv")
def annex_iv(
    name: Name, version: Version, output: Output, answers: Answers = None, draft: Draft = False, json: Json = False
) -> None:
    """Write a version's technical documentation under Annex IV of the EU AI Act; ends with 1 if something is missing.

    Example: lakeward report annex-iv lung-nodules 3 --answers annex.yml --output annex.pdf
    """
    _write("annex_iv", name, version, output, answers, draft, json)


@app.command()
def pccp(
    name: Name, version: Version, output: Output, answers: Answers = None, draft: Draft = False, json: Json = False
) -> None:
    """Write a version's predetermined change control plan, as FDA recommends; ends with 1 if something is missing.

    Example: lakeward report pccp lung-nodules 3 --answers plan.yml --output plan.pdf
    """
    _write("pccp", name, version, output, answers, draft, json)


def _write(kind: str, name: str, version: str, output: Path, answers: Path | None, draft: bool, json: bool) -> None:
    from lakeward.governance.approvals.facts import facts_of
    from lakeward.governance.reports import documents
    from lakeward.governance.reports.writing import format_of

    format_of(output)
    which = documents.Kind(kind)
    if answers and not answers.exists():
        answers.write_text(documents.questions(which), encoding="utf-8")
        typer.echo(f"{answers} is made, with the questions: fill it in, and give the command again.", err=True)
    given = documents.answers(answers) if answers else {}
    done = documents.made(which, facts_of(name, version), given, output)
    missing = [{"item": gap.item.title, "what": gap.what, "who": gap.item.who} for gap in done.missing]
    told = [f"missing: {gap['item']}: {gap['what']} From: {gap['who']}." for gap in missing]
    print_either({"output": str(output), "missing": missing}, json, "\n".join([f"{output} is written.", *told]))
    if missing and not draft:
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
