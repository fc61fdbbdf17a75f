"""All that is known of a version of a model: what MLflow has, and how far its approval is. Nothing is changed by it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lakeward.governance.approvals import versions
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.requests import Request
from lakeward.governance.people.signatures import Signature, signatures_of

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput


@dataclass(frozen=True)
class Dataset:
    """Data that went into the run, as MLflow noted it; `context` is, for example, training."""

    name: str
    digest: str
    context: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None


@dataclass(frozen=True)
class Proof:
    """Evidence; `fault` is empty if it is there and as it was attached."""

    kind: str
    sha256: str
    size: int
    by: str
    at: datetime
    fault: str


@dataclass(frozen=True)
class OnRecord:
    """A signature that was verified; `stands` if it is on the record as it is now."""

    signature: Signature
    stands: bool


@dataclass(frozen=True)
class Step:
    """Something that was done to the request; `record` is what was signed with it, as JSON."""

    at: datetime
    act: str
    state: str
    by: str
    record: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What is known of a version.

    Attributes
    ----------
    digest : str
        SHA-256 of the artefact as it is now; `request.digest` is that of the artefact that was asked about.
    authors : tuple of str
        Who trained or registered it.
    request : Request or None
        The request about it that is open, else the last one; None if there never was any.
    state : str
        Of the request now; empty if there is none.
    signatures : tuple of OnRecord
        All that are kept on the version, those on what its record was before among them.
    champion : bool
        Whether the alias was put on it through its request.
    """

    model: str
    version: str
    created: datetime
    description: str
    source: str
    digest: str
    authors: tuple[str, ...]
    aliases: tuple[str, ...]
    tags: dict[str, str]
    run_id: str | None
    run_started: datetime | None
    run_ended: datetime | None
    run_tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    datasets: tuple[Dataset, ...]
    request: Request | None
    state: str
    overdue: bool
    champion: bool
    evidence: tuple[Proof, ...] = ()
    signatures: tuple[OnRecord, ...] = ()
    history: tuple[Step, ...] = field(default=())


def facts_of(model: str, version: str, approvals: Approvals | None = None) -> Facts:
    """Return what is known of a version.

    Raises
    ------
    RequestRefused
        If MLflow has no such version, or its files can't be read.
    SignatureInvalid
        If a signature that is kept on it was changed.
    """
    approvals = approvals or Approvals()
    client = versions.client_here()
    found = versions.registered(client, model, version)
    run = versions.run_of(client, found)
    requests = approvals.store.requests(model, str(found.version))
    request = approvals.store.latest(model, str(found.version)) if requests else None
    now = approvals.people.now()
    moves = approvals.store.moves(model)
    return Facts(
        model=model,
        version=str(found.version),
        created=_time(found.creation_timestamp / 1000),
        description=found.description or "",
        source=found.source or "",
        digest=versions.digest_of(client, found),
        authors=tuple(sorted(versions.authors_of(found, run))),
        aliases=tuple(sorted(found.aliases)),
        tags=dict(found.tags),
        run_id=found.run_id,
        run_started=_time(run.info.start_time / 1000) if run else None,
        run_ended=_time(run.info.end_time / 1000) if run and run.info.end_time else None,
        run_tags=dict(run.data.tags) if run else {},
        params=dict(run.data.params) if run else {},
        metrics=dict(run.data.metrics) if run else {},
        datasets=_datasets(run.inputs.dataset_inputs) if run and run.inputs else (),
        request=request,
        state=request.state_at(now).value if request else "",
        overdue=request.overdue(now) if request else False,
        champion=bool(moves) and moves[-1].version == str(found.version),
        evidence=_proofs(approvals, request) if request else (),
        signatures=_signatures(approvals, requests),
        history=_history(approvals, requests),
    )


def _datasets(inputs: "list[DatasetInput]") -> tuple[Dataset, ...]:
    return tuple(
        Dataset(
            name=it.dataset.name,
            digest=it.dataset.digest,
            context=next((tag.value for tag in it.tags if tag.key == "mlflow.data.context"), ""),
            source_type=it.dataset.source_type,
            source=it.dataset.source,
            schema=it.dataset.schema,
            profile=it.dataset.profile,
        )
        for it in inputs
    )


def _proofs(approvals: Approvals, request: Request) -> tuple[Proof, ...]:
    return tuple(
        Proof(it.kind.value, it.sha256, it.size, it.by, _time(it.at), approvals.evidence.fault(it.sha256))
        for it in request.evidence
    )


def _signatures(approvals: Approvals, requests: list[Request]) -> tuple[OnRecord, ...]:
    if not requests:
        return ()
    what = requests[-1].signed
    found = signatures_of(approvals.people, what.kind, what.id)
    stand = {request.signed.sha256 for request in requests}
    return tuple(OnRecord(it, it.signed.sha256 in stand) for it in found)


def _history(approvals: Approvals, requests: list[Request]) -> tuple[Step, ...]:
    return tuple(
        Step(_time(it.at), it.act.value, it.state.value, it.by, it.record, it.details)
        for request in requests
        for it in approvals.store.acts(request)
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
