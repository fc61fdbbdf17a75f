"""A lakehouse in which all is as it should be for two days, so that a test can break one thing."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyotp
from deltalake import write_deltalake

from lakeward.governance.people.lockouts import LOCKED, PASSED_ON
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.governance.people.signatures import Meaning, Signed, sign
from lakeward.governance.reports.checks.check import CHECKS, Proof, prove
from lakeward.governance.reports.stores import Period, Stores
from lakeward.governance.trail.anchors import anchor
from lakeward.governance.trail.trail import Trail
from lakeward.workspace.events import Event, use_sink
from lakeward.workspace.settings import settings

PASSWORD, FIRST = "correct horse battery", "given by somebody else"
PERIOD = Period(date(2026, 11, 2), date(2026, 11, 3))
NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)
MODEL = "model/lung-nodules/3"
RUN: dict[str, list[object]] = {
    "run_id": ["r1"], "state": ["SUCCESS"], "started_at": [PERIOD.begin],
    "found": [9], "known": [2], "stored": [6], "quarantined": [1],
}  # fmt: skip
SAMPLE: dict[str, list[object]] = {"sample": ["s1"], "population": [6], "reviewer": ["ben"]}
ROLES = {
    "ann": [Role.DATA_SCIENTIST, Role.ML_ENGINEER],
    "ben": [Role.CLINICAL_REVIEWER],
    "carl": [Role.COMPLIANCE_OFFICER],
}


class Clock:
    """Moves on by a second each time it is asked, or to where a test puts it."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


class World:
    """A lakehouse with its trail and people, in which a test says what time it is."""

    def __init__(self, at: datetime) -> None:
        self.clock = Clock(at)
        self.trail = Trail(settings().home / "events", clock=self.clock)
        self.people = People(now=lambda: self.clock.at.timestamp())
        self.codes: dict[str, pyotp.TOTP] = {}
        use_sink(self.trail.append)

    def tell(self, type_: str, object_: str, actor: str = "ann", **fields: object) -> None:
        """Append an event to the trail."""
        self.trail.append(Event.model_validate({"type": type_, "object": object_, "actor": actor, **fields}))

    def code(self, user: str) -> str:
        """Return the one-time code of now; each counts once, so it is half a minute later then."""
        self.clock.at += timedelta(seconds=31)
        return self.codes[user].at(self.clock.at)

    def sign(self, user: str, what: Signed, meaning: Meaning = Meaning.APPROVAL) -> None:
        """Sign something."""
        sign(self.people, what, meaning, user, PASSWORD, self.code(user))

    def proof(self, check: str, period: Period = PERIOD, now: datetime = NOW) -> Proof:
        """Run a check."""
        return prove(CHECKS[check], Stores(period, now))


def furnish(heads: Path, period: Period = PERIOD) -> World:
    """Add people, and days on which each thing happens that a check looks at."""
    world = World(period.begin - timedelta(days=1))
    root = world.people.add(None, "root", "Rita Root", [], PASSWORD)
    for user, roles in ROLES.items():
        world.people.add(root, user, f"Dr. {user.title()} Lee", roles, FIRST)
        world.people.change_password(user, FIRST, PASSWORD)
    for user in ("root", *ROLES):
        world.codes[user] = pyotp.parse_uri(world.people.set_up_codes(user, PASSWORD))
    world.people.confirm(world.people.let_in("carl", PASSWORD, world.code("carl")), "ben")
    for day in period.days(period.end):
        _live(world, datetime.combine(day, datetime.min.time(), UTC))
    world.people.add(root, "eve", "Dr. Eve Lee", [Role.DATA_SCIENTIST], FIRST)
    world.people.reset(root, "eve", PASSWORD)
    world.people.set_active(root, "eve", False)
    anchor(world.trail, str(heads))
    begin = period.begin + timedelta(hours=5)
    (settings().home / "intake").mkdir(mode=0o700)
    write_table("imaging.runs", **{**RUN, "started_at": [begin]})
    write_table("intake.withdrawn", withdrawn=["0f" * 32])
    write_table("imaging.reviews", sampled_at=[begin], verdict=["clean"], **SAMPLE)
    write_table("imaging.quarantine", quarantined_at=[begin], reason=["BURNED_IN"], status=["open"])
    return world


def write_table(name: str, **columns: list[object]) -> None:
    """Write a Delta table anew."""
    write_deltalake(
        str(settings().home.joinpath(*name.split("."))), pa.table(columns), mode="overwrite", schema_mode="overwrite"
    )


def _live(world: World, midnight: datetime) -> None:
    for hour in range(24):
        world.clock.at = midnight + timedelta(hours=hour)
        world.tell("governance.heartbeat", "trail", "scheduler")
    at = world.clock
    world.tell("governance.backup.created", f"backup/{at():%Y%m%dT%H%M%SZ}", "scheduler", details={"bytes": 4_200_000})
    world.tell("governance.backup.verified", f"backup/{at():%Y%m%dT%H%M%SZ}", "scheduler")
    world.tell("governance.audit.reviewed", "trail", "carl")
    world.tell("imaging.crosswalk.looked_up", "LWABCDEFGHIJKLMN", "ben", reason="Incidental finding, case 12")
    world.tell("imaging.export.started", "imaging.images")
    world.tell("imaging.patient.withdrawn", "0f" * 32, "carl", reason="Consent was withdrawn")
    asked = {"request": f"r-{midnight:%d}", "risk": "low"}
    world.tell("governance.approval.submitted", MODEL, "ann", details=asked)
    world.sign("ben", Signed("approval", asked["request"], "ab" * 32))
    world.tell("governance.approval.approved", MODEL, "ben", details=asked)
    world.tell("training.model.promoted", MODEL, "ann", details={**asked, "alias": "champion"})
    due = int((midnight + timedelta(days=9)).timestamp())
    world.tell("governance.approval.emergency", MODEL, "ann", details={"request": "r-e", "due": due})
    world.tell("governance.approval.reviewed_after", MODEL, "ben", details={"request": "r-e"})
    world.tell(LOCKED, "ben")
    with world.trail.view() as view:
        until = len(view.select()) - 1
    world.tell(PASSED_ON, "lockouts", "scheduler", details={"until": until, "count": 1})
