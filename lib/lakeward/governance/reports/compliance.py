"""The compliance report: what the checks find, control by control, and what happened in the period."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakeward import __version__
from lakeward.governance.reports import activity, evidence
from lakeward.governance.reports.checks import all as checks
from lakeward.governance.reports.checks.check import Proof, Result
from lakeward.governance.reports.controls import FORMULA, OUTSIDE, Framework, Score, frameworks, score
from lakeward.governance.reports.document import Bars, Code, Document, Section, Table, Text
from lakeward.governance.reports.stores import Period, Stores
from lakeward.governance.trail.errors import StoreFailed
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import settings

_RESULTS = (Result.MET, Result.NOT_MET, Result.NONE, OUTSIDE)


@dataclass(frozen=True)
class Compliance:
    """A report, and the evidence that it names."""

    document: Document
    proofs: Mapping[str, Proof]
    score: Score


def made(period: Period, now: datetime) -> Compliance:
    """Make the report on a period.

    Parameters
    ----------
    now : datetime
        When it is made.

    Raises
    ------
    ConfigurationError
        If it has not begun: checks of what did not happen would be met.
    StoreFailed
        If the file of the trail, or of people, is damaged: a report would say that there was nothing.
    """
    if period.begin > now:
        raise ConfigurationError(f"{period} has not begun yet: there is nothing to report on. Name an earlier month.")
    try:
        return _made(Stores(period, now), now)
    except sqlite3.DatabaseError as error:
        raise StoreFailed(
            f"A store of the governance is damaged ({error}), so there is nothing to report on. "
            "lakeward audit verify and lakeward people verify tell which; restore it from a backup."
        ) from None


def _made(stores: Stores, now: datetime) -> Compliance:
    proofs = checks.run(stores)
    laws = frameworks()
    whole = score(result for law in laws for result in _results(law, proofs))
    document = Document(
        title="Compliance report",
        subtitle=str(stores.period),
        made=now,
        about=_about(stores, proofs),
        figures={"score": whole.text, **{str(name): str(count) for name, count in zip(_RESULTS, whole, strict=True)}},
        sections=[
            _summary(laws, proofs, whole),
            _findings(laws, proofs),
            *activity.open_findings(stores),
            *(_controls(law, proofs) for law in laws),
            Section("What the checks saw", [Text(_CHECKS_NOTE)]),
            *_checked(proofs),
            *activity.sections(stores),
            _verifying(stores, proofs),
        ],
        facts=_facts(laws, proofs, whole, stores.period),
    )
    return Compliance(document, proofs, whole)


_READING = (
    "Met says that the checks which are named with a control passed on the stores of this lakehouse when the report "
    "was made. It does not say that an organization complies: a control may ask for more than a program can see. No "
    "evidence counts against the score. Where no check can tell, it says what a person would have to show. Outside "
    "Lakeward are controls which the organization must prove itself. A check is named only with a control that it is "
    "evidence of, as far as this is about what Lakeward keeps."
)
_CHECKS_NOTE = (
    "Each check looked at the stores when the report was made. What it saw is canonical JSON (RFC 8785) in a file of "
    "the check's name in the folder of evidence; the hash is that file's SHA-256."
)


def _about(stores: Stores, proofs: Mapping[str, Proof]) -> dict[str, str]:
    over = stores.now >= stores.period.end
    head = stores.verification.head.split("\n") if stores.verification else []
    return {
        "Period": f"{stores.period.first} to {stores.period.last} (UTC){'' if over else ', which is not over yet'}",
        "Environment": settings().environment,
        "Made": f"{stores.now:%Y-%m-%d %H:%M:%S} UTC, by Lakeward {__version__}",
        "Audit trail": f"{head[0]}, {int(head[1]):,} events" if len(head) > 2 else "there is none",
        "Root of the audit trail": head[2] if len(head) > 2 else "-",
        "Evidence (SHA-256 of SHA256SUMS)": evidence.digest(proofs.values()),
        "Signature": "A person's, if there is one, is beside this file, with .sig after its name.",
        "Seal": "A PDF has one inside: a PDF reader tells by it whether the file was changed since it was made.",
        "Patient data": "There is none in this report: actors, counts, times and hashes only.",
    }


def _summary(laws: Sequence[Framework], proofs: Mapping[str, Proof], whole: Score) -> Section:
    scores = [score(_results(law, proofs)) for law in laws]
    rows = [_line(law.name, it) for law, it in zip(laws, scores, strict=True)]
    series = {str(name): [it[place] for it in scores] for place, name in enumerate(_RESULTS)}
    columns = ("Framework", *(f"{it[0].upper()}{it[1:]}" for it in _RESULTS), "Score")
    return Section(
        "Summary",
        [
            Text(_READING),
            Table(columns, [*rows, _line("All", whole)], (34, 10, 11, 14, 17, 12)),
            Text(f"Formula: {FORMULA}."),
            Bars("Controls by framework", [law.name for law in laws], series, across=True),
        ],
    )


def _line(name: str, counts: Score) -> tuple[str, ...]:
    return (name, *map(str, counts), counts.text)


def _controls(law: Framework, proofs: Mapping[str, Proof]) -> Section:
    counts = score(_results(law, proofs))
    said = f"{law.source}. Score: {counts.text}. What is outside Lakeward is proven by {law.outside}."
    rows = [(it.id, it.title, it.result(proofs), it.proof(proofs) or "-") for it in law.controls]
    table = Table(("Control", "What it is about", "Result", "Proof"), rows, (20, 34, 17, 29), marked="Result")
    return Section(law.name, [Text(said), table])


def _checked(proofs: Mapping[str, Proof]) -> list[Section]:
    return [
        Section(
            group,
            [
                Table(
                    ("Check", "Result", "What it asks for, and what it saw", "Evidence (SHA-256)"),
                    [
                        (it.check.name, it.result.value, f"{it.check.rule}\n{_sentence(it.detail)}", it.sha256)
                        for it in proofs.values()
                        if checks.group_of(it) == group
                    ],
                    (24, 11, 38, 27),
                    marked="Result",
                    exact="Evidence (SHA-256)",
                )
            ],
            level=1,
        )
        for group in checks.GROUPS
    ]


def _findings(laws: Sequence[Framework], proofs: Mapping[str, Proof]) -> Section:
    rows = [
        (it.check.name, f"{it.check.rule}\n{_sentence(it.detail)}", ", ".join(_proven_by(it, laws)) or "-")
        for it in proofs.values()
        if it.result is Result.NOT_MET
    ]
    columns = ("Check", "What it asks for, and what it saw", "Controls not met")
    table = Table(columns, rows, (24, 44, 32), empty="No check failed.")
    return Section("Open findings", [Text("Checks that are not met, and what else waits for somebody."), table])


def _proven_by(proof: Proof, laws: Sequence[Framework]) -> list[str]:
    return [it.id for law in laws for it in law.controls if proof.check.name in it.checks]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _verifying(stores: Stores, proofs: Mapping[str, Proof]) -> Section:
    keys = "\n".join(stores.keys) or "There is no audit trail."
    return Section(
        "How to verify this report",
        [
            Text("The signature beside the file, that the trail tells of it, and the evidence:"),
            Code("lakeward report check FILE"),
            Text(
                "With nothing of Lakeward's: the signature is a signed note (c2sp.org/signed-note) over the file's "
                "SHA-256, and the evidence is listed in SHA256SUMS, whose own hash stands on the first page:"
            ),
            Code("sha256sum FILE\ncd FILE.evidence && sha256sum -c SHA256SUMS && sha256sum SHA256SUMS"),
            Text("With nothing but the signer's public key (lakeward people keys), where there is no trail:"),
            Code("lakeward people check-signature FILE.sig --key SIGNER.vkey --file FILE"),
            Text(
                "The seal in a PDF, in any PDF reader or with poppler's pdfsig. It is by the organization's "
                "certificate, or by the lakehouse's own, for which nobody vouches: the audit trail tells its SHA-256."
            ),
            Code("pdfsig FILE\nlakeward audit query --event-type governance.report.certificate_made"),
            Text("The whole audit trail, and its public keys as it names them:"),
            Code(f"lakeward audit verify\n{keys}"),
            Text(f"Files of evidence: {', '.join(sorted(it.file for it in proofs.values()))}."),
        ],
    )


def _facts(laws: Sequence[Framework], proofs: Mapping[str, Proof], whole: Score, period: Period) -> dict[str, object]:
    return {
        "period": {"first": period.first.isoformat(), "last": period.last.isoformat()},
        "score": _score(whole),
        "formula": FORMULA,
        "frameworks": [
            {
                "name": law.name,
                "source": law.source,
                "score": _score(score(_results(law, proofs))),
                "controls": [
                    {**it.model_dump(include={"id", "title", "checks", "show"}), "result": it.result(proofs)}
                    for it in law.controls
                ],
            }
            for law in laws
        ],
        "checks": {
            name: {
                "rule": it.check.rule,
                "result": it.result.value,
                "detail": it.detail,
                "evidence": it.file,
                "sha256": it.sha256,
            }
            for name, it in proofs.items()
        },
    }


def _score(counts: Score) -> dict[str, float | None]:
    return {**counts._asdict(), "percent": counts.percent}


def _results(law: Framework, proofs: Mapping[str, Proof]) -> list[str]:
    return [control.result(proofs) for control in law.controls]
