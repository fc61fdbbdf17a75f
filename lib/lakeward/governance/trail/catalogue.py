"""The kinds of events, few enough to ask for; each type of the event port belongs to one."""

from enum import StrEnum


class Kind(StrEnum):
    """What an event is about, to an auditor."""

    APPROVAL = "approval"
    AUDIT = "audit"
    BACKUP = "backup"
    CONFIGURATION = "configuration"
    DEIDENTIFICATION = "deidentification"
    ERASURE = "erasure"
    EXPORT = "export"
    HEARTBEAT = "heartbeat"
    JOB_RUN = "job_run"
    LOGIN = "login"
    MODEL_INFERENCE = "model_inference"
    OTHER = "other"
    PHI_ACCESS = "phi_access"
    PROMOTION = "promotion"
    QUARANTINE = "quarantine"
    REPORT = "report"
    REVIEW = "review"
    SIGNATURE = "signature"


_KINDS = {
    "governance.approval": Kind.APPROVAL,
    "governance.audit": Kind.AUDIT,
    "governance.backup": Kind.BACKUP,
    "governance.evidence": Kind.APPROVAL,
    "governance.heartbeat": Kind.HEARTBEAT,
    "governance.key": Kind.CONFIGURATION,
    "governance.login": Kind.LOGIN,
    "governance.policy": Kind.CONFIGURATION,
    "governance.report": Kind.REPORT,
    "governance.signature": Kind.SIGNATURE,
    "governance.user": Kind.CONFIGURATION,
    "imaging.crosswalk": Kind.PHI_ACCESS,
    "imaging.deidentify": Kind.DEIDENTIFICATION,
    "imaging.export": Kind.EXPORT,
    "imaging.ingest": Kind.DEIDENTIFICATION,
    "imaging.key": Kind.CONFIGURATION,
    "imaging.patient": Kind.ERASURE,
    "imaging.quarantine": Kind.QUARANTINE,
    "imaging.review": Kind.REVIEW,
    "imaging.score": Kind.MODEL_INFERENCE,
    "imaging.tables": Kind.CONFIGURATION,
    "jobs.bundle": Kind.CONFIGURATION,
    "jobs.run": Kind.JOB_RUN,
    "jobs.schedule": Kind.CONFIGURATION,
    "serving.inference": Kind.MODEL_INFERENCE,
    "serving.route": Kind.CONFIGURATION,
    "training.model": Kind.PROMOTION,
    "workspace.restricted": Kind.PHI_ACCESS,
    "workspace.table": Kind.CONFIGURATION,
}
"""By area and thing, the first two words of a type."""


def kind_of(type_: str) -> Kind:
    """Return the kind of events of a type, `Kind.OTHER` if the catalogue has none for it."""
    return _KINDS.get(".".join(type_.split(".")[:2]), Kind.OTHER)
