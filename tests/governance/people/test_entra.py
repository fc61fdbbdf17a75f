"""Tokens of Entra ID, from an issuer on this machine: which stand for a login, and which don't."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer import ACCOUNT, AUDIENCE, TENANT, Issuer
from lakeward.governance.people import entra
from lakeward.governance.people.asking import as_person
from lakeward.governance.people.errors import NotAllowed, NotLetIn, PersonRefused
from lakeward.governance.people.people import People
from lakeward.governance.people.roles import Action, Role
from lakeward.governance.people.signatures import Meaning, Signed, sign
from lakeward.governance.people.store import Person
from lakeward.workspace.events import Event
from lakeward.workspace.settings import settings
from recorded import recorded

Join = Callable[..., Person]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    issuer = Issuer(tmp_path_factory.mktemp("issuer"))
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()


@pytest.fixture
def issuer(started: Issuer, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(started.certificate))
    for name, value in (("TENANT", TENANT), ("AUDIENCE", AUDIENCE), ("ISSUER", started.name)):
        monkeypatch.setenv(f"LAKEWARD_ENTRA_{name}", value)
    settings.cache_clear()
    entra._keys.cache_clear()
    started.stated = {}
    started.asked.clear()
    yield started
    entra._keys.cache_clear()


@pytest.fixture
def ann(people: People, root: Person, join: Join) -> Person:
    join("ann")
    people.set_account(root, "ann", ACCOUNT)
    return people.find("ann")


def test_a_token_lets_its_owner_in(people: People, ann: Person, issuer: Issuer) -> None:
    assert people.let_in_by_token(issuer.token(uti="x7")) == ann
    event = recorded("governance.login.succeeded")[-1]
    assert (event.actor, event.details) == ("ann", {"issuer": issuer.name, "token": "x7"})


def test_keys_are_fetched_once_and_again_when_they_roll(
    people: People, ann: Person, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        people.let_in_by_token(issuer.token())
    assert len(issuer.asked) == 2, "the discovery document, and the keys"
    issuer.roll()
    later = time.monotonic() + 60
    monkeypatch.setattr("jwt.jwks_client.time.monotonic", lambda: later)
    assert people.let_in_by_token(issuer.token())
    assert len(issuer.asked) == 3


NOW = int(time.time())
WRONG: dict[str, tuple[str, Callable[[Issuer], str]]] = {
    "expired": ("has expired", lambda it: it.token(exp=NOW - 120)),
    "not valid yet": ("not valid yet", lambda it: it.token(nbf=NOW + 86_400)),
    "for another application": ("another application", lambda it: it.token(aud="another")),
    "of another issuer": ("another issuer", lambda it: it.token(iss="https://localhost/evil")),
    "of another tenant": ("another tenant", lambda it: it.token(tid="another")),
    "of a program": ("of a program", lambda it: it.token(idtyp="app")),
    "of somebody who came in long ago": ("12 hours ago", lambda it: it.token(auth_time=NOW - 13 * 3600)),
    "that does not tell when its owner came in": ("lacks a claim; auth_time", lambda it: it.token(auth_time=None)),
    "with no owner": ("lacks a claim", lambda it: it.token(oid=None)),
    "with no end": ("lacks a claim", lambda it: it.token(exp=None)),
    "with no tenant": ("lacks a claim", lambda it: it.token(tid=None)),
    "of nobody here": ("Nobody here has the account", lambda it: it.token(oid="0" * 8 + ACCOUNT[8:])),
    "of an unknown key": ("no key of the issuer", lambda it: it.token(kid="key-99")),
    "of a forged key": ("signature is wrong", lambda it: it.token(generate_private_key(65537, 2048))),
    "with no signature": ("RS256", lambda it: jwt.encode(it.claims(), None, "none", {"kid": it.published[-1]})),
    "signed with the public key": ("RS256", lambda it: _with_public_key(it)),
    "of another algorithm": ("RS256", lambda it: it.token(algorithm="RS384")),
    "cut": ("signature is wrong|malformed", lambda it: it.token()[:-8]),
    "nothing like it": ("malformed", lambda it: "abc"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_is_refused_that_is(people: People, ann: Person, issuer: Issuer, kind: str) -> None:
    reason, make = WRONG[kind]
    token = make(issuer)
    with pytest.raises(NotLetIn, match=reason):
        people.let_in_by_token(token)
    (failed,) = recorded("governance.login.failed")
    assert failed.outcome == "refused"
    assert token not in failed.reason


def _with_public_key(issuer: Issuer) -> str:
    """Sign by HS256, with the RSA key that everybody knows as its secret."""
    import base64
    import hashlib
    import hmac
    import json

    kid = issuer.published[-1]
    secret = issuer.keys[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "kid": kid}, issuer.claims())
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    digest = hmac.new(secret, text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    "stated",
    [{"issuer": "https://localhost/evil"}, {"jwks_uri": "https://127.0.0.1/keys"}, {"jwks_uri": "file:///keys"}],
)
def test_an_issuer_is_refused_whose_keys_are_anothers(
    people: People, ann: Person, issuer: Issuer, stated: dict[str, Any]
) -> None:
    issuer.stated = stated
    with pytest.raises(NotLetIn, match="another issuer, or its keys are elsewhere"):
        people.let_in_by_token(issuer.token())


def test_an_issuer_is_not_believed_without_its_certificate(
    people: People, ann: Person, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NotLetIn, match="does not tell the issuer's keys"):
        people.let_in_by_token(issuer.token())


def test_whose_access_was_taken_away_a_token_lets_in_no_more(
    people: People, root: Person, ann: Person, issuer: Issuer
) -> None:
    people.set_active(root, "ann", False)
    with pytest.raises(NotLetIn, match="taken away"):
        people.let_in_by_token(issuer.token())


def test_an_account_is_one_persons(people: People, root: Person, ann: Person, join: Join) -> None:
    join("ben")
    with pytest.raises(PersonRefused, match="ann's"):
        people.set_account(root, "ben", ACCOUNT)
    with pytest.raises(PersonRefused, match="object id"):
        people.set_account(root, "ben", "ben@example.com")
    people.set_account(root, "ann", None)
    people.set_account(root, "ben", ACCOUNT)


def test_a_command_takes_the_token_in_place_of_a_password(
    people: People, root: Person, ann: Person, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.set_roles(root, "ann", [Role.COMPLIANCE_OFFICER])
    monkeypatch.setenv("LAKEWARD_ENTRA_TOKEN", issuer.token())
    for by in (None, "ann"):
        with as_person(by, Action.KEEP_AUDIT) as person:
            assert person
            assert person.user == "ann"
            assert Event(type="imaging.export.started", object="cohort").actor == "ann"
    with pytest.raises(NotLetIn, match="of ann, not of root"), as_person("root", Action.KEEP_AUDIT):
        pass


def test_a_token_neither_signs_nor_changes_people(
    people: People, root: Person, ann: Person, join: Join, issuer: Issuer
) -> None:
    people.set_roles(root, "ann", [Role.ADMINISTRATOR])
    with pytest.raises(NotLetIn):
        sign(people, Signed("model", "nodules/7", "ab" * 32), Meaning.APPROVAL, "ann", issuer.token())
    with pytest.raises(NotAllowed, match="is signed"):
        people.set_roles(people.let_in_by_token(issuer.token()), "ann", [])
