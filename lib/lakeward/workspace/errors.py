"""The error tree: one base, a few named children, each with the exit code a command ends with."""


class LakewardError(Exception):
    """Base of every error that Lakeward raises on purpose.

    A message says what is wrong, where (file or field), and the cure; it never holds patient data.
    """

    exit_code = 1


class ConfigurationError(LakewardError):
    """A setting, profile or file of the user's is wrong."""

    exit_code = 2


class MissingSecret(ConfigurationError):
    """A secret was found in none of its places."""


class ParameterError(ConfigurationError):
    """A notebook's parameters are unknown, missing or ill-typed."""


class PrerequisiteMissing(LakewardError):
    """Something that the machine must have (Java, Delta's jars) is not there."""

    exit_code = 3


class TableError(LakewardError):
    """A table is missing, or differs from its declaration."""


class NotebookFailed(LakewardError):
    """A cell of a notebook raised, or its process died."""


class Busy(LakewardError):
    """Another process holds the lock that this action needs."""

    exit_code = 4


class EventNotRecorded(LakewardError):
    """An event could not be written, so the action it describes did not happen."""

    exit_code = 5


class StorageFull(LakewardError):
    """A disk has no space left."""

    exit_code = 6
