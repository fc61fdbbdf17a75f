"""What the area's notebooks may be told."""

from datetime import UTC, datetime, timedelta

from pydantic import Field

from lakeward.workspace.notebooks import Parameters


class HeartbeatParameters(Parameters):
    """Parameters of the notebook that records a heartbeat."""

    days: int = Field(ge=1, description="Days, up to now, to look at.")
    longest_gap_minutes: float = Field(gt=0, description="Longest time with no event.")

    @property
    def since(self) -> datetime:
        """Begin of the days."""
        return datetime.now(UTC) - timedelta(days=self.days)


class AuditParameters(HeartbeatParameters):
    """Parameters of the notebook about the audit trail."""

    silence_fails: bool = Field(False, description="Whether the notebook fails if there was such a time.")
    key: str = Field("", description="The log's public key, if it is known from elsewhere.")


class BackupParameters(Parameters):
    """Parameters of the drill with backups."""

    days: int = Field(ge=1, description="Days, today included, each of which must have a backup.")
    part: str = Field("", description="Table or folder to lose in the copy; the largest table if empty.")
