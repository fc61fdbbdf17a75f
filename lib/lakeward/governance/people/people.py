"""People: how they are added, let in, locked out, and get along after a loss (21 CFR 11.100, 11.200, 11.300)."""

import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import pyotp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lakeward.governance.people import sealing
from lakeward.governance.people.errors import NotAllowed, NotLetIn, PersonRefused
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.store import PeopleStore, Person
from lakeward.governance.trail.notes import Signer
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings

MOST_FAILURES, LOCKED_S = 5, 15 * 60
PASSWORD_DAYS, REMEMBERED = 180, 5
_DAY_S = 86_400
_STEP_S = 30
_USER = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_WRONG = "Identity, password or code is wrong."


class People:
    """The people of a lakehouse.

    Parameters
    ----------
    folder : Path, optional
        Where the governance store lies; the lakehouse's own if not given.
    now : callable
        Seconds since 1970-01-01 UTC.
    """

    def __init__(self, folder: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self.store = PeopleStore(folder or settings().home / "governance")
        self._now = now

    def now(self) -> int:
        """Seconds since 1970-01-01 UTC."""
        return int(self._now())

    def find(self, user: str) -> Person:
        """Return a person.

        Raises
        ------
        PersonRefused
            If there is none of that identity.
        """
        found = self.store.person(user)
        if found is None:
            raise PersonRefused(f"There is no person {user}. lakeward people list tells who there is.")
        return found

    def add(self, by: Person | None, user: str, name: str, roles: Iterable[Role], password: str) -> Person:
        """Add a person, whose first password must be changed at once; who adds has checked who it is (11.100(b)).

        Parameters
        ----------
        by : Person or None
            An administrator; None for the very first person, who becomes one.

        Raises
        ------
        PersonRefused
            If the identity was given before, to whomever, or is malformed; or the password is too weak.
        NotAllowed
            If `by` may not add people.
        """
        wanted = frozenset(roles)
        if not self.store.people():
            wanted |= {Role.ADMINISTRATOR}
        else:
            self.allow(by, Action.MANAGE_PEOPLE)
        if not _USER.fullmatch(user):
            raise PersonRefused("An identity is 2 to 32 small letters, digits, dots, hyphens and underscores.")
        if not name.strip() or "\n" in name:
            raise PersonRefused("A printed name is one line that is not empty.")
        if self.store.person(user):
            raise PersonRefused(f"The identity {user} was given already; it is never given again.")
        digest = sealing.hashed(password)
        sealed, vkey = _new_key(user, password)
        self._tell("added", user, roles=sorted(wanted))
        known = {"user": user, "name": name.strip(), "roles": json.dumps(sorted(wanted)), "must_change": by is not None}
        secret = {"password": digest, "earlier": "[]", "sealed_key": sealed, "password_set": self.now()}
        self.store.add({**known, **secret, "vkey": vkey}, vkey, self.now())
        return self.find(user)

    def let_in(self, user: str, password: str, code: str | None = None) -> Person:
        """Return a person whose identity, password and, where one is set up, one-time code are right.

        Raises
        ------
        NotLetIn
            If any is not, the person is locked out or not active, or the password has expired; each try is recorded.
        """
        person = self.store.person(user)
        if fault := self._fault(person, password, code):
            self._refuse(user, fault)
        record(Event(type="governance.login.succeeded", object=user, actor=user))
        if person and person.failures:
            self.store.set(user, failures=0)
        return self.find(user)

    def change_password(self, user: str, old: str, new: str, code: str | None = None) -> None:
        """Replace a password by its owner; the key stays, and is sealed under the new one.

        Raises
        ------
        NotLetIn
            If the old one is wrong.
        PersonRefused
            If the new one is too weak, or was used lately.
        """
        person = self.store.person(user)
        fault = self._fault(person, old, code, expired_too=True)
        if fault or person is None:
            self._refuse(user, fault)
        used = (person.password, *person.earlier)[:REMEMBERED]
        if any(sealing.fits(new, digest) for digest in used):
            raise PersonRefused(f"The new password is one of the last {REMEMBERED}. Choose another.")
        digest = sealing.hashed(new)
        key = sealing.seal(sealing.unseal(person.sealed_key, old, user), new, user)
        totp = person.sealed_totp and sealing.seal(sealing.unseal(person.sealed_totp, old, user), new, user)
        self._tell("password_changed", user)
        changed = {"password": digest, "earlier": json.dumps(used), "sealed_key": key, "sealed_totp": totp}
        self.store.set(user, **changed, password_set=self.now(), must_change=False, failures=0)

    def reset(self, by: Person, user: str, password: str) -> None:
        """Give somebody who has lost it a new password to be changed at once, and with it a new key (11.300(c)).

        What the old key has signed stays valid; nobody can sign with it any more, for only the lost password opened it.
        """
        self.allow(by, Action.MANAGE_PEOPLE)
        person = self.find(user)
        digest = sealing.hashed(password)
        sealed, vkey = _new_key(user, password)
        self._tell("reset", user, by=by.user)
        earlier = json.dumps([person.password, *person.earlier][:REMEMBERED])
        new = {"password": digest, "earlier": earlier, "password_set": self.now(), "must_change": True}
        fresh = {"sealed_key": sealed, "sealed_totp": None, "failures": 0, "locked_until": 0}
        self.store.set_key(user, vkey, self.now(), **new, **fresh)

    def set_roles(self, by: Person, user: str, roles: Iterable[Role]) -> None:
        """Give a person other roles."""
        self.allow(by, Action.MANAGE_PEOPLE)
        wanted = sorted(set(roles))
        self._keep_an_administrator(self.find(user), Role.ADMINISTRATOR in wanted)
        self._tell("roles_changed", user, by=by.user, roles=wanted)
        self.store.set(user, roles=json.dumps(wanted))

    def set_active(self, by: Person, user: str, active: bool) -> None:
        """Take a person's access away, or give it back."""
        self.allow(by, Action.MANAGE_PEOPLE)
        self._keep_an_administrator(self.find(user), active)
        self._tell("activated" if active else "deactivated", user, by=by.user)
        self.store.set(user, active=active, failures=0, locked_until=0)

    def set_up_codes(self, user: str, password: str) -> str:
        """Set up one-time codes (RFC 6238), and return the address that an authenticator app reads from a QR code."""
        person = self.let_in(user, password)
        if person.sealed_totp:
            raise PersonRefused(f"{user} has one-time codes already; an administrator's reset removes them.")
        secret = pyotp.random_base32()
        self._tell("codes_set_up", user)
        self.store.set(user, sealed_totp=sealing.seal(secret.encode(), password, user))
        return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name="Lakeward")

    def allow(self, person: Person | None, action: Action) -> None:
        """Let a person do something that their roles include.

        Raises
        ------
        NotAllowed
            If they don't; the try is recorded.
        """
        if person is not None and person.active and person.roles & MATRIX[action]:
            return
        who = person.user if person else "nobody"
        needed = " or ".join(sorted(MATRIX[action]))
        reason = f"needs the role {needed}"
        record(Event(type="governance.user.refused", object=who, outcome="refused", reason=f"{action} {reason}"))
        raise NotAllowed(f"{who} may not do this: {action} {reason}.")

    def _fault(self, person: Person | None, password: str, code: str | None, expired_too: bool = False) -> str:
        """What keeps somebody out, empty if nothing does; counts failures."""
        if person is None:
            sealing.fits(password, sealing.NOBODY)
            return _WRONG
        if not person.active:
            return "This person's access was taken away."
        if person.locked_until > self.now():
            return f"Too many failures: locked for another {person.locked_until - self.now()} s."
        if not sealing.fits(password, person.password) or not self._code_fits(person, password, code):
            self._count_failure(person)
            return _WRONG
        if expired_too:
            return ""
        if person.must_change:
            return "The first password must be changed: lakeward people password."
        if self.now() - person.password_set > PASSWORD_DAYS * _DAY_S:
            return f"The password is older than {PASSWORD_DAYS} days: lakeward people password."
        return ""

    def _code_fits(self, person: Person, password: str, code: str | None) -> bool:
        if person.sealed_totp is None:
            return True
        totp = pyotp.TOTP(sealing.unseal(person.sealed_totp, password, person.user).decode())
        now = self.now()
        for at in (now, now - _STEP_S):
            if code and totp.verify(code, for_time=at):
                return self.store.take_code(person.user, at // _STEP_S)
        return False

    def _refuse(self, user: str, fault: str) -> NoReturn:
        record(Event(type="governance.login.failed", object=user[:32], outcome="refused", reason=fault))
        raise NotLetIn(fault)

    def _count_failure(self, person: Person) -> None:
        failures = person.failures + 1
        locked = self.now() + LOCKED_S if failures >= MOST_FAILURES else 0
        self.store.set(person.user, failures=0 if locked else failures, locked_until=locked)
        if locked:
            self._tell("locked", person.user)

    def _keep_an_administrator(self, person: Person, stays: bool) -> None:
        others = [one for one in self.store.people() if one.active and Role.ADMINISTRATOR in one.roles]
        if not stays and [one.user for one in others] == [person.user]:
            raise PersonRefused(f"{person.user} is the last administrator. Make somebody else one first.")

    def _tell(self, what: str, user: str, **details: object) -> None:
        record(Event.model_validate({"type": f"governance.user.{what}", "object": user, "details": details}))


def _new_key(user: str, password: str) -> tuple[bytes, str]:
    """A new Ed25519 key, sealed under the password, and its public half."""
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    return sealing.seal(seed, password, user), str(Signer(user, seed).verifier)
