"""The tokens that applications get, and what they say."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from portico_kit.client_certificates import BOUND_TO_CERTIFICATE, MEMBER
from portico_kit.clock import Clock
from portico_kit.jws import signed
from portico_kit.jwt import Claims, TokenIssuer
from portico_kit.oauth_scopes import OPENID, ORGANIZATION_SCOPES
from server.common.refresh_chain import RefreshTokens
from server.features.applications.facade import Client
from server.features.auth.signing_keys import SigningKeys
from server.features.oauth.delegation import delegation
from server.features.oauth.errors import InvalidScopeError
from server.features.oauth.kinds import OAuthKinds
from server.features.oauth.repository import TokenSource
from server.features.oauth.subjects import Subjects
from server.features.oauth.userinfo import claims_of
from server.features.users.facade import Accounts

# Of a person who works in no organization.
OWN_TIER = "free"
REFRESH_GRANT = "refresh_token"


@dataclass(frozen=True, slots=True)
class Issued:
    """What an application gets. No token is kept here."""

    access_token: str = field(repr=False)
    lifetime: timedelta
    scopes: tuple[str, ...]
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    # Of the key that the access token is bound to, or what `binding` makes of a certificate; ""
    # for a bearer token.
    jkt: str = ""
    # See RFC 8693, section 2.2.1; "" unless it was given in exchange.
    issued_token_type: str = ""


@dataclass(frozen=True, slots=True)
class OAuthTokens:
    """Issues them."""

    kinds: OAuthKinds
    issuer: TokenIssuer
    signing_keys: SigningKeys
    refresh_tokens: RefreshTokens
    subjects: Subjects
    accounts: Accounts
    clock: Clock

    def for_itself(self, client: Client, scopes: Iterable[str], jkt: str) -> Issued:
        """A token with which an application acts for itself. Nothing is stored of it.

        Args:
            jkt: the thumbprint of the key that it is bound to; "" for a bearer token.
        """
        scopes = frozenset(scopes)
        token = self.issuer.issue(
            kind=self.kinds.application,
            subject=client.id,
            organization_id=client.organization_id,
            secret_id=client.secret_id,
            tier=client.tier,
            scopes=scopes,
            private={"client_id": client.client_id, **_bound_to(jkt)},
            lifetime=client.access_token_lifetime,
        )
        return Issued(token, client.access_token_lifetime, tuple(sorted(scopes)), jkt=jkt)

    async def for_person(
        self, client: Client, source: TokenSource, scopes: Iterable[str], jkt: str
    ) -> Issued:
        """The tokens of an authorization; the refresh token is its newest one.

        Args:
            scopes: of the access token, some of those of the authorization.
            jkt: the thumbprint of the key that the access token is bound to; "" for a bearer
                token.
        """
        scopes = frozenset(scopes)
        access_token = self._access_token(client, source, scopes, jkt)
        allowed = frozenset(source.scopes) & client.scopes
        id_token = (
            await self._id_token(client, source, allowed, access_token) if OPENID in scopes else ""
        )
        return Issued(
            access_token,
            client.access_token_lifetime,
            tuple(sorted(scopes)),
            self._refresh_token(client, source),
            id_token,
            jkt,
        )

    def exchanged(
        self,
        client: Client,
        subject: Claims,
        user_id: UUID,
        scopes: Iterable[str],
        jkt: str,
        issued_token_type: str,
    ) -> Issued:
        """A token with which an application acts for a person, given for that of another one.

        It belongs to the same authorization, says the same of the sign-in and lasts no longer.
        Nothing is stored of it.

        Args:
            subject: what the other token says.
            user_id: the person for whom it acts.
            jkt: the thumbprint of the key that it is bound to; "" for a bearer token.
            issued_token_type: what the application wanted it to be called.
        """
        scopes = frozenset(scopes)
        same = {name: subject.private[name] for name in ("gid", "acr", "amr", "auth_time")}
        token = self.issuer.issue(
            kind=self.kinds.grant,
            subject=self.subjects.of(client, user_id),
            organization_id=subject.organization_id,
            secret_id=client.secret_id,
            tier=subject.tier,
            scopes=scopes,
            private={
                "client_id": client.client_id,
                **same,
                **delegation(client, subject),
                **_bound_to(jkt),
            },
            lifetime=client.access_token_lifetime,
            not_after=subject.expires_at,
        )
        lifetime = min(client.access_token_lifetime, subject.expires_at - self.clock())
        return Issued(
            token,
            lifetime,
            tuple(sorted(scopes)),
            jkt=jkt,
            issued_token_type=issued_token_type,
        )

    def _access_token(
        self, client: Client, source: TokenSource, scopes: frozenset[str], jkt: str
    ) -> str:
        return self.issuer.issue(
            kind=self.kinds.grant,
            subject=self.subjects.of(client, source.user_id),
            organization_id=source.organization_id,
            tier=source.tier or OWN_TIER,
            scopes=scopes,
            private={
                "client_id": client.client_id,
                "gid": str(source.authorization_id),
                "acr": source.acr,
                "amr": source.amr,
                "auth_time": int(source.auth_time.timestamp()),
                **_bound_to(jkt),
            },
            lifetime=client.access_token_lifetime,
        )

    def _refresh_token(self, client: Client, source: TokenSource) -> str:
        if REFRESH_GRANT not in client.grant_types:
            return ""
        return self.refresh_tokens.token(
            source.authorization_id, source.refresh_seed, source.refresh_counter
        )

    async def _id_token(
        self,
        client: Client,
        source: TokenSource,
        scopes: frozenset[str],
        access_token: str,
    ) -> str:
        """The ID token (OpenID Connect Core, section 2); `azp` is needed by no single audience."""
        now = self.clock()
        claims: dict[str, Any] = {
            **await self._requested(source, scopes),
            "iss": self.kinds.issuer,
            "sub": str(self.subjects.of(client, source.user_id)),
            "aud": client.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + client.access_token_lifetime).timestamp()),
            "auth_time": int(source.auth_time.timestamp()),
            "acr": source.acr,
            "amr": source.amr,
            "sid": str(self.subjects.session(client, source.session_id)),
            "at_hash": half_hash(access_token),
        }
        if source.nonce:
            claims["nonce"] = source.nonce
        key = self.signing_keys.id_token_key(client.id_token_signed_response_alg)
        return signed(claims, key.private_key, key.kid, "JWT")

    async def _requested(self, source: TokenSource, scopes: frozenset[str]) -> Mapping[str, Any]:
        """The claims about the person that the application asked to have in the ID token."""
        if not source.claims:
            return {}
        account = await self.accounts.load(source.user_id)
        if account is None:
            return {}
        given = claims_of(account, scopes)
        return {name: value for name, value in given.items() if name in source.claims}


def expires_at(client: Client, now: datetime) -> datetime:
    """When an authorization is over unless it is used once more."""
    if REFRESH_GRANT in client.grant_types:
        return now + client.refresh_token_idle
    return now + client.access_token_lifetime


def still_allowed(client: Client, given: Iterable[str]) -> frozenset[str]:
    """What a client may have now, of what a person gave it before.

    Raises:
        InvalidScopeError: if it is nothing.
    """
    allowed = frozenset(given) & client.scopes
    if not allowed:
        raise InvalidScopeError("the application may have nothing any more of what it was given")
    return allowed


def asked_scopes(scope: str) -> frozenset[str]:
    """The scopes that a request names; none if it leaves the choice to us.

    Raises:
        InvalidScopeError: if there are blanks and nothing else: whoever means less than
            everything must not get everything.
    """
    asked = frozenset(scope.split())
    if scope and not asked:
        raise InvalidScopeError("the scope is blank")
    return asked


def of_organizations(scopes: Iterable[str]) -> frozenset[str]:
    """Those scopes that concern an organization."""
    return frozenset(scopes) & ORGANIZATION_SCOPES.keys()


def _bound_to(jkt: str) -> Mapping[str, Any]:
    """The claim that binds a token to a key (RFC 9449, section 6.1), or to a certificate."""
    if jkt.startswith(BOUND_TO_CERTIFICATE):
        return {"cnf": {MEMBER: jkt.removeprefix(BOUND_TO_CERTIFICATE)}}
    return {"cnf": {"jkt": jkt}} if jkt else {}


def half_hash(token: str) -> str:
    """The claim `at_hash` (OpenID Connect Core, section 3.1.3.6); both algorithms use SHA-256."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
