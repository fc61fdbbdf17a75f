"""Roles, and what each may do."""

from enum import StrEnum


class Role(StrEnum):
    """What a person is here."""

    ADMINISTRATOR = "administrator"
    DATA_SCIENTIST = "data_scientist"
    ML_ENGINEER = "ml_engineer"
    CLINICAL_REVIEWER = "clinical_reviewer"
    QUALITY_MANAGER = "quality_manager"
    COMPLIANCE_OFFICER = "compliance_officer"


class Action(StrEnum):
    """What needs a role."""

    MANAGE_PEOPLE = "people.manage"
    CONFIRM_PEOPLE = "people.confirm"
    CHANGE_POLICY = "policy.change"
    SUBMIT_MODEL = "model.submit"
    ATTACH_EVIDENCE = "model.attach"
    LOWER_RISK = "model.lower_risk"
    REVIEW_MODEL = "model.review"
    APPROVE_MODEL = "model.approve"
    PROMOTE_MODEL = "model.promote"
    SIGN_REPORT = "report.sign"
    KEEP_AUDIT = "audit.keep"
    DESTROY_AUDIT = "audit.destroy"
    IDENTIFY_PATIENTS = "patient.identify"
    WITHDRAW_PATIENTS = "patient.withdraw"
    EXPORT_IMAGES = "image.export"
    REVIEW_IMAGES = "image.review"
    ROTATE_KEYS = "key.rotate"
    RESTORE_TABLES = "table.restore"


MATRIX: dict[Action, frozenset[Role]] = {
    Action.MANAGE_PEOPLE: frozenset({Role.ADMINISTRATOR}),
    Action.CONFIRM_PEOPLE: frozenset({Role.ADMINISTRATOR, Role.COMPLIANCE_OFFICER}),
    Action.CHANGE_POLICY: frozenset({Role.COMPLIANCE_OFFICER, Role.QUALITY_MANAGER}),
    Action.SUBMIT_MODEL: frozenset({Role.DATA_SCIENTIST, Role.ML_ENGINEER}),
    Action.ATTACH_EVIDENCE: frozenset(
        {
            Role.DATA_SCIENTIST,
            Role.ML_ENGINEER,
            Role.CLINICAL_REVIEWER,
            Role.QUALITY_MANAGER,
            Role.COMPLIANCE_OFFICER,
        }
    ),
    Action.LOWER_RISK: frozenset({Role.COMPLIANCE_OFFICER, Role.QUALITY_MANAGER}),
    Action.REVIEW_MODEL: frozenset({Role.CLINICAL_REVIEWER, Role.QUALITY_MANAGER, Role.COMPLIANCE_OFFICER}),
    Action.APPROVE_MODEL: frozenset({Role.CLINICAL_REVIEWER, Role.QUALITY_MANAGER, Role.COMPLIANCE_OFFICER}),
    Action.PROMOTE_MODEL: frozenset({Role.ML_ENGINEER}),
    Action.SIGN_REPORT: frozenset({Role.COMPLIANCE_OFFICER}),
    Action.KEEP_AUDIT: frozenset({Role.COMPLIANCE_OFFICER}),
    Action.DESTROY_AUDIT: frozenset({Role.COMPLIANCE_OFFICER, Role.QUALITY_MANAGER}),
    Action.IDENTIFY_PATIENTS: frozenset({Role.CLINICAL_REVIEWER, Role.COMPLIANCE_OFFICER}),
    Action.WITHDRAW_PATIENTS: frozenset({Role.COMPLIANCE_OFFICER}),
    Action.EXPORT_IMAGES: frozenset({Role.DATA_SCIENTIST, Role.ML_ENGINEER}),
    Action.REVIEW_IMAGES: frozenset({Role.CLINICAL_REVIEWER, Role.QUALITY_MANAGER}),
    Action.ROTATE_KEYS: frozenset({Role.ADMINISTRATOR, Role.COMPLIANCE_OFFICER}),
    Action.RESTORE_TABLES: frozenset({Role.ADMINISTRATOR, Role.ML_ENGINEER}),
}
"""No role has all of it: the one that manages people approves nothing, those that make models approve none, and those
that export images don't learn whose they are.

One person may have several roles; the compliance report tells of duties that should be apart, and nobody approves what
they have made.
"""

TOGETHER = 2
"""How many people it takes to destroy what others rely on."""
