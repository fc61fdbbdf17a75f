"""What people do to requests. Each act is checked, signed where it decides, recorded, and only then done."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from lakeward.governance.approvals import quorum, versions, witness
from lakeward.governance.approvals.errors import NotNow, RequestRefused, Voided
from lakeward.governance.approvals.evidence import Attached, EvidenceStore, Kind
from lakeward.governance.approvals.machine import OPEN, Act, State, after
from lakeward.governance.approvals.policy import Policy, Risk, signed
from lakeward.governance.approvals.requests import DAY_S, Login, Request, check_reason
from lakeward.governance.approvals.store import Done, Store
from lakeward.governance.approvals.versions import Version
from lakeward.governance.people.errors import MoreMustSign, NotAllowed
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import MATRIX, Action
from lakeward.governance.people.signatures import Meaning, sign
from lakeward.governance.people.store import Person
from lakeward.workspace.events import Event, record
from lakeward.workspace.locks import exclusive
from lakeward.workspace.settings import settings

SYSTEM = "lakeward"
"""Who does what nobody does: time passes, something was changed."""

_TOLD = {Act.REVIEW: "review_started", Act.APPROVE: "approved", Act.REJECT: "rejected", Act.EMERGENCY: "emergency"}


class Approvals:
    """The approvals of a lakehouse.

    Parameters
    ----------
    people : People, optional
        Who may sign; the lakehouse's own if not given. Their clock is the approvals', too.
    read : callable
        Tells what a version is now; MLflow if not given.
    """

    def __init__(self, people: People | None = None, read: Callable[[str, str], Version] = versions.read) -> None:
        self._folder = settings().home / "governance"
        self.people = people or People(self._folder)
        self.store = Store(self._folder)
        self.evidence = EvidenceStore(self._folder / "evidence")
        self._read = read

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else change requests or aliases meanwhile."""
        with exclusive(self._folder / "approvals.lock"):
            yield

    def policy(self) -> Policy:
        """Return the policy in force.

        Raises
        ------
        PolicyRefused
            If the store has another than the one that was put in force, by people who might do it.
        """
        policy = self.store.policy()
        quorum.confirm(self.people, policy)
        return policy

    def change_policy(self, login: Login, policy: Policy) -> None:
        """Sign a policy; with the last signature that it takes it is in force for what is drafted from then on.

        What was drafted before keeps its own. It takes two people, for who sets how many approve could else do alone.

        Raises
        ------
        MoreMustSign
            If another must sign it, too.
        """
        self.people.allow(self.people.find(login.user), Action.CHANGE_POLICY)
        with self.alone():
            before, after = quorum.in_force(self.people)
            change = signed(policy.sha256, after)
            sign(self.people, change, Meaning.APPROVAL, *login)
            if not quorum.enough(self.people, change):
                roles = " or ".join(sorted(MATRIX[Action.CHANGE_POLICY]))
                raise MoreMustSign(f"You have signed {change}. One more person, {roles}, must put it in force, too.")
            details: Any = {"before": before, "policy": policy.model_dump(mode="json")}
            record(Event(type=witness.CHANGED, object=str(change), actor=login.user, details=details))
            self.store.add_policy(policy, login.user, self.people.now())

    def entered(self, who: Login | Person, action: Action) -> Person:
        """Let somebody in, who may be in already, as by a token, and may do something.

        Raises
        ------
        NotLetIn
            If they are not who they say.
        NotAllowed
            If their roles don't include it.
        """
        person = who if isinstance(who, Person) else self.people.let_in(*who)
        self.people.allow(person, action)
        return person

    # --- asking ------------------------------------------------------------------------------------------------------

    def draft(self, who: Login | Person, model: str, version: str, risk: Risk) -> Request:
        """Begin a request about a version, under the policy in force.

        To call the risk lower than it was for a version of the model that was approved takes another role.

        Raises
        ------
        RequestRefused
            If there is no such version, or its model has a name that can't be signed.
        NotNow
            If there is a request about it that is open.
        """
        person = self.entered(who, Action.LOWER_RISK if _lower(risk, model) else Action.SUBMIT_MODEL)
        with self.alone():
            if known := self._open(model, version):
                raise NotNow(f"There is a request about {model} {version} already, {known.state}: {known.id}.")
            return self._add(self._new(person.user, model, version, risk))

    def attach(self, who: Login | Person, model: str, version: str, kind: Kind, file: Path) -> Request:
        """Attach evidence; approvals that were given without it are void then.

        Raises
        ------
        RequestRefused
            If the file is not of the form that the request's policy asks for of this kind.
        """
        person = self.entered(who, Action.ATTACH_EVIDENCE)
        with self.alone():
            request, state = self._step(model, version, Act.ATTACH)
            sha256, size = self.evidence.add(file, request.policy.forms.get(kind))
            if any((it.kind, it.sha256) == (kind, sha256) for it in request.evidence):
                return request
            self._void_approvals(request, person.user)
            details: Any = {"request": request.id, "kind": kind.value, "sha256": sha256, "bytes": size}
            type_ = "governance.evidence.attached"
            record(Event(type=type_, object=request.object, actor=person.user, details=details))
            attached = Attached(kind, sha256, size, person.user, self.people.now())
            about = {"kind": kind.value, "sha256": sha256}
            return self.store.attach(request, attached, self._done(request, Act.ATTACH, state, person.user, **about))

    def submit(self, who: Login | Person, model: str, version: str) -> Request:
        """Submit a request, whose review must end within the days that the policy gives it.

        Raises
        ------
        RequestRefused
            If evidence that the policy asks for is not attached.
        """
        person = self.entered(who, Action.SUBMIT_MODEL)
        with self.alone():
            request, state = self._step(model, version, Act.SUBMIT)
            self._as_it_was(request)
            due = self.people.now() + request.rule.review_days * DAY_S
            self._tell("submitted", request, person.user, due=due)
            done = self._done(request, Act.SUBMIT, state, person.user)
            return self.store.done(request, done, due=due)

    def withdraw(self, who: Login | Person, model: str, version: str, reason: str) -> Request:
        """Withdraw a request."""
        check_reason(reason)
        person = self.entered(who, Action.SUBMIT_MODEL)
        with self.alone():
            request, state = self._step(model, version, Act.WITHDRAW)
            self._tell("withdrawn", request, person.user, reason)
            return self.store.done(request, self._done(request, Act.WITHDRAW, state, person.user, reason=reason))

    # --- deciding ----------------------------------------------------------------------------------------------------

    def review(self, login: Login, model: str, version: str) -> Request:
        """Sign that one has reviewed a request; the first to do so takes it into review."""
        with self.alone():
            request, state = self._step(model, version, Act.REVIEW)
            self._may(login.user, request, Act.REVIEW, self._as_it_was(request))
            self._sign(request, Meaning.REVIEW, login)
            if state is not request.state:
                self._tell("review_started", request, login.user)
            return self.store.done(request, self._done(request, Act.REVIEW, state, login.user))

    def approve(self, login: Login, model: str, version: str) -> Request:
        """Sign that a version may be used; with the last of the approvals that the policy asks for, it may.

        Raises
        ------
        NotAllowed
            If the person has made the version or asks for it, or has no role that may approve.
        Voided
            If the artefact is not the one that the request is about.
        EvidenceBroken
            If evidence is gone or was changed.
        """
        with self.alone():
            request, state = self._step(model, version, Act.APPROVE)
            self._may(login.user, request, Act.APPROVE, self._as_it_was(request))
            found = quorum.approvers(self.people, request)
            if login.user not in found:
                self._sign(request, Meaning.APPROVAL, login)
            elif quorum.lack(request, found):
                raise NotNow(f"{login.user} has approved {model} {version} already; others must, too.")
            else:  # killed after signing, and tries again
                self.people.let_in(*login)
            return self._decide(request, state, login.user)

    def reject(self, login: Login, model: str, version: str, reason: str) -> Request:
        """Sign that a version must not be used; one who says so is enough."""
        check_reason(reason)
        with self.alone():
            request, state = self._step(model, version, Act.REJECT)
            self._may(login.user, request, Act.REJECT, self._unchanged(request).authors)
            self._sign(request, Meaning.REJECTION, login)
            what = "reviewed_after" if request.state is State.EMERGENCY else "rejected"
            self._tell(what, request, login.user, reason, decision=state.value)
            return self.store.done(request, self._done(request, Act.REJECT, state, login.user, reason=reason))

    def emergency(self, logins: Sequence[Login], model: str, version: str, risk: Risk, reason: str) -> Request:
        """Let a version be used before it is approved; its review, after the fact, then has a deadline.

        Parameters
        ----------
        logins : sequence of Login
            First who promotes it, then who may approve it and has not made it; all sign that they are responsible.
        risk : Risk
            Of the version, if there is no request about it that is open.

        Raises
        ------
        RequestRefused
            If they are fewer than the policy asks for, or there is no reason.
        """
        check_reason(reason)
        users = [login.user for login in logins]
        with self.alone():
            known = self._open(model, version)
            request = known or self._new(users[0], model, version, risk)
            state = after(request.state, Act.EMERGENCY)
            asked = request.policy.emergency
            if len(set(users)) < asked.signatures:
                raise RequestRefused(f"An emergency takes the signatures of {asked.signatures} people: --with.")
            self.people.allow(self.people.find(users[0]), Action.PROMOTE_MODEL)
            for user in users[1:]:
                self._may(user, request, Act.EMERGENCY, self._read(model, version).authors)
            if not known:
                if _lower(risk, model):
                    self.people.allow(self.people.find(users[0]), Action.LOWER_RISK)
                self._add(request)
            self._unchanged(request)
            urgent = replace(request, emergency=reason)
            for login in logins:
                self._sign(urgent, Meaning.RESPONSIBILITY, login)
            self._void_approvals(request, users[0])
            due = self.people.now() + asked.review_days * DAY_S
            self._tell("emergency", urgent, users[0], reason, due=due, signers=users)
            done = self._done(urgent, Act.EMERGENCY, state, users[0], reason=reason, signers=users)
            return self.store.done(request, done, emergency=reason, due=due)

    # --- using -------------------------------------------------------------------------------------------------------

    def permitted(self, model: str, version: str) -> Request:
        """Return the request by which a version may be used; artefact, evidence and signatures are verified anew.

        Whoever moves an alias asks this while it is `alone`.

        Raises
        ------
        NotNow
            If it may not be used.
        Voided
            If it might be used, were it what was approved.
        """
        request, _ = self._step(model, version, Act.DEPLOY)
        self._unchanged(request)
        self.evidence.check(request.evidence)
        if fault := quorum.fault(self.people, request, self.store.acts(request)):
            self._void(request, f"its approval is not signed as it is now ({fault})")
        self._goes_on(request)
        return request

    def retirable(self, model: str, version: str) -> Request:
        """Return the request of a version that may be retired."""
        return self._step(model, version, Act.RETIRE)[0]

    def done(self, request: Request, act: Act, by: str) -> Done:
        """Return the entry of an act on a request, for whoever moves an alias to keep."""
        return self._done(request, act, after(request.state, act), by)

    def expire(self) -> list[Request]:
        """Note which requests' time is over, and return them."""
        with self.alone():
            late = [it for it in self.store.requests() if it.state_at(self.people.now()) is not it.state]
            return [self._expired(request) for request in late]

    # --- what all of them need ---------------------------------------------------------------------------------------

    def _open(self, model: str, version: str) -> Request | None:
        found = [self._expired(it) for it in self.store.requests(model, version) if it.state in OPEN]
        return next((it for it in found if it.state in OPEN), None)

    def _new(self, user: str, model: str, version: str, risk: Risk) -> Request:
        versions.check_name(model)
        now = self._read(model, version)
        authors = now.authors | {user}
        policy = self.policy()
        id_, at = secrets.token_hex(6), self.people.now()
        return Request(id_, model, now.version, now.digest, risk, policy, State.DRAFT, authors, user, at, None, "", ())

    def _add(self, request: Request) -> Request:
        self._tell("drafted", request, request.by, **witness.told(request))
        self.store.add(request)
        return request

    def _step(self, model: str, version: str, act: Act) -> tuple[Request, State]:
        """Return the request about a version, and the state that an act leads it to."""
        request = self._expired(self.store.latest(model, version))
        return request, after(request.state, act)

    def _expired(self, request: Request) -> Request:
        if request.state_at(self.people.now()) is request.state:
            return request
        self._tell("expired", request, SYSTEM, due=request.due)
        return self.store.done(request, self._done(request, Act.EXPIRE, State.EXPIRED, SYSTEM))

    def _unchanged(self, request: Request) -> Version:
        """Make sure that request and artefact are those that were asked about, and return the version."""
        drafted = witness.confirm(request)
        quorum.confirm(self.people, request.policy, drafted)
        now = self._read(request.model, request.version)
        if now.digest != request.digest:
            self._void(request, f"its artefact changed from {request.digest[:12]} to {now.digest[:12]}")
        return now

    def _goes_on(self, request: Request) -> None:
        """Make sure that nothing has ended a request; it is not voided, for who was killed ending it does it again."""
        if why := quorum.ended(self.people, request):
            what = f"The request about {request.model} {request.version} is {request.state} in the store"
            raise NotNow(f"{what}, but {why}. Do that again, or restore the store from a backup.")

    def _as_it_was(self, request: Request) -> frozenset[str]:
        """Make sure of artefact and evidence, and return who made the version."""
        self._goes_on(request)
        authors = self._unchanged(request).authors
        if missing := request.missing():
            raise RequestRefused(
                f"A model of {request.risk} risk needs evidence that is not attached: {', '.join(missing)}. "
                "Attach it: lakeward models attach."
            )
        self.evidence.check(request.evidence)
        return authors

    def _may(self, user: str, request: Request, act: Act, makers: frozenset[str]) -> None:
        """Let somebody judge a version who holds the role, and has neither made it nor asked for it."""
        self.people.allow(self.people.find(user), Action.REVIEW_MODEL if act is Act.REVIEW else Action.APPROVE_MODEL)
        if replace(request, authors=request.authors | makers).is_by(user):
            reason = "nobody decides on their own work"
            # No password was asked for yet, so that it is not they whom the trail may tell of as having tried.
            details: Any = {"request": request.id, "as": user}
            type_ = f"governance.approval.{_TOLD[act]}"
            record(Event(type=type_, object=request.object, outcome="refused", reason=reason, details=details))
            raise NotAllowed(f"{user} has made {request.model} {request.version}, or asks for it: {reason}.")

    def _sign(self, request: Request, meaning: Meaning, login: Login) -> None:
        sign(self.people, request.signed, meaning, *login)

    def _decide(self, request: Request, state: State, by: str) -> Request:
        """Note an approval, and with the last of those that are needed, that it is decided."""
        found = quorum.approvers(self.people, request)
        if quorum.lack(request, found):
            return self.store.done(request, self._done(request, Act.APPROVE, request.state, by))
        approvers: Any = {user: sorted(roles) for user, roles in found.items()}
        what = "reviewed_after" if request.state is State.EMERGENCY else "approved"
        self._tell(what, request, by, decision="approved", approvers=approvers)
        return self.store.done(request, self._done(request, Act.APPROVE, state, by, approvers=approvers))

    def _void_approvals(self, request: Request, by: str) -> None:
        """Tell that what was approved until now is void, for the record is about to change."""
        if gone := quorum.signers(self.people, request.signed, Meaning.APPROVAL):
            self._tell("approvals_voided", request, by, "the record changed", approvers=sorted(gone))

    def _void(self, request: Request, why: str) -> NoReturn:
        state = after(request.state, Act.VOID)
        self._tell("voided", request, SYSTEM, why)
        self.store.done(request, self._done(request, Act.VOID, state, SYSTEM, reason=why))
        raise Voided(
            f"The request about {request.model} {request.version} is void: {why}. Begin another: lakeward models draft."
        )

    def _tell(self, what: str, request: Request, by: str, reason: str = "", /, **details: Any) -> None:
        told = {"request": request.id, "risk": request.risk.value, "sha256": request.signed.sha256} | details
        type_ = f"governance.approval.{what}"
        record(Event(type=type_, object=request.object, actor=by, reason=reason, details=told))

    def _done(self, request: Request, act: Act, state: State, by: str, /, **details: Any) -> Done:
        return Done(act, state, by, self.people.now(), request.record.decode(), details)


def _lower(risk: Risk, model: str) -> bool:
    """Whether a risk is lower than that of a version of the model that was approved."""
    higher = list(Risk)[: list(Risk).index(risk)]
    return not witness.risks(model).isdisjoint(higher)
