"""OpenID providers: the authorization code flow of OpenID Connect Core 1.0, section 3.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt
from yarl import URL

from portico_kit.clock import Clock
from server.common.outbound_json import JWT_TYPE
from server.features.connections.oidc.checks import Checks, ProviderFailedError
from server.features.connections.oidc.client import (
    PARAMETERS,
    REQUEST,
    REQUEST_URI,
    Attempt,
    Callback,
    Client,
    ProviderAccount,
    authenticated,
    authorization_request,
    code_form,
)
from server.features.connections.oidc.discovery import (
    ProviderMetadata,
    Providers,
    issuer_template,
)
from server.features.connections.oidc.http import ProviderClient
from server.features.connections.oidc.id_tokens import (
    Claims,
    Expected,
    check_access_token,
    check_id_token,
    check_logout_token,
    check_userinfo,
    number,
    verified_claims,
)
from server.features.connections.oidc.request_objects import LIFETIME, outside, request_object

SCOPES = ("openid", "email", "profile")
MICROSOFT = "microsoft"


class KeepsRequestObjects(Protocol):
    """Where request objects are kept for providers that fetch them."""

    async def keep(self, content: str, lifetime: timedelta) -> str:
        """The address of one, under which it is found for a while."""
        ...


@dataclass(frozen=True, slots=True)
class OpenIdFlow:
    """Signs in at any provider that has a discovery document."""

    http: ProviderClient
    providers: Providers
    request_objects: KeepsRequestObjects
    clock: Clock

    async def begin(
        self, client: Client, attempt: Attempt, hint: str, max_age: timedelta | None = None
    ) -> str:
        """Where to send the browser; see `authorization_url`.

        Raises:
            ProviderFailedError: if the provider does not answer.
            CheckFailedError: if it is not the one that is meant.
        """
        metadata = await self.metadata(client, Checks())
        asked = authorization_request(client, attempt, SCOPES, hint, max_age)
        if client.request_mode != PARAMETERS:
            asked = await self._by_request_object(asked, client, metadata)
        return str(URL(metadata.authorization_endpoint).update_query(asked))

    async def _by_request_object(
        self, asked: Mapping[str, str], client: Client, metadata: ProviderMetadata
    ) -> dict[str, str]:
        """What stands in the address where a request object, or the address of one, does."""
        made = request_object(asked, client, metadata, self.clock())
        if client.request_mode == REQUEST_URI:
            return {**outside(asked), REQUEST_URI: await self.request_objects.keep(made, LIFETIME)}
        return {**outside(asked), REQUEST: made}

    async def metadata(self, client: Client, checks: Checks) -> ProviderMetadata:
        """What the provider publishes."""
        tenants = client.preset == MICROSOFT
        return await self.providers.metadata(client.issuer, checks, tenants=tenants)

    async def complete(
        self, client: Client, attempt: Attempt, callback: Callback, now: datetime, checks: Checks
    ) -> ProviderAccount:
        """Exchanges the code and checks everything that comes for it.

        Raises:
            CheckFailedError: naming what is wrong.
            ProviderFailedError: if the provider does not answer as agreed.
        """
        metadata = await self.metadata(client, checks)
        check_callback_issuer(callback.iss, metadata, checks)
        tokens = await self._exchange(client, attempt, callback.code, metadata, now)
        token = _member(tokens, "id_token")
        claims = await verified_claims(token, metadata, self.providers, checks)
        check_id_token(claims, metadata, _expected(client, now), attempt.nonce, checks)
        access_token = _member(tokens, "access_token")
        algorithm = jwt.get_unverified_header(token)["alg"]
        check_access_token(claims, access_token, algorithm, checks)
        if client.preset == MICROSOFT:
            checks.note("oid", bool(_optional(claims, "oid")), "the account has an object id")
        checks.settle()
        claims = await self._with_userinfo(client, claims, metadata, access_token, checks)
        return replace(_account(client, claims), id_token=token)

    async def logout(self, client: Client, token: str, now: datetime, checks: Checks) -> Claims:
        """The claims of a logout token.

        Raises:
            CheckFailedError: naming what is wrong.
            ProviderFailedError: if the provider does not answer as agreed.
        """
        metadata = await self.metadata(client, checks)
        claims = await verified_claims(token, metadata, self.providers, checks)
        check_logout_token(claims, metadata, _expected(client, now), checks)
        checks.settle()
        return claims

    async def _exchange(
        self,
        client: Client,
        attempt: Attempt,
        code: str,
        metadata: ProviderMetadata,
        now: datetime,
    ) -> Mapping[str, Any]:
        endpoint, form = metadata.token_endpoint, code_form(client, attempt, code)
        supported = metadata.client_authentications
        sent, headers = authenticated(client, form, supported, endpoint, now)
        answer = await self.http.post(endpoint, sent, headers)
        if answer.status != 200:
            # Says what, as RFC 6749, section 5.2 names it.
            error = str(answer.members.get("error", ""))[:100]
            raise ProviderFailedError(f"the code was answered with {answer.status} {error!r}")
        return answer.members

    async def _with_userinfo(
        self,
        client: Client,
        claims: Claims,
        metadata: ProviderMetadata,
        access_token: str,
        checks: Checks,
    ) -> Claims:
        """What the provider says of the person beside the ID token, if that says no address."""
        if "email" in claims or not metadata.userinfo_endpoint:
            return claims
        headers = {"authorization": f"Bearer {access_token}"}
        if client.userinfo_algorithm:
            headers["accept"] = JWT_TYPE
        answer = await self.http.get(metadata.userinfo_endpoint, headers)
        if answer.status != 200:
            raise ProviderFailedError(f"the user info was answered with {answer.status}")
        said = await self._userinfo(client, answer.content, metadata, checks)
        same = said.get("sub") == claims["sub"]
        checks.require("userinfo_sub", same, "the user info is about the same subject")
        # Nothing of the token is replaced: it is signed, and made for this sign-in.
        return {**said, **claims}

    async def _userinfo(
        self, client: Client, content: Any, metadata: ProviderMetadata, checks: Checks
    ) -> Claims:
        """What user info says; signed if the client is registered for that, and only then."""
        algorithm = client.userinfo_algorithm
        signed = isinstance(content, str)
        found = f"the user info is {'signed' if signed else 'not signed'}"
        checks.require("userinfo_format", signed == bool(algorithm), found)
        if not signed:
            return _object(content)
        # Of the algorithms that the provider knows only the registered one is good.
        fixed = replace(metadata, algorithms=[algorithm])
        claims = await verified_claims(content, fixed, self.providers, checks)
        check_userinfo(claims, metadata, _expected(client, self.clock()), checks)
        checks.settle()
        return claims


def check_callback_issuer(iss: str, metadata: ProviderMetadata, checks: Checks) -> None:
    """Compares who answers with who was asked, before the code is sent anywhere (RFC 9207).

    Raises:
        CheckFailedError: if it is somebody else, or is not said although it was announced.
    """
    found = f"the answer says it is from {iss!r}" if iss else "the answer does not say from whom"
    # Microsoft's has a gap for the tenant, and it sends none.
    right = iss == metadata.issuer if iss else not metadata.announces_iss
    checks.require("callback_iss", right, found)


def _expected(client: Client, now: datetime) -> Expected:
    return Expected(client.client_id, client.tenants, now)


def _account(client: Client, claims: Claims) -> ProviderAccount:
    subject = str(claims["sub"])
    if client.preset == MICROSOFT:
        # Its subjects are another one for each client.
        subject = f"{claims.get('tid')}:{claims['oid']}"
    return ProviderAccount(
        issuer=issuer_template(client.issuer) if client.preset == MICROSOFT else str(claims["iss"]),
        subject=subject,
        email=_optional(claims, "email"),
        # Some write it as a text.
        email_verified=claims.get("email_verified") is True
        or claims.get("email_verified") == "true",
        name=_optional(claims, "name"),
        hosted_domain=_optional(claims, "hd"),
        amr=_texts(claims.get("amr")),
        acr=_optional(claims, "acr"),
        session=_optional(claims, "sid")[:1000],
        token_subject=str(claims["sub"]),
        auth_time=number(claims.get("auth_time")),
    )


def _texts(value: Any) -> Sequence[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else ()


def _object(content: Any) -> Claims:
    if not isinstance(content, dict):
        raise ProviderFailedError("the user info is no JSON object")
    return content


def _optional(claims: Claims, name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and "\0" not in value else ""


def _member(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    if not isinstance(value, str) or not value:
        raise ProviderFailedError(f"the answer for the code has no {name}")
    return value
