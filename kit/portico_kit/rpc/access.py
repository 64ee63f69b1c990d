"""Authenticates the caller and checks the access rule of the method.

The token says who; what they may do is looked up, so that a role that was
taken, a session that was ended or a key that was revoked counts at the very
next call. Which kinds of tokens there are is a table: what a rule needs of a
credential is a property of its grant, never its kind.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from typing import Any, NoReturn, Protocol
from uuid import UUID

from google.protobuf.message import Message

from portico_kit.call import Call
from portico_kit.credentials import Authenticator, Grant, Principal, ServiceAuthenticator, by_kind
from portico_kit.edge_state.possession import POSSESSION_HEADER
from portico_kit.errors import (
    AddressNotAllowedError,
    DomainError,
    PermissionDeniedError,
    StreamEndedError,
    TokenBoundError,
    UnauthenticatedError,
    invalid,
)
from portico_kit.ids import parse_id
from portico_kit.jwt import Claims, TokenVerifier
from portico_kit.networks import allows
from portico_kit.rpc.pipeline import Proceed
from portico_kit.rpc.streams import first_of

BEARER = "Bearer "
UUID_LENGTH = 36
# How often it is looked whether the caller of a stream may still have it.
RECHECK_SECONDS = 10.0


class FormerCallers(Protocol):
    """Knows the calls with which callers ended their own access."""

    async def replay(self, request: Message, call: Call) -> Message | None:
        """The answer of such a call, if this one repeats it."""
        ...


class AccessChanges(Protocol):
    """Says when somebody's access may have changed."""

    async def changed(self, ids: Collection[str], seconds: float) -> None:
        """Waits until one of the ids is named, and so long at the most."""
        ...


class Access:
    """Lets in who may come in."""

    def __init__(
        self,
        verifier: TokenVerifier,
        authenticators: Iterable[Authenticator],
        services: ServiceAuthenticator,
        former_callers: FormerCallers,
        changes: AccessChanges,
    ) -> None:
        """Takes what verifies tokens, and what knows each kind of credential.

        Raises:
            ValueError: if two authenticators share a kind.
        """
        self._verifier = verifier
        self._authenticators = by_kind(authenticators)
        self._services = services
        self._former_callers = former_callers
        self._changes = changes

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds if the caller may call the method.

        Raises:
            UnauthenticatedError: without a valid credential.
            PermissionDeniedError: with one that does not allow it.
        """
        try:
            await self.admit(request, call)
        except AddressNotAllowedError:
            # Whatever the caller was told before, they were told it elsewhere.
            raise
        except DomainError:
            replayed = await self._former_callers.replay(request, call)
            if replayed is None:
                raise
            return replayed
        return await proceed(request, call)

    async def stream(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds as a call does, and looks again and again whether the caller still may.

        Raises:
            DomainError: when they may not; the token may expire meanwhile.
        """
        await self.admit(request, call)
        if call.method.access in ("public", "internal"):
            return await proceed(request, call)
        claims = await self._verifier.verify(_bearer(call))
        work = _coroutine(proceed(request, call))
        return await first_of(work, self._watch(request, call, claims))

    async def _watch(self, request: Any, call: Call, claims: Claims) -> NoReturn:
        ids = frozenset(subjects(call.principal, call.organization_id, claims))
        while True:
            pause = RECHECK_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
            await self._changes.changed(ids, pause)
            await self.readmit(request, call, claims)

    async def readmit(self, request: Any, call: Call, claims: Claims) -> None:
        """Holds what the caller of a stream was let in with against what holds now.

        Args:
            claims: of the token that was presented; it may have expired since.

        Raises:
            DomainError: if the caller may not have the stream any more.
        """
        binding = call.binding
        principal = self._authenticators[claims.kind].principal(claims)
        grant = await self._look_up(claims, principal, call)
        if grant.project_ids != binding:
            # The servicer keeps to those it was opened with; to open it again is to have the new.
            raise StreamEndedError
        if call.method.access == "signed_in":
            _require_own_session(grant)
        elif call.method.access == "platform_permission":
            _require_platform_permission(grant, call)
        elif call.organization_id is not None:
            if _is_about_the_caller(request, call):
                call.authorize_self(call.organization_id)
            else:
                call.authorize(call.organization_id)

    async def admit(self, request: Any, call: Call) -> None:
        """Lets the caller in.

        Raises:
            DomainError: if they may not call the method.
        """
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
            case unknown:
                raise RuntimeError(f"{call.method.path} asks for {unknown}, which is no rule")

    def _admit_service(self, call: Call) -> None:
        grant = self._services.grant(_bearer(call))
        if grant is None:
            raise UnauthenticatedError
        call.admit(grant)

    async def _admit_person(self, call: Call) -> None:
        _require_own_session(await self._authenticate(call, _require_signed_in))

    async def _admit_administrator(self, call: Call) -> None:
        _require_platform_permission(await self._authenticate(call, _require_person), call)

    async def _admit_member(self, request: Any, call: Call) -> None:
        await self._authenticate(call, _require_nothing)
        if _is_about_the_caller(request, call):
            call.authorize_self(_organization_id(request))
        elif call.method.names_organization:
            call.authorize(_organization_id(request))

    async def _authenticate(self, call: Call, require: Callable[[Principal], None]) -> Grant:
        """Lets in the caller with whatever their token allows at this moment.

        Args:
            require: refuses a principal who may not call the method whatever it is
                allowed, before anything is looked up.
        """
        token = _bearer(call)
        claims = await self._verifier.verify(token)
        if "cnf" in claims.private:
            self._require_possession(token, call)
        principal = self._authenticators[claims.kind].principal(claims)
        require(principal)
        call.principal, call.scopes = principal, claims.scopes
        return await self._look_up(claims, principal, call)

    def _require_possession(self, token: str, call: Call) -> None:
        """Refuses a token that is bound to a key (RFC 9449, section 7.2) as bearer token."""
        seal = call.metadata.get(POSSESSION_HEADER, "")
        if not self._services.confirms_possession(seal, token):
            raise TokenBoundError

    async def _look_up(self, claims: Claims, principal: Principal, call: Call) -> Grant:
        """Lets in the principal with what a token allows at this moment.

        Args:
            claims: verified; the token may have expired since.
        """
        grant = await self._authenticators[claims.kind].grant(
            claims, principal, with_permissions=call.method.access == "permission"
        )
        if grant is None:
            raise UnauthenticatedError
        if grant.networks and not allows(grant.networks, call.client.address):
            raise AddressNotAllowedError
        # Whatever the authenticator makes of them: a token allows no more than it says.
        if claims.scopes is not None:
            grant = grant.narrowed(claims.scopes)
        call.admit(grant)
        return grant


def subjects(principal: Principal, organization_id: UUID | None, claims: Claims) -> Iterator[str]:
    """The ids of what a caller's access depends on: the person, the session, the key, ..."""
    named = (*claims.private.values(), claims.session_id, claims.subject)
    parts = (principal.id, principal.person_id, principal.session_id, *principal.actors)
    for one in (*named, *parts, organization_id):
        if one is not None and len(text := str(one)) == UUID_LENGTH:
            yield text


async def _coroutine(answer: Awaitable[Message]) -> Message:
    return await answer


def _require_nothing(principal: Principal) -> None:
    """Any kind of credential will do."""


def _require_person(principal: Principal) -> None:
    if not principal.is_person:
        raise PermissionDeniedError(needed="user")


def _require_signed_in(principal: Principal) -> None:
    if not principal.is_signed_in:
        raise PermissionDeniedError(needed="user")


def _require_own_session(grant: Grant) -> None:
    if not grant.acts_as_person:
        raise PermissionDeniedError(needed="user")


def _require_platform_permission(grant: Grant, call: Call) -> None:
    if call.method.permission not in grant.platform_permissions:
        raise PermissionDeniedError(permission=call.method.permission)


def _is_about_the_caller(request: Any, call: Call) -> bool:
    """Whether the method lets people act on themselves, and the request names the caller."""
    field = call.method.or_self
    if not field or not call.acts_as_person:
        return False
    return str(getattr(request, field)).lower() == str(call.principal.person_id)


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
