"""Whatever people do, in whatever order: nothing is approved without its quorum, nothing used that is not approved."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from approving import NAME, PASSWORD, ROLES, Clock, evidence, login
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.machine import OPEN, Act, State
from lakeward.governance.approvals.policy import DEFAULT, Risk
from lakeward.governance.approvals.requests import DAY_S, Login, Request
from lakeward.governance.approvals.versions import Version
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Role
from lakeward.workspace.errors import LakewardError
from lakeward.workspace.settings import settings as workspace

NEEDED = {Risk.HIGH: 3, Risk.MEDIUM: 2, Risk.LOW: 1}
MAY = {Role.CLINICAL_REVIEWER, Role.QUALITY_MANAGER, Role.COMPLIANCE_OFFICER}
SELDOM = st.sampled_from([False] * 7 + [True])
USERS = st.sampled_from(sorted(ROLES))


@dataclass
class Known:
    """What the test knows of a request, by having watched what succeeded."""

    risk: Risk
    digest: str
    authors: set[str]
    evidence: set[tuple[Kind, str]] = field(default_factory=set)
    spoilt: bool = False
    approvals: dict[str, frozenset[Role]] = field(default_factory=dict)
    decided: bool = False
    emergency: bool = False

    def quorum(self, people: People) -> bool:
        held = {user: roles & people.find(user).roles for user, roles in self.approvals.items()}
        now = {user: roles for user, roles in held.items() if roles}
        clinician = any(Role.CLINICAL_REVIEWER in roles for roles in now.values())
        return len(now) >= NEEDED[self.risk] and (clinician or self.risk is not Risk.HIGH)


class Acts(RuleBasedStateMachine):
    """People at random, each with what they may and may not do."""

    peopled: ClassVar[Path]

    @initialize(risk=st.sampled_from(Risk))
    def begin(self, risk: Risk) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._patch = pytest.MonkeyPatch()
        self._patch.setenv("LAKEWARD_HOME", str(Path(self._folder.name) / "home"))
        workspace.cache_clear()
        shutil.copytree(self.peopled, workspace().home)
        self.clock, self.digest = Clock(), "a" * 64
        self.approvals = Approvals(People(now=self.clock), self._version)
        self.known: dict[str, Known] = {}
        self.go_on(risk, ["dan", "dan", "ann"])

    def teardown(self) -> None:
        if hasattr(self, "_folder"):
            self._patch.undo()
            workspace.cache_clear()
            self._folder.cleanup()

    def _version(self, model: str, version: str) -> Version:
        return Version(model, version, self.digest, frozenset({"max"}))

    def _now(self) -> Request:
        return self.approvals.store.latest(NAME, "1")

    def _known(self) -> Known:
        """What is known of the request now; an emergency may have drafted one on the way."""
        now = self._now()
        return self.known.setdefault(now.id, Known(now.risk, now.digest, set(now.authors)))

    def _try(self, act: str, *arguments: Any, user: str = "", password: str = PASSWORD) -> Request | None:
        """Do something, if it can be done; then the request is as it says, and so it must be right."""
        try:
            done: Request = getattr(self.approvals, act)(Login(user, password), NAME, "1", *arguments)
        except LakewardError:
            return None
        finally:
            self._check()
        return done

    def _check(self) -> None:
        for request in self.approvals.store.requests():
            known = self.known.get(request.id)
            if known and request.state is State.APPROVED and not known.decided:
                raise AssertionError("approved, and no approval was seen to be the last")

    @rule(user=USERS, risk=st.sampled_from(Risk))
    def draft(self, user: str, risk: Risk) -> None:
        open_before = any(it.state_at(int(self.clock())) in OPEN for it in self.approvals.store.requests())
        if done := self._try("draft", risk, user=user):
            assert not open_before
            assert self.approvals.people.find(user).roles & {Role.DATA_SCIENTIST, Role.ML_ENGINEER}
            self.known[done.id] = Known(risk, self.digest, {user, "max"})

    @rule(user=USERS, kind=st.sampled_from(Kind), told=st.sampled_from(["all is well", "more of it"]))
    def attach(self, user: str, kind: Kind, told: str) -> None:
        if done := self._try("attach", kind, evidence(Path(self._folder.name), kind, told), user=user):
            known = self._known()
            if (kind, told) not in known.evidence:
                known.evidence.add((kind, told))
                known.approvals.clear()
            known.spoilt = known.spoilt and any(self.approvals.evidence.fault(it.sha256) for it in done.evidence)

    @rule(user=USERS)
    def submit(self, user: str) -> None:
        if done := self._try("submit", user=user):
            assert not done.missing()
            assert not self._known().spoilt

    @rule(user=USERS)
    def review(self, user: str) -> None:
        if self._try("review", user=user):
            assert user not in self._known().authors

    @rule(user=USERS, password=st.sampled_from([PASSWORD] * 9 + ["not the password"]))
    def approve(self, user: str, password: str) -> None:
        self.clock.seconds += 1  # who signs the same twice in a second has signed once
        known = self._known()
        roles = self.approvals.people.find(user).roles & MAY
        could = user not in known.authors and bool(roles) and password == PASSWORD
        whole = not known.spoilt and self.digest == known.digest
        seen = dict(known.approvals)
        if could and whole:
            known.approvals[user] = roles
        known.decided = known.decided or known.quorum(self.approvals.people)
        done = self._try("approve", user=user, password=password)
        if done is None:
            known.approvals = seen
            return
        event(f"approve leads to {done.state}")
        assert could
        assert whole
        assert (done.state in (State.APPROVED, State.DEPLOYED)) == known.quorum(self.approvals.people)

    @rule(risk=st.sampled_from(Risk), users=st.lists(USERS, min_size=2, max_size=5))
    def go_on(self, risk: Risk, users: list[str]) -> None:
        """Do what is next, some times, for random acts seldom get far."""
        for user in users:
            self._next(risk, user)

    def _next(self, risk: Risk, user: str) -> None:
        state = self._now().state if self.known else State.WITHDRAWN
        match state:
            case State.DRAFT:
                self.submit("dan")
            case State.SUBMITTED:
                self.review("ann")
            case State.IN_REVIEW | State.EMERGENCY:
                self.approve(user, PASSWORD)
            case State.APPROVED:
                self.use(state, seldom=True)
            case State.DEPLOYED:
                request = self._now()
                self.approvals.store.done(request, self.approvals.done(request, Act.RETIRE, "eve"))
            case _:
                self.draft("dan", risk)
                for kind in DEFAULT.rule(risk).evidence:
                    self.attach("dan", kind, "all is well")

    @rule(user=USERS, seldom=SELDOM)
    def reject(self, user: str, seldom: bool) -> None:
        if seldom and self._try("reject", "No", user=user):
            assert user not in self._known().authors
            assert self.approvals.people.find(user).roles & MAY

    @rule(user=USERS, seldom=SELDOM)
    def withdraw(self, user: str, seldom: bool) -> None:
        if seldom:
            self._try("withdraw", "No more", user=user)

    @rule(others=st.lists(USERS, min_size=1, max_size=2), first=st.sampled_from(["eve", "eve", "ann"]))
    def emergency(self, first: str, others: list[str]) -> None:
        try:
            logins = [login(user) for user in (first, *others)]
            self.approvals.emergency(logins, NAME, "1", Risk.LOW, "Outage")
        except LakewardError:
            return
        known = self._known()
        assert self.approvals.people.find(first).roles & {Role.ML_ENGINEER}
        assert len({first, *others}) >= 2
        assert not known.authors & set(others)
        known.emergency = True
        known.approvals.clear()

    @rule(seldom=st.booleans())
    def change_artefact(self, seldom: bool) -> None:
        if seldom:
            self.digest = "b" * 64 if self.digest == "a" * 64 else "a" * 64

    @rule(kind=st.sampled_from(Kind), seldom=st.booleans())
    def spoil_evidence(self, kind: Kind, seldom: bool) -> None:
        if not seldom:
            return
        for attached in self._now().evidence:
            if attached.kind is kind:
                self.approvals.evidence.path(attached.sha256).unlink(missing_ok=True)
                self._known().spoilt = True

    @rule(days=st.sampled_from([0, 0, 1, 2, 15]))
    def wait(self, days: int) -> None:
        self.clock.seconds += days * DAY_S
        if self.clock.seconds > 1_795_000_000 + 170 * DAY_S:
            self.clock.seconds -= days * DAY_S

    @rule(
        user=st.sampled_from(["bob", "cat"]), roles=st.sampled_from([[Role.DATA_SCIENTIST], [Role.CLINICAL_REVIEWER]])
    )
    def change_roles(self, user: str, roles: list[Role]) -> None:
        people = self.approvals.people
        people.set_roles(people.let_in("root", PASSWORD), user, roles)

    @precondition(lambda self: self._now().state in OPEN)
    @rule(state=st.sampled_from([State.APPROVED, State.DEPLOYED, State.EMERGENCY]), seldom=st.booleans())
    def use(self, state: State, seldom: bool) -> None:
        """Use the version, seldom also after somebody wrote into the store that it may be."""
        request = self._now()
        if not seldom and request.state not in (State.APPROVED, State.DEPLOYED, State.EMERGENCY):
            return
        known = self._known()
        forged = workspace().home / "governance" / "approvals.sqlite"
        with closing(sqlite3.connect(forged)) as store, store:
            if request.state not in (State.APPROVED, State.DEPLOYED, State.EMERGENCY):
                store.execute("UPDATE requests SET state = ? WHERE id = ?", (state.value, request.id))
        try:
            permitted = self.approvals.permitted(NAME, "1")
        except LakewardError:
            if self._now().state is state and request.state is not state:
                with closing(sqlite3.connect(forged)) as store, store:
                    store.execute("UPDATE requests SET state = ? WHERE id = ?", (request.state.value, request.id))
            return
        event(f"used, {permitted.state}")
        assert self.digest == known.digest
        assert known.decided or (known.emergency and permitted.state is State.EMERGENCY)
        self.approvals.store.add_move(permitted, self.approvals.done(permitted, Act.DEPLOY, "eve"), "promoted")


@pytest.mark.usefixtures("home")
def test_whatever_is_done_nothing_is_approved_without_its_quorum(peopled: Path) -> None:
    Acts.peopled = peopled
    run_state_machine_as_test(
        Acts,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # making an example smaller takes minutes
        ),
    )
