"""Checks of people: who may come in, with what, and who may do what."""

from datetime import datetime, timedelta
from itertools import pairwise

from lakeward.governance.people.changes import Told
from lakeward.governance.people.entrance import LOCKED_S, MOST_FAILURES
from lakeward.governance.people.lockouts import LOCKED, PASSED_ON, until
from lakeward.governance.people.roles import MATRIX, Action
from lakeward.governance.people.store import Person
from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores, of_signature
from lakeward.governance.trail.keeping import ERASED, HELD, RELEASED, RETIRED
from lakeward.governance.trail.trail import ROTATED

IDLE_DAYS = 90
"""An account that was not used for so long should have been closed (PCI DSS v4.0.1, 8.2.6)."""

_LOCK_S = 30 * 60
_TOLD_WITHIN = timedelta(hours=1)
ADDED = "governance.user.added"
_SIGNS = ("governance.login.succeeded", ADDED, "governance.user.activated")
_NOBODY = "Nobody was ever added."
_RESET = "governance.user.reset"
_RIGHTS = {
    Action.SUBMIT_MODEL: (
        "training.model.registered", "governance.approval.submitted", "governance.approval.withdrawn",
    ),
    Action.ATTACH_EVIDENCE: ("governance.evidence.attached",),
    Action.APPROVE_MODEL: (
        "governance.approval.approved", "governance.approval.rejected", "governance.approval.reviewed_after",
    ),
    Action.PROMOTE_MODEL: (
        "training.model.promoted", "training.model.rolled_back", "training.model.retired",
        "governance.approval.emergency",
    ),
    Action.CHANGE_POLICY: ("governance.policy.changed",),
    Action.SIGN_REPORT: ("governance.report.made",),
    Action.KEEP_AUDIT: (HELD, RELEASED, ROTATED),
    Action.DESTROY_AUDIT: (RETIRED, ERASED),
    Action.IDENTIFY_PATIENTS: (
        "imaging.crosswalk.looked_up", "imaging.crosswalk.searched", "workspace.restricted.previewed",
    ),
    Action.WITHDRAW_PATIENTS: ("imaging.patient.withdrawn",),
    Action.EXPORT_IMAGES: ("imaging.export.started",),
    Action.REVIEW_IMAGES: ("imaging.review.judged", "imaging.quarantine.released"),
    Action.ROTATE_KEYS: ("imaging.crosswalk.resealed", "imaging.key.retired"),
    Action.RESTORE_TABLES: ("workspace.table.restored",),
}  # fmt: skip
"""What takes a role, by the events that tell that it was done."""

_APART = (
    (Action.MANAGE_PEOPLE, Action.APPROVE_MODEL),
    (Action.MANAGE_PEOPLE, Action.SIGN_REPORT),
    (Action.SUBMIT_MODEL, Action.APPROVE_MODEL),
    (Action.PROMOTE_MODEL, Action.APPROVE_MODEL),
)
"""What nobody may do both of."""


@check("Nobody who manages people, or makes models, may also approve models; nobody manages people and signs reports.")
def duties_separated(stores: Stores) -> Seen:
    """Compare the roles of people who may come in with what must be apart."""
    if not stores.active:
        return nothing(_NOBODY)
    both = {one.user: _both(one) for one in stores.active if _both(one)}
    roles = {one.user: sorted(one.roles) for one in stores.active}
    return seen(
        not both,
        f"{many(len(roles), 'person', 'people')}, {len(both)} with duties that should be apart",
        roles=roles,
        both=both,
    )


@check("Each touch of patient data was by somebody who was let in; by the machine's user, of such a name, only before.")
def actors_known(stores: Stores) -> Seen:
    """Compare the actors of the period's accesses, exports, releases and erasures with the people.

    From the first person that was added on, commands let in nobody else: the machine's user must have gone around them.
    """
    kinds = ("phi_access", "export", "quarantine", "erasure")
    found = [event for event in stores.events if event["kind"] in kinds]
    if not found:
        return nothing("Nobody touched patient data in the period.")
    known = {one.user for one in stores.people.store.people()} if stores.has_people else set()
    begun = min((event["sequence"] for event in stores.ever(ADDED)), default=0)
    machine = ["os:" if event["sequence"] < begun else "" for event in found]
    unknown = [it for it, prefix in zip(found, machine, strict=True) if it["actor"].removeprefix(prefix) not in known]
    actors = sorted({event["actor"] for event in unknown})
    detail = f"{many(len(found), 'event')}, {len(unknown)} of them by {many(len(actors), 'actor')} not known here"
    return seen(not unknown, detail, events=len(found), unknown=[it["sequence"] for it in unknown], actors=actors)


@check(
    "Whoever changed models, approvals, policy, legal holds, keys or the trail, brought a table back, touched patient "
    "data or signed a report had the role for it."
)
def acts_by_right(stores: Stores) -> Seen:
    """Compare who did it with the roles that the trail tells of them at that time, and count who was refused."""
    actions = {type_: action for action, types in _RIGHTS.items() for type_ in types}
    done = [event for event in stores.of(*actions) if event["outcome"] == "success"]
    refused = stores.of("governance.user.refused")
    if not done:
        return nothing("Nothing that takes a role was done in the period.")
    without = [it["sequence"] for it in done if not _might(stores.then(it), actions[it["type"]])]
    tries = f"{many(len(refused), 'try', 'tries')} refused"
    detail = f"{many(len(done), 'act')}, {len(without)} of them by somebody with no role for it; {tries}"
    return seen(not without, detail, acts=len(done), without=without, refused=[it["sequence"] for it in refused])


@check("Whoever was reset after a loss got another key, and no one-time code of before counts any more.")
def losses_replaced(stores: Stores) -> Seen:
    """Compare what the trail tells of people before and after each reset of the period."""
    found = stores.of(_RESET)
    if not found:
        return nothing("Nobody was reset in the period.")
    replaced = {
        after.number
        for states in stores.told.values()
        for before, after in pairwise(states)
        if after.facts["key"] != before.facts["key"] and not after.facts["codes"]
    }
    wrong = [it["sequence"] for it in found if it["sequence"] not in replaced]
    detail = f"{many(len(found), 'reset')}, {len(wrong)} that left the old key or codes, or were made by nobody who may"
    return seen(not wrong, detail, resets=[it["sequence"] for it in found], wrong=wrong)


@check(f"No account that may come in was unused for {IDLE_DAYS} days.")
def accounts_used(stores: Stores) -> Seen:
    """Compare the last login of people, or when they were added, with the limit."""
    if not stores.active:
        return nothing(_NOBODY)
    first = stores.now - timedelta(days=IDLE_DAYS)
    signs = stores.since(first.date(), *_SIGNS)
    seen_lately = {event["object"] for event in signs}
    idle = sorted(one.user for one in stores.active if one.user not in seen_lately)
    detail = f"{many(len(stores.active), 'active account')}, {len(idle)} of them unused for {IDLE_DAYS} days"
    users = [one.user for one in stores.active]
    return seen(not idle, detail, active=users, idle=idle, since=first.date().isoformat())


@check("Each identity was given once, to one person, and no key to sign with is shared.")
def identities_unique(stores: Stores) -> Seen:
    """Look at what the trail tells of people: how often they were added, and which keys they have had."""
    if not stores.has_people:
        return nothing(_NOBODY)
    told = stores.told
    added = [event["object"] for event in stores.ever(ADDED)]
    twice = sorted(user for user in {*told, *added} if added.count(user) != 1)
    owners = {(state.facts.get("key"), user) for user, states in told.items() for state in states}
    keys = [key for key, _ in owners if key]
    shared = sorted({key for key in keys if keys.count(key) > 1})
    known = f"{many(len(told), 'identity', 'identities')}, {many(len(set(keys)), 'key')}"
    detail = f"{known}; {len(twice)} not given exactly once, {len(shared)} keys shared"
    return seen(not twice and not shared, detail, identities=sorted(told), wrong=twice, keys=sorted(set(keys)))


@check("Roles, keys and access of people are what the audit trail tells of them: nobody wrote them into the store.")
def people_as_told(stores: Stores) -> Seen:
    """Compare the store with the trail."""
    if stores.register is None:
        return nothing(_NOBODY)
    wrong = [f"{it.what}: {it.detail}" for it in stores.register.findings if not of_signature(it)]
    detail = f"{many(stores.register.people, 'person', 'people')}, {many(len(wrong), 'difference')}"
    return seen(not wrong, detail, people=stores.register.people, differences=wrong)


@check("Everybody who may come in has a second factor: one-time codes.")
def second_factor(stores: Stores) -> Seen:
    """Look for people with no one-time codes."""
    if not stores.active:
        return nothing(_NOBODY)
    without = sorted(one.user for one in stores.active if one.sealed_totp is None)
    detail = f"{len(stores.active) - len(without)} of {len(stores.active)} people have one-time codes"
    return seen(not without, detail, active=[one.user for one in stores.active], without=without)


@check(f"{MOST_FAILURES} wrong passwords in a row locked the account, each time.")
def lockout_works(stores: Stores) -> Seen:
    """Count each person's failures up to a success or a lock."""
    tries = stores.of("governance.login.", "governance.user.")
    logins = [event for event in tries if event["type"].startswith("governance.login.")]
    if not logins or not stores.has_people:
        return nothing("Nobody came in, or tried to, in the period.")
    known = {one.user for one in stores.people.store.people()}
    counts, beyond = dict[str, int](), dict[str, int]()
    for event in tries:
        user = event["object"]
        wrong = event["type"] == "governance.login.failed"
        if wrong and (user not in known or "is wrong" not in event["reason"]):
            continue  # nobody's account, or one that is shut already
        counts[user] = counts.get(user, 0) + 1 if wrong else 0
        if counts[user] > MOST_FAILURES:
            beyond[user] = counts[user]
    failed = sum(event["type"] == "governance.login.failed" for event in logins)
    locks = sum(event["type"] == "governance.user.locked" for event in tries)
    detail = f"{many(failed, 'failed login')}, {many(locks, 'lock')}, {len(beyond)} that should have been and were not"
    return seen(not beyond, detail, failed=failed, locks=locks, not_locked=beyond)


@check("Each lock-out was passed on within an hour to those who watch.")
def lockouts_passed_on(stores: Stores) -> Seen:
    """Compare each lock-out of the period with what was passed on since."""
    locks = stores.of(LOCKED)
    if not locks:
        return nothing("Nobody was locked out in the period.")
    told = [(until(it), it["recorded"]) for it in stores.since(stores.period.first, PASSED_ON)]
    late = []
    for it in locks:
        passed_on = min((at for last, at in told if last >= it["sequence"]), default=stores.now.isoformat())
        if datetime.fromisoformat(passed_on) - datetime.fromisoformat(it["recorded"]) > _TOLD_WITHIN:
            late.append(it["sequence"])
    detail = f"{many(len(locks), 'lock-out')}, {len(late)} not passed on in time"
    return seen(not late, detail, locks=[it["sequence"] for it in locks], late=late)


@check("A locked account stays so for 30 minutes or more.")
def lockout_long(stores: Stores) -> Seen:
    """Look at what is set."""
    set_ = f"Locks after {MOST_FAILURES} failures, for {LOCKED_S // 60} minutes"
    return seen(LOCKED_S >= _LOCK_S, set_, failures=MOST_FAILURES, seconds=LOCKED_S)


def _might(person: Told | None, action: Action) -> bool:
    return person is not None and person.facts["active"] and bool(MATRIX[action] & set(person.facts["roles"]))


def _both(person: Person) -> list[str]:
    return [
        f"{one} and {other}" for one, other in _APART if person.roles & MATRIX[one] and person.roles & MATRIX[other]
    ]
