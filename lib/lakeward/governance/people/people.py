"""People: how they are added, let in, and get along after a loss (21 CFR 11.100, 11.200, 11.300)."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyotp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lakeward.governance.people import changes, entra, entrance, register, sealing
from lakeward.governance.people.errors import NotAllowed, PersonRefused
from lakeward.governance.people.roles import MATRIX, Action, Role
from lakeward.governance.people.store import PeopleStore, Person
from lakeward.governance.trail.notes import Signer
from lakeward.workspace.events import Event, record
from lakeward.workspace.settings import settings

REMEMBERED = 5
_ACCOUNT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_USER = re.compile(r"[a-z][a-z0-9._-]{1,31}")


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
            An administrator who has come in by password; None for the very first person, who becomes one.

        Raises
        ------
        PersonRefused
            If the identity was given before, to whomever, or is malformed; or the password is too weak.
        NotAllowed
            If `by` may not add people.
        """
        wanted = frozenset(roles)
        if self.none_yet():
            wanted |= {Role.ADMINISTRATOR}
        else:
            self.allow(by, Action.MANAGE_PEOPLE)
        if not _USER.fullmatch(user):
            raise PersonRefused("An identity is 2 to 32 small letters, digits, dots, hyphens and underscores.")
        if not name.strip() or "\n" in name:
            raise PersonRefused("A printed name is one line that is not empty.")
        digest = sealing.hashed(password)
        sealed, signer = _new_key(user, password)
        vkey = str(signer.verifier)
        person = Person(user, name.strip(), wanted, digest, sealed, vkey, self.now(), must_change=by is not None)

        def check() -> None:
            if register.now(user):
                raise PersonRefused(f"The identity {user} was given already; it is never given again.")

        self.store.add(person, check, lambda added: _tell("added", added, by.signer if by else signer))
        return replace(self.find(user), signer=None if by else signer)

    def none_yet(self) -> bool:
        """Whether nobody was ever added, as the audit trail tells: a row of one whose adding was cut short is nobody.

        Raises
        ------
        PersonRefused
            If the store is empty, but the audit trail tells of people: whoever emptied it becomes no administrator. Or
            if the store has people, but the trail tells of nobody.
        """
        told, stored = register.told(), self.store.people()
        if told and not stored:
            raise PersonRefused(
                f"The audit trail tells of people, {', '.join(told)}, whom the store lacks. Restore it."
            )
        if not told and len(stored) > 1:
            raise PersonRefused("The store has people of whom the audit trail tells nothing. Restore the trail.")
        return not told

    def let_in(self, user: str, password: str, code: str | None = None) -> Person:
        """Return a person whose identity, password and, where one is set up, one-time code are right.

        Raises
        ------
        NotLetIn
            If any is not, the person is locked out or not active, the password has expired, or the store says something
            else of the person than the audit trail; each try is recorded.
        """
        person = entrance.come_in(self.store, self.now(), user, password, code)
        record(Event(type="governance.login.succeeded", object=user, actor=user))
        return person

    def let_in_by_token(self, token: str) -> Person:
        """Return the person in whose name a token of Entra ID speaks; it stands for identity and password.

        To sign, a person's own password is needed still: nothing else opens the key (11.200(a)(1)).

        Raises
        ------
        NotLetIn
            If the token is refused, or the account is that of nobody who may come in; each try is recorded.
        """
        try:
            told = entra.claims(token)
        except entra.TokenRefused as refused:
            entrance.refuse("token", str(refused))
        owner = self.store.owner(str(told["oid"]))
        person = owner and register.settled(self.store, owner.user)
        if person is None:
            entrance.refuse("token", f"Nobody here has the account {told['oid']}: lakeward people account.")
        if fault := entrance.fault_of(person):
            entrance.refuse(person.user, fault)
        details = {"issuer": told["iss"], "token": str(told.get("uti", ""))}
        record(Event(type="governance.login.succeeded", object=person.user, actor=person.user, details=details))
        return person

    def change_password(self, user: str, old: str, new: str, code: str | None = None) -> None:
        """Replace a password by its owner.

        The key stays, and is sealed under the new password; but with a first password goes the first key, since whoever
        has given that password could open it.

        Raises
        ------
        NotLetIn
            If the old one is wrong.
        PersonRefused
            If the new one is too weak, or was used lately.
        """
        person = entrance.come_in(self.store, self.now(), user, old, code, expired_too=True)
        used = (person.password, *person.earlier)[:REMEMBERED]
        if any(sealing.fits(new, digest) for digest in used):
            raise PersonRefused(f"The new password is one of the last {REMEMBERED}. Choose another.")
        digest = sealing.hashed(new)
        key, vkey = sealing.seal(sealing.unseal(person.sealed_key, old, user), new, user), person.vkey
        if person.must_change:
            key, signer = _new_key(user, new)
            vkey = str(signer.verifier)
        totp = person.sealed_totp and sealing.seal(sealing.unseal(person.sealed_totp, old, user), new, user)
        changed = {"password": digest, "earlier": used, "sealed_key": key, "vkey": vkey, "sealed_totp": totp}
        self._change("password_changed", user, person, **changed, password_set=self.now(), must_change=False)

    def reset(self, by: Person, user: str, password: str) -> None:
        """Give somebody who has lost it a new password to be changed at once, and with it a new key (11.300(c)).

        What the old key has signed stays valid; nobody can sign with it any more, for only the lost password opened it.
        """
        self.allow(by, Action.MANAGE_PEOPLE)
        person = self.find(user)
        digest = sealing.hashed(password)
        sealed, signer = _new_key(user, password)
        earlier = (person.password, *person.earlier)[:REMEMBERED]
        new = {"password": digest, "earlier": earlier, "password_set": self.now(), "must_change": True}
        key = {"sealed_key": sealed, "vkey": str(signer.verifier), "confirmed": None}
        self._change("reset", user, by, **new, **key, sealed_totp=None, failures=0, locked_until=0)

    def confirm(self, by: Person, user: str) -> None:
        """Confirm that a person's key is their own, as they have told face to face: production signs with no other.

        An administrator could take a person's place after a reset, or by an account of their own. So it takes two to
        sign as somebody else (11.200(a)(3)): another confirms, who was confirmed in turn. The first two can't have
        been; keep three, so that one who has lost a password can be confirmed again.

        Raises
        ------
        PersonRefused
            If it is one's own, or who confirms has given the way in, or was confirmed by nobody; or if the trail tells
            of no change of the first password.
        """
        self.allow(by, Action.CONFIRM_PEOPLE)
        if refusal := changes.refusal_to_confirm(by.user, user, register.told()):
            raise PersonRefused(refusal)
        self._change("confirmed", user, by, confirmed=by.user)

    def set_roles(self, by: Person, user: str, roles: Iterable[Role]) -> None:
        """Give a person other roles."""
        self.allow(by, Action.MANAGE_PEOPLE)
        self._change("roles_changed", user, by, roles=frozenset(roles))

    def set_account(self, by: Person, user: str, account: str | None) -> None:
        """Let tokens of an account in Entra ID, known by its object id, stand for a person; None: none any more.

        It is a way in, so another must confirm the person afresh.

        Raises
        ------
        PersonRefused
            If it is no object id, or another person's.
        """
        self.allow(by, Action.MANAGE_PEOPLE)
        if account is not None and not _ACCOUNT.fullmatch(account):
            raise PersonRefused("An account is an object id of Entra ID: 8-4-4-4-12 small hexadecimal digits.")
        if account and (owner := self.store.owner(account)) and owner.user != user:
            raise PersonRefused(f"This account is {owner.user}'s: one person, one account.")
        self._change("account_changed", user, by, account=account, confirmed=None)

    def set_active(self, by: Person, user: str, active: bool) -> None:
        """Take a person's access away, or give it back."""
        self.allow(by, Action.MANAGE_PEOPLE)
        what = "activated" if active else "deactivated"
        self._change(what, user, by, active=active, failures=0, locked_until=0)

    def set_up_codes(self, user: str, password: str, show: Callable[[str], object] | None = None) -> str:
        """Set up one-time codes (RFC 6238), and return the address that an authenticator app reads from a QR code.

        Parameters
        ----------
        show : callable, optional
            Is given the address before the codes are asked for, so that nobody who is cut off then lacks it.
        """
        person = self.let_in(user, password)
        if person.sealed_totp:
            raise PersonRefused(f"{user} has one-time codes already; an administrator's reset removes them.")
        secret = pyotp.random_base32()
        address = pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name="Lakeward")
        if show:
            show(address)
        self._change("codes_set_up", user, person, sealed_totp=sealing.seal(secret.encode(), password, user))
        return address

    def allow(self, person: Person | None, action: Action) -> None:
        """Let a person do something that their roles include now.

        Raises
        ------
        NotAllowed
            If they don't; the try is recorded.
        """
        found = register.settled(self.store, person.user) if person else None
        fault = "" if found is None else entrance.fault_of(found)
        if found and found.roles & MATRIX[action] and not fault:
            return
        who = person.user if person else "nobody"
        reason = fault or f"needs the role {' or '.join(sorted(MATRIX[action]))}"
        record(Event(type="governance.user.refused", object=who, outcome="refused", reason=f"{action} {reason}"))
        raise NotAllowed(f"{who} may not do this: {action} {reason}")

    def _change(self, what: str, user: str, by: Person, **fields: Any) -> None:
        """Change a person, and tell the trail; one change at a time, so that each tells all of those before it."""
        self.find(user)

        def check_and_tell(changed: Person) -> None:
            told = register.told()
            others = [one for one in self.store.people() if one.user != user and one.user in told]
            if not any(one.active and Role.ADMINISTRATOR in one.roles for one in [changed, *others]):
                raise PersonRefused(f"{user} is the last administrator. Make somebody else one first.")
            _tell(what, changed, by.signer)

        with self.store.alone():
            register.settle(self.store, user)
            self.store.change(user, check_and_tell, **fields)


def _tell(what: str, person: Person, signer: Signer | None) -> None:
    """Tell the trail of a person as they are after a change, signed by who has changed them."""
    if signer is None:
        raise NotAllowed("A change of people is signed: come in with your own password for it.")
    history = register.told()
    event = Event.model_validate(changes.event_of(what, person, signer, history))
    if changes.read(event.model_dump(), history) is None:
        raise NotAllowed(f"{signer.verifier.name} may not do this to {person.user} now: {what}. Come in again.")
    record(event)


def _new_key(user: str, password: str) -> tuple[bytes, Signer]:
    """Return a new Ed25519 key, sealed under the password, and as it is."""
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    return sealing.seal(seed, password, user), Signer(user, seed)
