"""A drill: back up, restore into a scratch copy, lose a part of that, bring it back; how long each takes."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, TypeVar

from lakeward.governance.backups.create import create
from lakeward.governance.backups.errors import NoSuchBackup
from lakeward.governance.backups.examination import faults
from lakeward.governance.backups.manifest import Manifest, moment
from lakeward.governance.backups.restore import restore, scratch

_EVENTS = "events"

Result = TypeVar("Result")


class Step(NamedTuple):
    """A step of a drill."""

    step: str
    seconds: float


@dataclass
class Drill:
    """What a drill did and found.

    Attributes
    ----------
    manifest : Manifest
        The backup that it made.
    lost : str
        The part that was lost in the copy: a table, or a folder.
    seen : list of str
        What was found wrong then: the loss must be seen.
    wrong : list of str
        What was wrong before the loss, or after the part was brought back: nothing, if all is well.
    """

    manifest: Manifest
    lost: str = ""
    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def timed(self, step: str, work: Callable[[], Result]) -> Result:
        """Do a step, and note how long it takes."""
        start = time.monotonic()
        done = work()
        self.steps.append(Step(step, time.monotonic() - start))
        return done

    @property
    def rto(self) -> timedelta:
        """Recovery time: restoring everything, and looking through it."""
        return timedelta(seconds=sum(it.seconds for it in self.steps if it.step in (_WHOLE, _LOOK)))


_BACK_UP, _WHOLE, _LOOK, _PART = "Back up", "Restore everything", "Look through it", "Restore the part"


def drill(part: str = "") -> Drill:
    """Back up the lakehouse, and try on a copy whether what is lost comes back; the lakehouse itself is left alone.

    Parameters
    ----------
    part : str
        The table or folder that is lost; the largest table if none is given, the audit trail if there is none.

    Raises
    ------
    NoSuchBackup
        If the lakehouse has no such part.
    """
    start = time.monotonic()
    manifest = create().manifest
    done = Drill(manifest, steps=[Step(_BACK_UP, time.monotonic() - start)])
    done.lost = part or max(manifest.tables, key=lambda it: it.rows).name if manifest.tables else _EVENTS
    with scratch("drill") as folder:
        copy, alone = folder / "copy", folder / "part"
        done.timed(_WHOLE, lambda: restore(manifest.id, copy))
        done.wrong += done.timed(_LOOK, lambda: list(faults(manifest, copy)))
        path = next((it.path for it in manifest.tables if it.name == done.lost), done.lost)
        if not (copy / path).exists():
            raise NoSuchBackup(f"The lakehouse has no {done.lost}. Name a table or a folder that it has.")
        shutil.rmtree(copy / path)
        done.seen = list(faults(manifest, copy))
        done.timed(_PART, lambda: restore(manifest.id, alone, [done.lost]))
        (alone / path).rename(copy / path)
        done.wrong += faults(manifest, copy)
    return done


def intervals(ids: Sequence[str]) -> list[tuple[datetime, timedelta]]:
    """Return for each backup but the first when it was made, and how long after the one before."""
    times = [moment(id_) for id_ in ids]
    return [(later, later - earlier) for earlier, later in pairwise(times)]
