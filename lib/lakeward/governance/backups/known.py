"""What the audit trail tells of backups: which were made, with which manifest, and which were removed."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import date

from lakeward.governance.backups.manifest import Link, Manifest, moment
from lakeward.governance.trail.entries import told_by
from lakeward.governance.trail.errors import NoSuchEvent
from lakeward.governance.trail.proofs import leads_to
from lakeward.governance.trail.sink import trail_here
from lakeward.governance.trail.store import Wanted

CREATED, REMOVED, FAILED = "governance.backup.created", "governance.backup.removed", "governance.backup.failed"


@dataclass(frozen=True)
class Known:
    """Backups by their ids.

    Attributes
    ----------
    created : dict of str to str
        SHA-256 of the sealed manifest.
    vouched : dict of str to str
        The same, and of those before too: a lakehouse that was restored has no event of what it was restored from.
    """

    created: dict[str, str] = field(default_factory=dict)
    vouched: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    @property
    def since(self) -> date | None:
        """Day of the first backup of all."""
        return moment(min(self.created)).date() if self.created else None


def without(days: Iterable[date], made: Container[date], since: date) -> list[date]:
    """Return the days with no backup; those before the first backup of all, which is `since`, need none."""
    return [day for day in days if day >= since and day not in made]


def known() -> Known:
    """Read the lakehouse's trail; nothing is known if it has none."""
    found = Known()
    try:
        with trail_here().view() as view:
            rows = view.select(Wanted(types=[CREATED, REMOVED]))
    except NoSuchEvent:
        return found
    for told in filter(None, map(told_by, rows)):
        id_, details = told["object"].removeprefix("backup/"), told["details"]
        if told["type"] == REMOVED:
            found.removed.add(id_)
            continue
        found.created[id_] = found.vouched[id_] = details.get("manifest", "")
        if before := details.get("previous"):
            previous = Link(*before)
            found.vouched.setdefault(previous.id, previous.sha256)
    return found


def continues(manifest: Manifest) -> bool:
    """Whether the lakehouse's trail is the one in a backup, or goes on where that ends."""
    try:
        with trail_here().view() as view:
            return leads_to(view, manifest.head)
    except NoSuchEvent:
        return False
