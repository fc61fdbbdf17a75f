"""What the area's notebooks may be told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from lakeward.workspace.notebooks import Parameters
from lakeward.workspace.settings import settings

if TYPE_CHECKING:
    from lakeward.governance.reports.stores import Period


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
    anchor_in: str = Field("", description="Folder or address where others guard signed heads; none is left if empty.")


class BackupParameters(Parameters):
    """Parameters of the drill with backups."""

    days: int = Field(ge=1, description="Days, today included, each of which must have a backup.")
    part: str = Field("", description="Table or folder to lose in the copy; the largest table if empty.")


class ReportParameters(Parameters):
    """Parameters of the notebook that makes a compliance report."""

    month: str = Field("", description="The month, such as 2026-11; the last one that is over if empty.")
    output: str = Field("", description="File: .pdf, .html or .json; in the lakehouse's governance/reports if empty.")

    @property
    def period(self) -> "Period":
        """The month's days."""
        from lakeward.governance.reports.stores import Period

        last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
        return Period.month(self.month or f"{last:%Y-%m}")

    @property
    def file(self) -> Path:
        """Where the report goes; its folder is made if need be."""
        name = f"compliance-{self.period.first:%Y-%m}.pdf"
        file = Path(self.output) if self.output else settings().home / "governance" / "reports" / name
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return file
