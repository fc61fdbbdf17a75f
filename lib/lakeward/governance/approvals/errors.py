"""Why a model is not approved, or not as it was when it was approved."""

from lakeward.workspace.errors import ConfigurationError, LakewardError


class PolicyRefused(ConfigurationError):
    """A policy of approvals can't be as it was given."""


class RequestRefused(ConfigurationError):
    """A request names something that is not there, or lacks something."""


class NotNow(LakewardError):
    """A request is in a state in which this can't be done."""

    exit_code = 9


class EvidenceBroken(LakewardError):
    """Evidence is gone, or is not what was attached."""


class Voided(LakewardError):
    """What was approved is not what is there now."""


class StoreBroken(LakewardError):
    """The store has what was never written by Lakeward."""
