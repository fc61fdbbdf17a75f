"""What the area's notebooks may be told."""

from datetime import UTC, datetime, timedelta

from pydantic import Field

from lakeward.workspace.notebooks import Parameters


class AuditParameters(Parameters):
    """Parameters of the notebook about the audit trail."""

    days: int = Field(ge=1, description="Days, up to now, to look at.")
    longest_gap_minutes: float = Field(gt=0, description="Longest time with no event.")
    key: str = Field("", description="The log's public key, if it is known from elsewhere.")

    @property
    def since(self) -> datetime:
        """Begin of the days."""
        return datetime.now(UTC) - timedelta(days=self.days)
