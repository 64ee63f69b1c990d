"""Fourth: who calls, and may they? What the contract says of the method is held against the token.

The token says who; what they may do is looked up, so that a role that was
taken, a session that was ended or a key that was revoked counts at the very
next call.
"""

from __future__ import annotations

import asyncio
import hmac
import random
from collections.abc import Awaitable, Mapping
from typing import Any, NoReturn, Protocol
from uuid import UUID

from google.protobuf.message import Message

from portico_kit.call import Call, KeyGrant, Person, Principal
from portico_kit.errors import (
    AddressNotAllowedError,
    DomainError,
    PermissionDeniedError,
    UnauthenticatedError,
    invalid,
)
from portico_kit.ids import parse_id
from portico_kit.jwt import Claims, TokenVerifier
from portico_kit.networks import allows
from portico_kit.rpc.pipeline import Proceed
from portico_kit.rpc.streams import first_of

BEARER = "Bearer "
# How often it is looked whether the caller of a stream may still have it.
RECHECK_SECONDS = 10.0


class Authority(Protocol):
    """Looks up what holds now. The features answer; see `wiring`."""

    async def person(self, session_id: UUID) -> Person | None:
        """Whose session it is, if it holds and the account is active."""
        ...

    async def key_grant(self, key_id: UUID) -> KeyGrant | None:
        """What the key may do, or None if it is refused."""
        ...

    async def memberships(self, user_id: UUID) -> Mapping[UUID, frozenset[str]]:
        """The permissions of a person in each of their organizations."""
        ...


class FormerCallers(Protocol):
    """Knows the calls with which callers ended their own access."""

    async def replay(self, request: Message, call: Call) -> Message | None:
        """The answer of such a call, if this one repeats it."""
        ...


class Access:
    """Lets in who may come in."""

    def __init__(
        self,
        verifier: TokenVerifier,
        authority: Authority,
        former_callers: FormerCallers,
        internal_token: str,
    ) -> None:
        """Takes the secret that our own services present, besides what verifies tokens."""
        self._former_callers = former_callers
        self._verifier = verifier
        self._authority = authority
        self._internal_token = internal_token.encode()

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds if the caller may call the method.

        Raises:
            UnauthenticatedError: without a valid credential.
            PermissionDeniedError: with one that does not allow it.
        """
        try:
            await self._admit(request, call)
        except DomainError:
            replayed = await self._former_callers.replay(request, call)
            if replayed is None:
                raise
            return replayed
        response = await proceed(request, call)
        call.require_authorized()
        return response

    async def stream(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds as a call does, and looks again and again whether the caller still may.

        Raises:
            DomainError: when they may not; the token may expire meanwhile.
        """
        await self._admit(request, call)
        if call.method.access in ("public", "internal"):
            return await proceed(request, call)
        claims = await self._verifier.verify(_bearer(call))
        work = _coroutine(proceed(request, call))
        answer = await first_of(work, self._watch(request, call, claims))
        call.require_authorized()
        return answer

    async def _watch(self, request: Any, call: Call, claims: Claims) -> NoReturn:
        while True:
            await asyncio.sleep(RECHECK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311
            await self._readmit(request, call, claims)

    async def _readmit(self, request: Any, call: Call, claims: Claims) -> None:
        """Holds what the caller was let in with against what holds now."""
        if claims.kind != "user":
            await self._admit_key(call, claims)
        else:
            await self._admit_session(call, claims)
            if call.method.access == "platform_permission":
                self._require_platform_permission(call)
            elif call.method.access == "permission":
                call.grants = await self._authority.memberships(claims.subject)
        if call.method.access == "permission" and call.organization_id is not None:
            if _is_about_the_caller(request, call):
                call.authorize_self(call.organization_id)
            else:
                call.authorize(call.organization_id)

    async def _admit(self, request: Any, call: Call) -> None:
        match call.method.access:
            case "public":
                pass
            case "internal":
                self._admit_service(call)
            case "signed_in":
                await self._admit_person(call)
            case "platform_permission":
                await self._admit_administrator(call)
            case "permission":
                await self._admit_member(request, call)

    def _admit_service(self, call: Call) -> None:
        if not hmac.compare_digest(_bearer(call).encode(), self._internal_token):
            raise UnauthenticatedError
        call.principal = Principal(kind="service")

    async def _admit_person(self, call: Call) -> None:
        claims = await self._verifier.verify(_bearer(call))
        if claims.kind != "user":
            raise PermissionDeniedError(needed="user")
        await self._admit_session(call, claims)

    async def _admit_session(self, call: Call, claims: Claims) -> None:
        session_id = claims.session_id
        call.principal = Principal("user", claims.subject, session_id, claims.organization_id)
        call.account = await self._authority.person(session_id) if session_id else None
        if call.account is None:
            raise UnauthenticatedError

    async def _admit_administrator(self, call: Call) -> None:
        await self._admit_person(call)
        self._require_platform_permission(call)

    def _require_platform_permission(self, call: Call) -> None:
        if call.method.permission not in call.person.permissions:
            raise PermissionDeniedError(permission=call.method.permission)

    async def _admit_member(self, request: Any, call: Call) -> None:
        claims = await self._verifier.verify(_bearer(call))
        if claims.kind == "user":
            await self._admit_session(call, claims)
            call.grants = await self._authority.memberships(claims.subject)
        else:
            await self._admit_key(call, claims)
        if _is_about_the_caller(request, call):
            call.authorize_self(_organization_id(request))
        elif call.method.names_organization:
            call.authorize(_organization_id(request))

    async def _admit_key(self, call: Call, claims: Claims) -> None:
        grant = await self._authority.key_grant(claims.subject)
        # The edge may not have heard yet that the secret was replaced.
        if grant is None or claims.secret_id not in grant.secret_ids:
            raise UnauthenticatedError
        if not allows(grant.allowed_cidrs, call.client.address):
            raise AddressNotAllowedError
        call.principal = Principal("key", claims.subject, None, grant.organization_id)
        call.grants = {grant.organization_id: grant.scopes}


async def _coroutine(answer: Awaitable[Message]) -> Message:
    return await answer


def _is_about_the_caller(request: Any, call: Call) -> bool:
    """Whether the method lets people act on themselves, and the request names the caller."""
    field = call.method.or_self
    if not field or call.principal.kind != "user":
        return False
    return str(getattr(request, field)).lower() == str(call.principal.id)


def _organization_id(request: Any) -> UUID:
    """The organization that a request names. Its form is not validated yet, so it may be none."""
    try:
        return parse_id(request.organization_id)
    except ValueError:
        raise invalid("organization_id", "STRING_UUID", "must be a valid UUID") from None


def _bearer(call: Call) -> str:
    header = call.metadata.get("authorization", "")
    if not header.startswith(BEARER):
        raise UnauthenticatedError
    return header.removeprefix(BEARER)
