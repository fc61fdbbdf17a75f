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
}
"""No role has all of it: the one that manages people approves nothing, and those that make models approve none.

One person may have several roles; the compliance report tells of duties that should be apart, and nobody approves what
they have made.
"""

TOGETHER = 2
"""How many people it takes to destroy what others rely on."""
