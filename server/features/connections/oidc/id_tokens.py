"""What makes an ID token good (OpenID Connect Core 1.0, section 3.1.3.7), and a logout token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import jwt

from server.features.connections.oidc.checks import Checks
from server.features.connections.oidc.discovery import (
    ALGORITHMS,
    TENANT,
    ProviderMetadata,
    Providers,
)

# How far a provider's clock may be from ours.
SKEW = timedelta(seconds=60)
MAX_BYTES = 64 * 1024
LONGEST_SUBJECT = 255  # characters, of ASCII
# Beyond it RSA is slow, and nobody has such a key for anything but that.
MAX_KEY_BITS = 8192

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token of a provider must say.

    Attributes:
        tenants: those of Microsoft that may sign in; any if there are none.
        now: by our clock.
    """

    client_id: str
    tenants: frozenset[str]
    now: datetime


async def verified_claims(
    token: str, metadata: ProviderMetadata, providers: Providers, checks: Checks
) -> Claims:
    """What a token says whose signature is the provider's.

    Raises:
        CheckFailedError: if it is not.
        ProviderFailedError: if the keys cannot be fetched.
    """
    checks.require("token_format", len(token) <= MAX_BYTES, "the token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        header = {}
    checks.require("token_format", bool(header), "the token is a JWT")
    algorithm, kid = header.get("alg"), header.get("kid")
    allowed = isinstance(algorithm, str) and algorithm in metadata.algorithms
    checks.require("alg", allowed and algorithm in ALGORITHMS, f"it is signed with {algorithm!r}")
    claims = None
    for fresh in (False, True):
        keys = await providers.keys(metadata.jwks_uri, str(algorithm), kid, fresh=fresh)
        # Without a name only one key can be meant.
        claims = _decoded(token, keys[0], str(algorithm)) if len(keys) == 1 else None
        if claims is not None:
            break
    found = f"{len(keys)} of the provider's keys fit the key id {kid!r}"
    checks.require("kid", len(keys) == 1, found)
    checks.require("signature", claims is not None, "the signature is of the provider's key")
    assert claims is not None
    return claims


def _decoded(token: str, key: jwt.PyJWK, algorithm: str) -> Claims | None:
    """What the token says, if the signature is right. The claims are checked by us."""
    if getattr(key.key, "key_size", 0) > MAX_KEY_BITS:
        return None
    try:
        # The signature alone: the claims are checked here, by name.
        payload = jwt.PyJWS().decode(token, key.key, algorithms=[algorithm])
        claims = json.loads(payload)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def check_id_token(
    claims: Claims, metadata: ProviderMetadata, expected: Expected, nonce: str, checks: Checks
) -> None:
    """Notes what is right and wrong with the claims of an ID token."""
    _check_issuer(claims, metadata, expected, checks)
    _check_audience(claims, expected, checks)
    _check_times(claims, expected.now, checks)
    subject = claims.get("sub")
    checks.note("sub", _is_subject(subject), "the subject is a text of 1 to 255 characters")
    found = claims.get("nonce")
    same = isinstance(found, str) and hmac.compare_digest(found.encode(), nonce.encode())
    checks.note("nonce", same, "the nonce is the one of this sign-in")


def check_userinfo(
    claims: Claims, metadata: ProviderMetadata, expected: Expected, checks: Checks
) -> None:
    """Notes what is right and wrong with signed user info (OpenID Connect Core 1.0, 5.3.2)."""
    _check_issuer(claims, metadata, expected, checks)
    _check_audience(claims, expected, checks)
    # It need not say until when it is good; if it does, that counts.
    end, moment = claims.get("exp"), expected.now.timestamp()
    if end is not None:
        in_time = _is_number(end) and moment < end + SKEW.total_seconds()
        checks.note("exp", in_time, "the user info has not expired")


def check_access_token(claims: Claims, access_token: str, algorithm: str, checks: Checks) -> None:
    """Holds the access token against the ID token, if this names it."""
    if "at_hash" not in claims:
        return
    digest = hashlib.new(_hash_name(algorithm), access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
    checks.note("at_hash", claims["at_hash"] == half, "the access token belongs to the ID token")


BACKCHANNEL_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TOKEN_LIFETIME = timedelta(minutes=10)


def check_logout_token(
    claims: Claims, metadata: ProviderMetadata, expected: Expected, checks: Checks
) -> None:
    """Notes what is right and wrong (OpenID Connect Back-Channel Logout 1.0, section 2.6)."""
    _check_issuer(claims, metadata, expected, checks)
    _check_audience(claims, expected, checks)
    _check_times(claims, expected.now, checks, needs_end=False)
    issued_at = claims.get("iat")
    oldest = (expected.now - LOGOUT_TOKEN_LIFETIME).timestamp()
    checks.note("iat", _is_number(issued_at) and issued_at >= oldest, "it was issued lately")
    events = claims.get("events")
    event = events.get(BACKCHANNEL_EVENT) if isinstance(events, dict) else None
    checks.note("events", isinstance(event, dict), "it is about a back-channel logout")
    checks.note("nonce", "nonce" not in claims, "a logout token has no nonce")
    jti = claims.get("jti")
    checks.note("jti", isinstance(jti, str) and 0 < len(jti) <= 1000, "it has an id")
    names = [claims[name] for name in ("sub", "sid") if name in claims]
    named = bool(names) and all(_is_subject(name) for name in names)
    checks.note("sub", named, "it names a subject or a session")


def _check_issuer(
    claims: Claims, metadata: ProviderMetadata, expected: Expected, checks: Checks
) -> None:
    issuer = metadata.issuer
    if TENANT in issuer or expected.tenants:
        tenant = claims.get("tid")
        issuer = issuer.replace(TENANT, str(tenant))
        allowed = isinstance(tenant, str) and (not expected.tenants or tenant in expected.tenants)
        checks.note("tenant", allowed, f"the tenant is {tenant!r}")
    checks.note("iss", claims.get("iss") == issuer, f"the issuer is {claims.get('iss')!r}")


def _check_audience(claims: Claims, expected: Expected, checks: Checks) -> None:
    audience, party = claims.get("aud"), claims.get("azp")
    several = audience if isinstance(audience, list) else [audience]
    checks.note("aud", expected.client_id in several, f"the audience is {audience!r}")
    # A token for several is good only if it was made for us.
    named = party == expected.client_id
    needed = len(several) > 1 or party is not None
    checks.note("azp", named or not needed, f"the authorized party is {party!r}")


def _check_times(claims: Claims, now: datetime, checks: Checks, *, needs_end: bool = True) -> None:
    skew, moment = SKEW.total_seconds(), now.timestamp()
    end, begin, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf")
    if needs_end or end is not None:
        checks.note("exp", _is_number(end) and moment < end + skew, "it has not expired")
    in_time = _is_number(begin) and begin <= moment + skew
    checks.note("iat", in_time, "it was issued, and not in the future")
    if not_before is not None:
        begun = _is_number(not_before) and not_before <= moment + skew
        checks.note("nbf", begun, "it is valid already")


def check_auth_time(
    auth_time: float | None, max_age: timedelta, now: datetime, checks: Checks
) -> None:
    """Makes sure that the provider has asked a person who they are within some time.

    A provider that was asked to do so has to say when it did (OpenID Connect Core, section 2).

    Raises:
        CheckFailedError: if it has not, or does not say.
    """
    moment, skew = now.timestamp(), SKEW.total_seconds()
    oldest = moment - max_age.total_seconds() - skew
    lately = auth_time is not None and oldest <= auth_time <= moment + skew
    found = "says nothing of it" if auth_time is None else f"says {auth_time!r}"
    checks.require("auth_time", lately, f"when it asked who the person is, it {found}")


def number(value: Any) -> float | None:
    """A claim that is a number; None if it is none."""
    return float(value) if _is_number(value) else None


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_subject(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_SUBJECT
        and value.isascii()
        and value.isprintable()
    )


def _hash_name(algorithm: str) -> str:
    return "sha512" if algorithm == "EdDSA" else f"sha{algorithm[-3:]}"
