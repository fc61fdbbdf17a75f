"""Checks of passwords: how they are kept, how old they are, and that they are their owners' own."""

from datetime import UTC, datetime, timedelta

from lakeward.governance.people.entrance import PASSWORD_DAYS
from lakeward.governance.people.people import REMEMBERED
from lakeward.governance.people.store import Person
from lakeward.governance.reports.checks.check import Seen, check, many, nothing, seen
from lakeward.governance.reports.stores import Stores, Told

ALONE_DAYS = 90
"""A password that is the only factor is changed so often (PCI DSS v4.0.1, 8.3.9)."""

LAST = 4
"""So many passwords before may not be taken again (PCI DSS v4.0.1, 8.3.7)."""

_NOBODY = "Nobody was ever added."
_ARGON = "$argon2id$"
_REPLACED = ("password_changed", "reset")
_SET = ("added", *_REPLACED)


@check(f"No password is older than {PASSWORD_DAYS} days.")
def passwords_fresh(stores: Stores) -> Seen:
    """Look at when the passwords of people who may come in were set."""
    if not stores.active:
        return nothing(_NOBODY)
    old = _older(stores.active, stores.now, PASSWORD_DAYS)
    days = {one.user: _set(one).date().isoformat() for one in stores.active}
    return seen(not old, f"{many(len(days), 'password')}, {len(old)} too old", set=days, too_old=old)


@check("Passwords are kept as argon2id hashes only.")
def passwords_hashed(stores: Stores) -> Seen:
    """Look at how passwords begin, those of people who were here before included."""
    if not stores.has_people:
        return nothing(_NOBODY)
    everybody = stores.people.store.people()
    kept = [(one.user, kept) for one in everybody for kept in (one.password, *one.earlier)]
    plain = sorted({user for user, text in kept if not text.startswith(_ARGON)})
    whose = many(len(everybody), "person", "people")
    detail = f"{many(len(kept), 'password')} of {whose}, {len(plain)} of them not hashed so"
    return seen(not plain, detail, passwords=len(kept), not_hashed=plain)


@check(f"Whoever has no second factor has a password that is no older than {ALONE_DAYS} days.")
def passwords_alone_fresh(stores: Stores) -> Seen:
    """Look at the passwords of people with no one-time codes."""
    if not stores.active:
        return nothing(_NOBODY)
    alone = [one for one in stores.active if one.sealed_totp is None]
    old = _older(alone, stores.now, ALONE_DAYS)
    detail = f"{len(alone)} of {many(len(stores.active), 'person', 'people')} have no second factor"
    users = [one.user for one in alone]
    return seen(not old, f"{detail}; {len(old)} of these passwords are too old", alone=users, too_old=old)


@check(f"A new password is none of the last {LAST}: those are kept, as hashes, to be compared with it.")
def passwords_not_reused(stores: Stores) -> Seen:
    """Compare how many hashes are kept of each person with how often the trail tells of another password."""
    if not stores.has_people:
        return nothing(_NOBODY)
    kept = {one.user: len(one.earlier) for one in stores.people.store.people()}
    changed = {user: sum(it.change in _REPLACED for it in stores.told.get(user, ())) for user in kept}
    fewer = sorted(user for user, number in kept.items() if number < min(changed[user], LAST))
    whose = f"{len(fewer)} of {many(len(kept), 'person', 'people')}"
    detail = f"The last {REMEMBERED} are compared; of {whose}, some are not kept"
    return seen(REMEMBERED >= LAST and not fewer, detail, compared=REMEMBERED, kept=kept, fewer=fewer)


@check("Nobody came in with a password that somebody else had given them: the first one was changed before.")
def first_passwords_changed(stores: Stores) -> Seen:
    """Look at who had set the password of each person who came in by one in the period, as the trail tells."""
    logins = [it for it in stores.of("governance.login.succeeded") if "issuer" not in it["details"]]
    if not logins:
        return nothing("Nobody came in by password in the period.")
    given = [it["sequence"] for it in logins if not _by_owner(stores, it)]
    detail = f"{many(len(logins), 'login')}, {len(given)} with a password of somebody else's"
    return seen(not given, detail, logins=len(logins), given=given)


def _by_owner(stores: Stores, login: Told) -> bool:
    states = [it for it in stores.told.get(login["object"], ()) if it.number < login["sequence"] and it.change in _SET]
    return bool(states) and states[-1].by == login["object"]


def _older(people: list[Person], now: datetime, days: int) -> list[str]:
    return sorted(one.user for one in people if now - _set(one) > timedelta(days=days))


def _set(person: Person) -> datetime:
    return datetime.fromtimestamp(person.password_set, UTC)
