"""Who is let in: identity, password and one-time code, lock-out and expiry (21 CFR 11.300, 45 CFR 164.312(d))."""

from dataclasses import replace
from typing import NoReturn

import pyotp

from lakeward.governance.people import register, sealing
from lakeward.governance.people.errors import NotLetIn
from lakeward.governance.people.lockouts import LOCKED
from lakeward.governance.people.store import PeopleStore, Person
from lakeward.governance.trail.notes import Signer
from lakeward.workspace.events import Event, record

MOST_FAILURES, LOCKED_S = 5, 30 * 60
PASSWORD_DAYS = 180
_DAY_S = 86_400
_STEP_S = 30
_WRONG = "Identity, password or code is wrong."
_LOCKED = f"Too many failures: locked for {LOCKED_S // 60} minutes after the last."
_NOT_AS_TOLD = "The store does not say of this person what the audit trail says. Run: lakeward people verify"
_UNKNOWN = "(unknown)"
"""In place of an identity that is nobody's: what was typed there may be a password, and the trail forgets nothing."""


def come_in(
    store: PeopleStore, now: int, user: str, password: str, code: str | None, expired_too: bool = False
) -> Person:
    """Return a person whose identity, password and, where one is set up, one-time code are right.

    Parameters
    ----------
    now : int
        Seconds since 1970-01-01 UTC.
    expired_too : bool
        Whether a password will do that must be changed: to change it.

    Raises
    ------
    NotLetIn
        If not; the try is recorded.
    """
    person = register.settled(store, user)
    fault = _fault(store, person, now, password, code)
    if person is None:
        refuse(_UNKNOWN, fault)
    if fault:
        refuse(user, fault)
    signer = _key_of(person, password)
    if signer is None:
        refuse(user, _NOT_AS_TOLD)
    if not expired_too and (fault := _expired(person, now)):
        refuse(user, fault)
    return replace(person, signer=signer)


def refuse(user: str, fault: str) -> NoReturn:
    """Record that somebody was not let in, and raise `NotLetIn`."""
    record(Event(type="governance.login.failed", object=user, outcome="refused", reason=fault))
    raise NotLetIn(fault)


def fault_of(person: Person) -> str:
    """Return why a person may not come in, whatever they know; empty if they may."""
    if not person.active:
        return "This person's access was taken away."
    return _NOT_AS_TOLD if register.differences(person, register.now(person.user)) else ""


def _fault(store: PeopleStore, person: Person | None, now: int, password: str, code: str | None) -> str:
    if person is None:
        sealing.fits(password, sealing.NOBODY)
        return _WRONG
    tries = store.count_try(person.user, now)
    if tries is None:
        return _LOCKED
    judged = tries <= MOST_FAILURES
    if judged and _knows(store, person, now, password, code):
        store.end_tries(person.user)
        return fault_of(person)
    if tries >= MOST_FAILURES:
        store.lock_out(person.user, now, now + LOCKED_S, lambda: record(_locked(person.user)))
    return _WRONG if judged else _LOCKED


def _locked(user: str) -> Event:
    return Event(type=LOCKED, object=user)


def _knows(store: PeopleStore, person: Person, now: int, password: str, code: str | None) -> bool:
    return sealing.fits(password, person.password) and _code_fits(store, person, now, password, code)


def _code_fits(store: PeopleStore, person: Person, now: int, password: str, code: str | None) -> bool:
    if person.sealed_totp is None:
        return True
    totp = pyotp.TOTP(sealing.unseal(person.sealed_totp, password, person.user).decode())
    for at in (now, now - _STEP_S):
        if code and totp.verify(code, for_time=at):
            return store.take_code(person.user, at // _STEP_S)
    return False


def _key_of(person: Person, password: str) -> Signer | None:
    """Open the key that the trail tells of; None if the password opens another, and fits a hash that somebody wrote."""
    try:
        signer = Signer(person.user, sealing.unseal(person.sealed_key, password, person.user))
    except NotLetIn:
        return None
    return signer if str(signer.verifier) == person.vkey else None


def _expired(person: Person, now: int) -> str:
    if person.must_change:
        return "The first password must be changed: lakeward people password."
    if now - person.password_set > PASSWORD_DAYS * _DAY_S:
        return f"The password is older than {PASSWORD_DAYS} days: lakeward people password."
    return ""
