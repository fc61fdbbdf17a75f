"""The registry: it alone moves the alias of the model in use, and only to what governance has permitted.

An alias is moved in this order: the event, the entry in governance's store, MLflow, the entry's mark that it is done.
Whoever is killed in between does the same again. An alias that was moved in MLflow itself, and is there still when
`drift` looks, is found; one that was moved there and back is not, for MLflow keeps no history of aliases.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from lakeward.governance.approvals import quorum, versions, witness
from lakeward.governance.approvals.approvals import SYSTEM, Approvals
from lakeward.governance.approvals.errors import NotNow, RequestRefused
from lakeward.governance.approvals.machine import Act, State
from lakeward.governance.approvals.policy import Risk
from lakeward.governance.approvals.requests import Login, Request, check_reason
from lakeward.governance.approvals.store import Move
from lakeward.governance.people.roles import Action
from lakeward.governance.people.store import Person
from lakeward.workspace.errors import EventNotRecorded, LakewardError
from lakeward.workspace.events import Event, record

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
"""What the version in use is called in MLflow."""


class Finding(NamedTuple):
    """Something that is not as it should be."""

    model: str
    version: str
    finding: str
    detail: str


class Registry:
    """The registry of a lakehouse."""

    def __init__(self, approvals: Approvals | None = None) -> None:
        self.approvals = approvals or Approvals()
        self._store = self.approvals.store

    @cached_property
    def _client(self) -> "MlflowClient":
        """MLflow, which takes seconds to import: not every act asks it."""
        return versions.client_here()

    def register(self, who: Login | Person, model: str, logged: str) -> str:
        """Register a model that was logged, with its author's identity, and return the version's number.

        Parameters
        ----------
        logged : str
            MLflow's id of it, ``m-...``.

        Raises
        ------
        RequestRefused
            If there is no such logged model, or the model's name can't be used.
        """
        from mlflow.exceptions import MlflowException

        person = self.approvals.entered(who, Action.SUBMIT_MODEL)
        versions.check_name(model)
        try:
            source = self._client.get_logged_model(logged)
            details: Any = {"logged_model": logged, "run": source.source_run_id}
            # MLflow alone knows the number that the version will have.
            record(Event(type=witness.REGISTERED, object=f"model/{model}", actor=person.user, details=details))
            if not self._client.search_registered_models(f"name = '{model}'"):
                self._client.create_registered_model(model)
            # By its folder: MLflow looks its own addresses up in whatever store the environment names.
            place, run_id, tags = source.artifact_location, source.source_run_id, {versions.AUTHOR: person.user}
            made = self._client.create_model_version(model, place, run_id, tags=tags, model_id=logged)
        except MlflowException as error:
            raise RequestRefused(
                f"MLflow does not register {logged} as {model}: {error.error_code}. It takes the id of a logged model, "
                "m-..., which MLflow's page of its run shows."
            ) from None
        return str(made.version)

    # --- moving the alias --------------------------------------------------------------------------------------------

    def promote(self, who: Login | Person, model: str, version: str) -> Request:
        """Put the alias on an approved version; again, if somebody was killed doing it, or took it away in MLflow.

        Raises
        ------
        NotNow
            If the version is not approved, or is the champion already.
        Voided
            If the artefact, the evidence or the signatures are not those that were approved.
        """
        user = self.approvals.entered(who, Action.PROMOTE_MODEL).user
        with self.approvals.alone():
            request = self._permitted(user, model, version, "promoted")
            last = self._last(model)
            standing = last is not None and (last.version, last.request) == (version, request.id)
            if standing and self.champions().get(model) == version:
                if last and not last.done:
                    self._store.finish(last)
                    return request
                raise NotNow(f"{model} {version} is the {ALIAS} already.")
            if request.state is State.DEPLOYED and not standing:
                raise NotNow(f"{model} {version} was the {ALIAS} before. Go back to it: lakeward models rollback.")
            return self._move(request, Act.DEPLOY, "promoted", user)

    def emergency(self, logins: Sequence[Login], model: str, version: str, risk: Risk, reason: str) -> Request:
        """Put the alias on a version that is not approved yet, as `Approvals.emergency` permits it.

        Whoever was killed between signing and moving the alias promotes it.
        """
        self.approvals.emergency(logins, model, version, risk, reason)
        with self.approvals.alone():
            user = logins[0].user
            return self._move(self._permitted(user, model, version, "promoted"), Act.DEPLOY, "promoted", user, reason)

    def rollback(self, who: Login | Person, model: str, reason: str, version: str | None = None) -> Request:
        """Put the alias back on a former champion: the one before, or the one that is named.

        Raises
        ------
        RequestRefused
            If there is none that may be used, or no reason.
        """
        check_reason(reason)
        user = self.approvals.entered(who, Action.PROMOTE_MODEL).user
        with self.approvals.alone():
            last = self._last(model)
            if last and not last.done and last.what == "rolled_back" and version in (None, last.version):
                target = str(last.version)
            else:
                target = self._former(model, version)
            return self._move(
                self._permitted(user, model, target, "rolled_back"), Act.DEPLOY, "rolled_back", user, reason
            )

    def retire(self, who: Login | Person, model: str, version: str, reason: str) -> Request:
        """Take a version out of use for good; if it is the champion, there is none then."""
        check_reason(reason)
        user = self.approvals.entered(who, Action.PROMOTE_MODEL).user
        with self.approvals.alone():
            last = self._last(model)
            request = self._store.latest(model, version)
            if last and not last.done and last.what == "retired" and last.request == request.id:
                return self._apply(request, last)
            request = self.approvals.retirable(model, version)
            if last and last.version == version:
                return self._move(request, Act.RETIRE, "retired", user, reason)
            self._tell("retired", request, user, reason)
            return self._store.done(request, self.approvals.done(request, Act.RETIRE, user))

    # --- looking -----------------------------------------------------------------------------------------------------

    def champions(self) -> dict[str, str]:
        """Return, for each model that has one, the version that the alias is on in MLflow."""
        found, page = {}, None
        while True:
            models = self._client.search_registered_models(page_token=page)
            found.update({it.name: str(it.aliases[ALIAS]) for it in models if ALIAS in it.aliases})
            if not (page := models.token):
                return found

    def placed(self, model: str) -> dict[str, str]:
        """Return as `champions` does where the registry itself has put a model's alias last; MLflow is not asked."""
        last = self._last(model)
        return {model: last.version} if last and last.version else {}

    def drift(self) -> list[Finding]:
        """Find aliases that were moved in MLflow itself, and champions that are no more what was approved.

        What is found is recorded once, and stays a finding until it is put right. Requests whose time is over expire.
        A policy that too few have signed is not in force; that somebody told the trail so is a finding for good.
        """
        self.approvals.expire()
        with self.approvals.alone():
            return [*self._moved_outside(), *self._unfit(), *self._overdue(), *self._forged()]

    def _moved_outside(self) -> Iterator[Finding]:
        aliases = self.champions()
        known = self._store.outside()
        for model in sorted({*aliases, *(move.model for move in self._store.moves())}):
            moves = self._store.moves(model)
            last, now = moves[-1] if moves else None, aliases.get(model)
            wanted = last.version if last else None
            if now == wanted:
                continue
            if last and not last.done and now == (moves[-2].version if len(moves) > 1 else None):
                again = f"It was to be {last.what.replace('_', ' ')}, and was not: do it again."
                yield Finding(model, now or "", "move_unfinished", again)
                continue
            seen = (last.number if last else 0, model, now or "")
            if seen not in known:
                details: Any = {"alias": ALIAS, "version": now, "expected": wanted, "request": last and last.request}
                about = f"model/{model}/{now or wanted}"
                type_ = "training.model.alias_changed_outside"
                record(Event(type=type_, object=about, actor=SYSTEM, details=details))
                self._store.add_outside(*seen)
            detail = f"{ALIAS} is {now or 'gone'}; through the registry it was {wanted or 'never set'}."
            yield Finding(model, now or "", "alias_changed_outside", detail)

    def _unfit(self) -> Iterator[Finding]:
        for model, version in sorted(self.champions().items()):
            last = self._last(model)
            if last and last.version == version:
                try:
                    self.approvals.permitted(model, version)
                except EventNotRecorded:
                    raise
                except LakewardError as error:
                    yield Finding(model, version, "not_as_approved", str(error))

    def _overdue(self) -> Iterator[Finding]:
        for request in self._store.requests():
            if request.state is State.EMERGENCY and request.overdue(self.approvals.people.now()):
                detail = "The review after the fact is overdue."
                yield Finding(request.model, request.version, "review_overdue", detail)

    def _forged(self) -> Iterator[Finding]:
        for number, policy in quorum.forged(self.approvals.people):
            detail = f"Event {number} tells of the policy {policy[:12]}, which too few have signed: it is not in force."
            yield Finding("", "", "policy_not_signed", detail)

    # --- what all of them need ---------------------------------------------------------------------------------------

    def _permitted(self, user: str, model: str, version: str, what: str) -> Request:
        try:
            request = self.approvals.permitted(model, version)
            if request.overdue(self.approvals.people.now()):
                raise NotNow(f"The review after the fact of {model} {version} is overdue. Decide it first.")
            return request
        except EventNotRecorded:
            raise
        except LakewardError as error:
            self._refused(user, model, version, what, error)

    def _refused(self, user: str, model: str, version: str, what: str, error: LakewardError) -> NoReturn:
        event = {"type": f"training.model.{what}", "object": f"model/{model}/{version}", "actor": user}
        record(Event.model_validate({**event, "outcome": "refused", "reason": str(error), "details": {"alias": ALIAS}}))
        raise error

    def _former(self, model: str, version: str | None) -> str:
        """Return the champion that is to be gone back to."""
        line: list[str | None] = []
        for move in self._store.moves(model):
            del line[line.index(move.version) if move.version in line else len(line) :]
            line.append(move.version)
        usable = (State.DEPLOYED, State.EMERGENCY)
        for former in [it for it in reversed(line[:-1]) if it and version in (None, it)]:
            if self._store.latest(model, former).state in usable:
                return former
        which = " ".join(filter(None, (ALIAS, version)))
        raise RequestRefused(f"{model} has no former {which} that may be used: lakeward models list.")

    def _move(self, request: Request, act: Act, what: str, user: str, reason: str = "") -> Request:
        self._tell(what, request, user, reason)
        return self._apply(request, self._store.add_move(request, self.approvals.done(request, act, user), what))

    def _apply(self, request: Request, move: Move) -> Request:
        if move.version is None:
            self._client.delete_registered_model_alias(move.model, ALIAS)
        else:
            self._client.set_registered_model_alias(move.model, ALIAS, move.version)
        self._store.finish(move)
        return self._store.request(request.id)

    def _tell(self, what: str, request: Request, user: str, reason: str = "") -> None:
        before = self.champions().get(request.model)
        details: Any = {"alias": ALIAS, "digest": request.digest, "request": request.id, "before": before}
        type_ = f"training.model.{what}"
        record(Event(type=type_, object=request.object, actor=user, reason=reason, details=details))

    def _last(self, model: str) -> Move | None:
        moves = self._store.moves(model)
        return moves[-1] if moves else None
