"""Why somebody is not let in, or a signature is not believed."""

from lakeward.workspace.errors import ConfigurationError, LakewardError


class NotLetIn(LakewardError):
    """Identity and password (and code) are not those of a person who may come in now."""

    exit_code = 7


class NotAllowed(LakewardError):
    """A person's roles don't include an action."""

    exit_code = 8


class SignatureInvalid(LakewardError):
    """A signature is not a person's own on this very record."""


class PersonRefused(ConfigurationError):
    """A person, role or password can't be as it was given."""


class MoreMustSign(LakewardError):
    """An act needs several people, and not all of them have signed it yet."""

    exit_code = 10


class StoreDamaged(LakewardError):
    """What the store says of a person can't be read: another program has written it."""
