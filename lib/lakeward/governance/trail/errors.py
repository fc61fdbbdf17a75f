"""What can be wrong with a trail, or with what is asked of it."""

from lakeward.workspace.errors import ConfigurationError, LakewardError


class NotProven(LakewardError):
    """A proof, a signature or a head does not show what it should."""


class NoKey(NotProven):
    """What was given as a public key is none, so that nothing was checked with it."""

    exit_code = 2


class NoSuchEvent(LakewardError):
    """The trail has no such event."""

    exit_code = 2


class Kept(ConfigurationError):
    """Something must not be removed yet."""


class StoreFailed(LakewardError):
    """The store of a trail can't be reached, or does not take or give what it is asked for."""


class StoreDamaged(StoreFailed):
    """The file that a trail is stored in is not what SQLite wrote."""
