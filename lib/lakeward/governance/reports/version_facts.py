"""What is known of a model version, as tables for a document; a fact that is not there is None, never blank."""

from collections.abc import Callable, Sequence
from datetime import datetime

from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.facts import Facts, Step
from lakeward.governance.reports.document import Table

_NO_NAME = "-"


def identity(facts: Facts) -> Table:
    """Return name, version, artefact and where it comes from."""
    commit = facts.run_tags.get("mlflow.source.git.commit")
    return _pairs(
        ("Model", facts.model),
        ("Version", facts.version),
        ("Registered (UTC)", _time(facts.created)),
        ("Artefact (SHA-256)", facts.digest),
        ("Authors", ", ".join(facts.authors)),
        ("Run", facts.run_id or ""),
        ("Commit of the code", commit or ""),
        ("Names", ", ".join(facts.aliases)),
        ("Described as", facts.description),
    )


def parameters(facts: Facts) -> Table | None:
    """Return the parameters of the run."""
    return _or_none(("Parameter", "Value"), sorted(facts.params.items()), (40, 60))


def metrics(facts: Facts) -> Table | None:
    """Return the metrics of the run."""
    return _or_none(("Metric", "Value"), [(name, f"{it:.6g}") for name, it in sorted(facts.metrics.items())], (60, 40))


def datasets(facts: Facts) -> Table | None:
    """Return the data of the run by name and digest; where it lies is left out, since a path may tell of patients."""
    rows = [(it.name, it.context or _NO_NAME, it.digest, it.source_type) for it in facts.datasets]
    return _or_none(("Data set", "Used for", "Digest", "Kind of source"), rows, (30, 20, 30, 20), "Digest")


def evidence(facts: Facts) -> Table | None:
    """Return all evidence that is attached."""
    return _attached(facts, *Kind)


def approval(facts: Facts) -> Table | None:
    """Return how far the approval is."""
    if facts.request is None:
        return None
    rule = facts.request.rule
    return _pairs(
        ("Request", facts.request.id),
        ("Risk", facts.request.risk.value),
        ("State", facts.state + (", overdue" if facts.overdue else "")),
        ("In use", "as champion" if facts.champion else "no"),
        ("Approvers asked for", str(rule.approvers)),
        ("Policy (SHA-256)", facts.request.policy.sha256),
        ("Artefact asked about", "as it is now" if facts.request.digest == facts.digest else "changed since"),
    )


def approval_rule(facts: Facts) -> Table | None:
    """Return what the policy asks for before an update is used."""
    if facts.request is None:
        return None
    rule = facts.request.rule
    return _pairs(
        ("Risk", facts.request.risk.value),
        ("Approvers, none of them an author", str(rule.approvers)),
        ("Among them", ", ".join(rule.among)),
        ("Days of review", str(rule.review_days)),
        ("Evidence", ", ".join(rule.evidence)),
    )


def signatures(facts: Facts) -> Table | None:
    """Return the signatures on the version, with all that must be shown with them (21 CFR 11.50)."""
    rows = [
        (it.signature.name, it.signature.meaning.value, _time(it.signature.time), "yes" if it.stands else "no")
        for it in facts.signatures
    ]
    return _or_none(("Signed by", "Meaning", "Time (UTC)", "On the record as it is now"), rows, (32, 20, 26, 22))


def history(facts: Facts) -> Table | None:
    """Return what was done to the requests about the version."""
    rows = [(_time(it.at), _act(it), it.state.replace("_", " "), it.by) for it in facts.history]
    return _or_none(("Time (UTC)", "Act", "State after", "By"), rows, (28, 24, 24, 24))


def _of_kind(kind: Kind) -> Callable[[Facts], Table | None]:
    return lambda facts: _attached(facts, kind)


FACTS: dict[str, Callable[[Facts], Table | None]] = {
    **{it.__name__: it for it in (identity, parameters, metrics, datasets, evidence, approval, approval_rule)},
    **{it.__name__: it for it in (signatures, history)},
    **{kind.value: _of_kind(kind) for kind in Kind if kind is not Kind.METRICS},
}
"""By the names that the documents' files use; of evidence, by its kind."""


def _attached(facts: Facts, *kinds: Kind) -> Table | None:
    """Return evidence of some kinds that is there and as it was attached."""
    found = [it for it in facts.evidence if it.kind in kinds and not it.fault]
    rows = [(it.kind.replace("_", " "), it.sha256, it.by, _time(it.at)) for it in found]
    columns = ("Evidence", "SHA-256", "Attached by", "Time (UTC)")
    return _or_none(columns, rows, (22, 42, 16, 20), "SHA-256")


def _or_none(
    columns: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int], exact: str = ""
) -> Table | None:
    return Table(columns, rows, widths, exact=exact) if rows else None


def _pairs(*pairs: tuple[str, str]) -> Table:
    """Return what is known; what must be, and is not, is asked for by an item of its own."""
    return Table(("Fact", "Value"), [pair for pair in pairs if pair[1]], (34, 66))


def _act(step: Step) -> str:
    return " ".join([step.act, *([step.details["kind"]] if "kind" in step.details else [])]).replace("_", " ")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
