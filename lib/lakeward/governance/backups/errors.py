"""What can be wrong with a backup, or with what is asked of it."""

from lakeward.workspace.errors import ConfigurationError, LakewardError


class BackupDamaged(LakewardError):
    """Something in the place of backups is gone, or is not as it was written."""


class WrongKey(ConfigurationError):
    """The secret ``backup_key`` is not the one that a backup was made with."""


class NoSuchBackup(ConfigurationError):
    """There is no backup of that name, or it holds nothing of the kind."""


class NotCopied(LakewardError):
    """What is to be backed up can't be read."""


class Changed(LakewardError):
    """What was to be backed up was removed meanwhile."""


class PlaceFails(LakewardError):
    """The place of backups can't be read or written."""
