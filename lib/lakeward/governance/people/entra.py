"""Tokens of Microsoft Entra ID: signed by the issuer with a key that it publishes, for us, of our tenant, and fresh.

Sources: OpenID Connect Core 1.0, 3.1.3.7, and Discovery 1.0, 4.3; RFC 8725 (one algorithm, set here, not by the token);
Microsoft's reference of claims, by which ``oid`` is what never changes and is never given again.
"""

import json
import ssl
import time
import urllib.request
from functools import cache
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import jwt

from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import settings

ALGORITHM = "RS256"
LEEWAY_S = 60
"""By how much the issuer's clock may differ from ours."""

FRESH_S = 12 * 60 * 60
"""How long ago somebody may have proven who they are; a token may be renewed for months without that.

Only the claim ``auth_time`` tells; it is optional in Entra ID, so it must be switched on for the application.
"""

_CLAIMS = ["aud", "auth_time", "exp", "iat", "iss", "nbf", "oid", "tid"]
_WAIT_S = 10
_KEYS_S = 60 * 60
_FAULTS: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another application",
    jwt.InvalidIssuerError: "it is of another issuer",
    jwt.MissingRequiredClaimError: "it lacks a claim; auth_time must be switched on for the application",
    jwt.InvalidAlgorithmError: f"it is not signed with {ALGORITHM}",
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.PyJWKClientConnectionError: "the issuer's keys can't be had",
    jwt.PyJWKClientError: "it is signed by no key of the issuer's",
}


class TokenRefused(Exception):
    """Why a token is not accepted; has nothing of what is in it."""


def claims(token: str) -> dict[str, Any]:
    """Return what a token says of a person.

    Raises
    ------
    TokenRefused
        If it is not the issuer's, not for this application and tenant, of no person, or out of date.
    ConfigurationError
        If the settings don't say which tenant and application are ours.
    """
    tenant, audience, issuer = _ours()
    try:
        key = _keys(issuer).get_signing_key_from_jwt(token)
        told: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_S,
            options={"require": _CLAIMS},
        )
    except jwt.PyJWTError as error:
        fault = next((fault for kind, fault in _FAULTS.items() if isinstance(error, kind)), "it is malformed")
        raise TokenRefused(f"The token is refused: {fault}.") from None
    if told["tid"] != tenant:
        raise TokenRefused("The token is refused: it is of another tenant.")
    if told.get("idtyp") == "app":
        raise TokenRefused("The token is refused: it is of a program, not of a person.")
    if time.time() - float(told["auth_time"]) > FRESH_S + LEEWAY_S:
        raise TokenRefused(f"The token is refused: its owner has come in more than {FRESH_S // 3600} hours ago.")
    return told


@cache
def _keys(issuer: str) -> jwt.PyJWKClient:
    """Return the issuer's keys; they are fetched again after an hour, or when a token names one that is not there."""
    trusted = ssl.create_default_context()
    place = f"{issuer}/.well-known/openid-configuration"
    try:
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusted))
        with opener.open(place, timeout=_WAIT_S) as answer:
            told = json.load(answer)
        stated, keys = str(told["issuer"]), str(told["jwks_uri"])
    except (URLError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise TokenRefused(f"{place} does not tell the issuer's keys ({type(error).__name__}).") from None
    if stated != issuer or urlsplit(keys)[:1] != ("https",) or urlsplit(keys).hostname != urlsplit(issuer).hostname:
        raise TokenRefused(f"{place} is of another issuer, or its keys are elsewhere.")
    return jwt.PyJWKClient(keys, lifespan=_KEYS_S, timeout=_WAIT_S, ssl_context=trusted)


def _ours() -> tuple[str, str, str]:
    """Tenant, audience and issuer, as set."""
    ours = settings()
    if not ours.entra_tenant or not ours.entra_audience:
        raise ConfigurationError("Set entra_tenant and entra_audience: the ids of the tenant and of the application.")
    issuer = ours.entra_issuer or f"https://login.microsoftonline.com/{ours.entra_tenant}/v2.0"
    if urlsplit(issuer).scheme != "https":
        raise ConfigurationError("entra_issuer must begin with https://: its keys are believed.")
    return ours.entra_tenant, ours.entra_audience, issuer
