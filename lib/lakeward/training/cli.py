"""The commands ``lakeward models ...``: from the draft of a request to the model in use; who acts, signs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeward.governance.approvals.evidence import Kind
from lakeward.governance.approvals.policy import Risk
from lakeward.workspace.console import By, Json, print_either, print_json, print_records, print_rows

if TYPE_CHECKING:
    from lakeward.governance.approvals.requests import Login, Request
    from lakeward.governance.people.people import People
    from lakeward.training.registry import Registry

Model = Annotated[str, typer.Argument(help="The model's name in MLflow.")]
Version = Annotated[str, typer.Argument(help="Its version there.")]
Reason = Annotated[str, typer.Option(help="Why; recorded. Nothing of a patient in it.")]
RiskOption = Annotated[Risk, typer.Option(help="What a wrong answer of it may do to a patient.")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Models: evidence, review, approval, the version in use."
)


@app.command()
def policy(
    file: Annotated[Path | None, typer.Option(help="A policy (YAML) to put in force.")] = None,
    by: By = None,
    json: Json = False,
) -> None:
    """Show the policy of approvals that is in force, or sign another for what is drafted from then on.

    Two people must sign the same file, each by giving this command; each a compliance officer or quality manager.

    Example: lakeward models policy --file jobs/approval_policy.yml --by bob
    """
    import yaml

    from lakeward.governance.approvals.policy import load

    approvals = _registry().approvals
    if file:
        new = load(file)
        approvals.change_policy(_login(approvals.people, by), new)
    now = approvals.policy()
    told = now.model_dump(mode="json")
    text = yaml.safe_dump(told, sort_keys=False)
    print_either({"sha256": now.sha256, "policy": told}, json, f"# {now.sha256}\n{text}")


@app.command()
def register(
    model: Model,
    logged: Annotated[str, typer.Argument(help="MLflow's id of the logged model, m-...")],
    by: By = None,
    json: Json = False,
) -> None:
    """Register a model that was logged, under the name of its author, who can't approve it then.

    Example: lakeward models register nodules m-161acd0fee2741f79aa7c24a688bee40 --by dan
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    version = registry.register(enter(registry.approvals.people, by), model, logged)
    print_either({"model": model, "version": version}, json, f"It is {model} {version}.")


@app.command()
def draft(model: Model, version: Version, risk: RiskOption, by: By = None, json: Json = False) -> None:
    """Begin a request that a version be used, under the policy in force.

    At a lower risk than a version of the model was approved at, a compliance officer or quality manager must do it.

    Example: lakeward models draft nodules 7 --risk high --by dan
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    who = enter(registry.approvals.people, by)
    _say(registry.approvals.draft(who, model, version, risk), json)


@app.command()
def attach(
    model: Model,
    version: Version,
    kind: Annotated[Kind, typer.Argument(help="What it is evidence of.")],
    file: Annotated[Path, typer.Argument(help="The file; a copy is kept. Nothing of a patient in it.", exists=True)],
    by: By = None,
    json: Json = False,
) -> None:
    """Attach evidence; approvals that were given without it are void then.

    Of what form a file must be, a PDF or JSON that says certain things, the policy tells: lakeward models policy.

    Example: lakeward models attach nodules 7 metrics metrics.json --by dan
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    who = enter(registry.approvals.people, by)
    _say(registry.approvals.attach(who, model, version, kind, file), json)


@app.command()
def submit(model: Model, version: Version, by: By = None, json: Json = False) -> None:
    """Submit a request: from now on it must be decided within the days of review that the policy gives it.

    Example: lakeward models submit nodules 7 --by dan
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    _say(registry.approvals.submit(enter(registry.approvals.people, by), model, version), json)


@app.command()
def review(model: Model, version: Version, by: By = None, json: Json = False) -> None:
    """Sign that you have reviewed a version and its evidence; the first to do so takes the request into review.

    Example: lakeward models review nodules 7 --by ann
    """
    registry = _registry()
    _say(registry.approvals.review(_login(registry.approvals.people, by), model, version), json)


@app.command()
def approve(model: Model, version: Version, by: By = None, json: Json = False) -> None:
    """Sign that a version may be used; it may, once as many have signed as the policy asks for.

    Example: lakeward models approve nodules 7 --by ann
    """
    registry = _registry()
    _say(registry.approvals.approve(_login(registry.approvals.people, by), model, version), json)


@app.command()
def reject(model: Model, version: Version, reason: Reason, by: By = None, json: Json = False) -> None:
    """Sign that a version must not be used.

    Example: lakeward models reject nodules 7 --reason "Misses small nodules" --by ann
    """
    registry = _registry()
    _say(registry.approvals.reject(_login(registry.approvals.people, by), model, version, reason), json)


@app.command()
def withdraw(model: Model, version: Version, reason: Reason, by: By = None, json: Json = False) -> None:
    """Withdraw a request.

    Example: lakeward models withdraw nodules 7 --reason "Trained anew" --by dan
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    _say(registry.approvals.withdraw(enter(registry.approvals.people, by), model, version, reason), json)


@app.command()
def promote(model: Model, version: Version, by: By = None, json: Json = False) -> None:
    """Make an approved version the champion, which is the one in use.

    Example: lakeward models promote nodules 7 --by eve
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    _say(registry.promote(enter(registry.approvals.people, by), model, version), json)


@app.command()
def rollback(
    model: Model,
    reason: Reason,
    by: By = None,
    to: Annotated[str | None, typer.Option("--to", help="Which former champion; the one before if not given.")] = None,
    json: Json = False,
) -> None:
    """Make a former champion the champion again.

    Example: lakeward models rollback nodules --reason "Misses small nodules" --by eve
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    _say(registry.rollback(enter(registry.approvals.people, by), model, reason, to), json)


@app.command()
def retire(model: Model, version: Version, reason: Reason, by: By = None, json: Json = False) -> None:
    """Take a version out of use for good; if it is the champion, there is none then.

    Example: lakeward models retire nodules 7 --reason "Scanner replaced" --by eve
    """
    from lakeward.governance.people.asking import enter

    registry = _registry()
    _say(registry.retire(enter(registry.approvals.people, by), model, version, reason), json)


@app.command()
def emergency(
    model: Model,
    version: Version,
    reason: Reason,
    with_: Annotated[list[str], typer.Option("--with", help="Who signs, too, and may approve; may be given again.")],
    by: By = None,
    risk: RiskOption = Risk.HIGH,
    json: Json = False,
) -> None:
    """Make a version the champion that can't wait for its approval; its review, after the fact, has a deadline.

    Example: lakeward models emergency nodules 7 --reason "Champion fails on the new scanner" --by eve --with ann
    """
    registry = _registry()
    people = registry.approvals.people
    logins = [_login(people, user) for user in (by, *with_)]
    _say(registry.emergency(logins, model, version, risk, reason), json)


@app.command("list")
def list_models(json: Json = False) -> None:
    """List what was asked for, of each version the newest request, and which versions are in use.

    Example: lakeward models list
    """
    registry = _registry()
    latest = {(it.model, it.version): it for it in registry.approvals.store.requests()}
    champions = registry.champions() if latest else {}
    rows = [_told(registry, it, champions) for it in latest.values()]
    print_rows(rows, json) if rows or json else typer.echo("Nothing was asked for yet. Begin: lakeward models draft")


@app.command()
def status(model: Model, version: Version, json: Json = False) -> None:
    """Show how far a version is: request, evidence, signatures, and what MLflow has of it.

    Example: lakeward models status nodules 7
    """
    from lakeward.governance.approvals.facts import facts_of

    registry = _registry()
    facts = facts_of(model, version, registry.approvals)
    evidence: list[Any] = [{"kind": it.kind, "sha256": it.sha256, "fault": it.fault} for it in facts.evidence]
    signed = [
        {
            "by": it.signature.signer,
            "name": it.signature.name,
            "meaning": it.signature.meaning.value,
            "at": it.signature.time,
            "stands": it.stands,
        }
        for it in facts.signatures
    ]
    request = facts.request
    head = (
        _told(registry, request, registry.champions())
        if request
        else {"model": model, "version": version, "state": "none"}
    )
    as_asked = request.digest == facts.digest if request else None
    head |= {"artefact": facts.digest, "artefact as asked": as_asked, "metrics": facts.metrics}
    if json:
        print_json({**head, "evidence": evidence, "signatures": signed})
        return
    print_records([head], as_json=False)
    for rows in filter(None, (evidence, signed)):
        print_rows(rows, as_json=False)
        typer.echo()


@app.command()
def history(model: Model, json: Json = False) -> None:
    """List what was done to a model, by whom, from the audit trail; refused tries, too.

    Example: lakeward models history nodules
    """
    from lakeward.governance.approvals.witness import events

    found = events(model)
    rows = found if json else [_line(event) for event in found]
    print_rows(rows, json) if rows or json else typer.echo(f"The audit trail tells nothing of a model {model}.")


@app.command()
def check(json: Json = False) -> None:
    """Check that the champions are those that were approved, in time, under a policy that was signed; else ends with 1.

    Example: lakeward models check
    """
    found = _registry().drift()
    print_rows([it._asdict() for it in found], json) if found or json else typer.echo("All as approved.")
    if found:
        raise typer.Exit(1)


def _registry() -> "Registry":
    from lakeward.training.registry import Registry

    return Registry()


def _login(people: "People", by: str | None) -> "Login":
    """Ask for what it takes to sign; no token stands for it."""
    from lakeward.governance.approvals.requests import Login
    from lakeward.governance.people.asking import ask, ask_code, named

    user = named(by)
    return Login(user, ask(f"Password of {user}: "), ask_code(people, user))


def _line(event: dict[str, Any]) -> dict[str, Any]:
    """What a person reads of an event."""
    details = event["details"]
    told = {name: event[name] for name in ("recorded", "type", "object", "outcome", "actor")}
    return {**told, "about": event["reason"] or details.get("meaning") or details.get("kind", "")}


def _told(registry: "Registry", request: "Request", champions: dict[str, str]) -> dict[str, Any]:
    from lakeward.governance.approvals.machine import State
    from lakeward.governance.approvals.quorum import approvers, lack

    people = registry.approvals.people
    now = people.now()
    state = request.state_at(now)
    waits = state in (State.SUBMITTED, State.IN_REVIEW, State.EMERGENCY)
    lacks = request.missing() if waits or state is State.DRAFT else []
    if waits:
        lacks += filter(None, [lack(request, approvers(people, request))])
    return {
        "model": request.model,
        "version": request.version,
        "state": state.value,
        "champion": champions.get(request.model) == request.version,
        "risk": request.risk.value,
        "request": request.id,
        "due": datetime.fromtimestamp(request.due, UTC) if request.due and waits else None,
        "overdue": request.overdue(now),
        "lacks": ", ".join(lacks),
    }


def _say(request: "Request", json: bool) -> None:
    registry = _registry()
    told = _told(registry, request, registry.placed(request.model))
    due = f", to be decided by {told['due']:%Y-%m-%d %H:%M} UTC" if told["due"] else ""
    lacks = f"; it lacks {told['lacks']}" if told["lacks"] else ""
    what = ", the champion" if told["champion"] else ""
    print_either(told, json, f"{request.model} {request.version}: {told['state']}{what}{lacks}{due}.")
