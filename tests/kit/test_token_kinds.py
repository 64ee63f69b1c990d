"""Tokens of several kinds under one signing key: none passes for another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from portico_kit.credentials import Grant, Principal, by_kind
from portico_kit.errors import TokenExpiredError, UnauthenticatedError
from portico_kit.jwt import (
    INTERNAL_AUDIENCE,
    PUBLIC_AUDIENCE,
    Claims,
    SigningKey,
    TokenIssuer,
    TokenKind,
    TokenVerifier,
)
from server.features.auth.authenticator import USER
from server.features.keys.authenticator import KEY

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ROBOT = TokenKind("robot", "portico-robots", media_type="robot+jwt")
# Shares the audience of persons.
APP = TokenKind("app", PUBLIC_AUDIENCE, media_type="at+jwt")
# Of the OAuth server, which has a name of its own (RFC 9068).
ISSUER = "https://portico.example"
GRANT = TokenKind("grant", ISSUER, media_type="at+jwt", issuer=ISSUER)
KINDS = (USER, KEY, ROBOT, APP, GRANT)
WHOLE = {(kind.name, kind.audience, kind.media_type) for kind in KINDS}
# Every kind with the audience and the type of every other.
MIXED = sorted(set(product(*map(set, zip(*WHOLE, strict=True)))) - WHOLE)
SUBJECT = UUID("0195d1a0-0000-7000-8000-000000000001")
SESSION = UUID("0195d1a0-0000-7000-8000-000000000002")
ORGANIZATION = UUID("0195d1a0-0000-7000-8000-000000000003")


class OneKey:
    """A key set with one key."""

    def __init__(self) -> None:
        self._key = SigningKey("main", ec.generate_private_key(ec.SECP256R1()))

    def signing_key(self) -> SigningKey:
        return self._key

    async def public_key(self, kid: str) -> EllipticCurvePublicKey | None:
        return self._key.private_key.public_key() if kid == self._key.kid else None

    async def former_key(self, kid: str) -> EllipticCurvePublicKey | None:
        return await self.public_key(kid)

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Signs whatever it is given; None leaves a claim out."""
        present = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self._key.kid, **header}
        return jwt.encode(present, self._key.private_key, "ES256", headers=headers)


KEYS = OneKey()


def clock() -> datetime:
    return NOW


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer(KEYS, "portico", clock)


@pytest.fixture
def verifier() -> TokenVerifier:
    return TokenVerifier(KEYS, "portico", clock, KINDS)


def claims(kind: TokenKind, /, **changes: Any) -> dict[str, Any]:
    """What a token of this kind says."""
    return {
        "iss": kind.issuer or "portico",
        "aud": kind.audience,
        "sub": str(SUBJECT),
        "kind": kind.name,
        "sid": str(SESSION),
        "org": str(ORGANIZATION),
        "tier": "free",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
        "jti": str(uuid4()),
    } | changes


def issued(issuer: TokenIssuer, kind: TokenKind, **fields: Any) -> str:
    return issuer.issue(
        kind=kind,
        subject=SUBJECT,
        session_id=SESSION,
        organization_id=ORGANIZATION,
        tier="pro",
        **fields,
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_token_of_each_kind_is_verified_as_this_kind(
    issuer: TokenIssuer, verifier: TokenVerifier, kind: TokenKind
) -> None:
    found = await verifier.verify(issued(issuer, kind))
    assert (found.kind, found.audience) == (kind.name, kind.audience)
    assert (found.subject, found.session_id, found.tier) == (SUBJECT, SESSION, "pro")
    assert (found.scopes, dict(found.private)) == (None, {})


@pytest.mark.parametrize(("name", "audience", "media_type"), MIXED)
async def test_no_kind_passes_for_another(
    verifier: TokenVerifier, name: str, audience: str, media_type: str
) -> None:
    token = KEYS.sign(claims(USER, kind=name, aud=audience), typ=media_type)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": None},
        {"kind": "stranger"},
        {"kind": ["user"]},
        {"kind": {"user": 1}},
        {"kind": 1},
        {"kind": "User"},
        {"aud": None},
        {"aud": "somebody-else"},
        {"aud": [PUBLIC_AUDIENCE]},
        {"aud": [PUBLIC_AUDIENCE, INTERNAL_AUDIENCE]},
        {"iss": "somebody-else"},
        {"iss": None},
        {"sub": None},
        {"sub": "ada"},
        {"sid": None},
        {"sid": "a session"},
        {"sid": 7},
        {"tier": None},
        {"exp": None},
    ],
    ids=str,
)
async def test_a_token_that_does_not_say_what_its_kind_says_is_refused(
    verifier: TokenVerifier, changes: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(KEYS.sign(claims(USER, **changes)))


@pytest.mark.parametrize("media_type", ["", "at+jwt", "logout+jwt", "JOSE", 1, None], ids=str)
async def test_a_token_of_another_type_is_refused(
    verifier: TokenVerifier, media_type: object
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(KEYS.sign(claims(USER), typ=media_type))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_a_token_without_a_signature_is_refused_whatever_its_kind(
    verifier: TokenVerifier, kind: TokenKind
) -> None:
    headers = {"kid": "main", "typ": kind.media_type}
    unsigned = jwt.encode(claims(kind), "", algorithm="none", headers=headers)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(unsigned)


async def test_a_kind_that_is_not_registered_is_refused(issuer: TokenIssuer) -> None:
    persons_alone = TokenVerifier(KEYS, "portico", clock, [USER])
    with pytest.raises(UnauthenticatedError):
        await persons_alone.verify(issued(issuer, KEY))


@pytest.mark.parametrize("kind", [USER, KEY], ids=lambda kind: kind.name)
async def test_a_token_that_0_1_issued_stays_valid(
    verifier: TokenVerifier, kind: TokenKind
) -> None:
    """Its header has what PyJWT adds by itself, and its claims are those of then."""
    own = {"sid": None, "sec": "0123456789abcdef"} if kind is KEY else {}
    token = KEYS.sign(claims(kind, **own))
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "main", "typ": "JWT"}
    found = await verifier.verify(token)
    assert (found.kind, found.subject, found.organization_id) == (kind.name, SUBJECT, ORGANIZATION)
    assert found.secret_id == own.get("sec", "")
    assert found.expires_at == NOW + timedelta(seconds=60)


async def test_an_expired_token_of_any_kind_is_reported_as_such(
    verifier: TokenVerifier,
) -> None:
    past = int(NOW.timestamp())
    for kind in KINDS:
        with pytest.raises(TokenExpiredError):
            await verifier.verify(KEYS.sign(claims(kind, exp=past), typ=kind.media_type))


async def test_scopes_and_private_claims_come_back_as_they_were_given(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    scopes = frozenset({"keys:read", "keys:write"})
    token = issued(issuer, APP, scopes=scopes, private={"client_id": "an app"})
    body = jwt.decode(token, options={"verify_signature": False})
    assert (body["scope"], body["client_id"]) == ("keys:read keys:write", "an app")
    found = await verifier.verify(token)
    assert (found.scopes, dict(found.private)) == (scopes, {"client_id": "an app"})


async def test_a_token_with_no_scope_left_is_not_one_without_scopes(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    assert (await verifier.verify(issued(issuer, APP, scopes=frozenset()))).scopes == frozenset()


@pytest.mark.parametrize("name", ["sub", "aud", "kind", "exp", "scope"])
def test_a_private_claim_replaces_none_of_the_others(issuer: TokenIssuer, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        issued(issuer, ROBOT, private={name: "x"})


class Authenticating:
    """An authenticator that lets nobody in."""

    def __init__(self, kind: TokenKind) -> None:
        self.kind = kind

    def principal(self, claims: Claims) -> Principal:
        return Principal(self.kind.name, claims.subject)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        return None


@pytest.mark.parametrize(
    "names",
    [("robot", "robot"), ("anonymous",), ("service",), ("",), ("Robot",), ("a" * 17,), ("a b",)],
    ids=str,
)
def test_a_kind_has_a_name_of_its_own_that_the_audit_log_can_hold(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="kind"):
        by_kind(Authenticating(TokenKind(name, PUBLIC_AUDIENCE)) for name in names)


# Scopes ------------------------------------------------------------------------


class Administrator:
    """An account with a permission on the whole platform."""

    permissions = frozenset({"users:read"})
    has_second_factor = False
    version = 1
    message = None


SIGNED_IN = Principal("user", SUBJECT, SESSION, None, SUBJECT)
BY_AN_APP = Principal("app", SUBJECT, None, None, SUBJECT)
HELD = {ORGANIZATION: frozenset({"keys:read", "keys:write"})}


@pytest.mark.parametrize(
    ("scopes", "effective"),
    [
        (None, {"keys:read", "keys:write"}),
        ({"keys:read", "members:write"}, {"keys:read"}),
        (set(), set()),
    ],
    ids=["none", "some", "empty"],
)
def test_scopes_narrow_what_is_held_and_add_nothing(
    scopes: set[str] | None, effective: set[str]
) -> None:
    grant = Grant(BY_AN_APP, HELD, scopes=None if scopes is None else frozenset(scopes))
    assert grant.effective_permissions == {ORGANIZATION: effective}


def test_narrowing_twice_leaves_what_both_allow() -> None:
    grant = Grant(BY_AN_APP, HELD, scopes=frozenset({"keys:read", "members:read"}))
    narrowed = grant.narrowed(frozenset({"keys:read", "keys:write"}))
    assert narrowed.scopes == frozenset({"keys:read"})


@pytest.mark.parametrize(
    ("principal", "scopes", "expected"),
    [
        (SIGNED_IN, None, {"users:read"}),
        (SIGNED_IN, {"keys:read"}, set()),
        (BY_AN_APP, None, set()),
        (BY_AN_APP, {"keys:read"}, set()),
        (BY_AN_APP, {"users:read"}, {"users:read"}),
    ],
)
def test_outside_of_a_session_an_administrator_has_only_the_rights_that_are_named(
    principal: Principal, scopes: set[str] | None, expected: set[str]
) -> None:
    named = None if scopes is None else frozenset(scopes)
    assert Grant(principal, account=Administrator(), scopes=named).platform_permissions == expected


def test_a_program_has_no_rights_on_the_platform() -> None:
    scopes = frozenset({"users:read"})
    assert Grant(Principal("key", SUBJECT), scopes=scopes).platform_permissions == frozenset()


def test_only_a_session_that_nothing_narrows_acts_as_the_person() -> None:
    assert Grant(SIGNED_IN).acts_as_person
    assert not Grant(SIGNED_IN, scopes=frozenset({"keys:read"})).acts_as_person
    assert not Grant(BY_AN_APP).acts_as_person
    assert not Grant(Principal("key", SUBJECT, SESSION)).acts_as_person


async def test_a_token_for_another_audience_is_refused(
    issuer: TokenIssuer, verifier: TokenVerifier
) -> None:
    elsewhere = issued(issuer, GRANT, audience="https://api.customer.example")
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(elsewhere)


@pytest.mark.parametrize(
    ("kind", "name"), [(GRANT, "portico"), (USER, ISSUER), (GRANT, ISSUER + "/"), (GRANT, None)]
)
async def test_a_token_of_one_issuer_is_none_of_the_other(
    verifier: TokenVerifier, kind: TokenKind, name: str | None
) -> None:
    forged = KEYS.sign(claims(kind, iss=name), typ=kind.media_type)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(forged)
