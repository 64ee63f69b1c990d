"""Authenticates the caller and checks the access rule of the method.

The token says who; what they may do is looked up, so that a role that was
taken, a session that was ended or a key that was revoked counts at the very
next call. Which kinds of tokens there are is a table: what a rule needs of a
credential is a property of its grant, never its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from uuid import UUID

from google.protobuf.message import Message

from portico_kit.call import Call
from portico_kit.credentials import Authenticator, Grant, Principal, ServiceAuthenticator, by_kind
from portico_kit.errors import (
    AddressNotAllowedError,
    DomainError,
    PermissionDeniedError,
    UnauthenticatedError,
    invalid,
)
from portico_kit.ids import parse_id
from portico_kit.jwt import TokenVerifier
from portico_kit.networks import allows
from portico_kit.rpc.pipeline import Proceed

BEARER = "Bearer "


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
        authenticators: Iterable[Authenticator],
        services: ServiceAuthenticator,
        former_callers: FormerCallers,
    ) -> None:
        """Takes what verifies tokens, and what knows each kind of credential.

        Raises:
            ValueError: if two authenticators share a kind.
        """
        self._verifier = verifier
        self._authenticators = by_kind(authenticators)
        self._services = services
        self._former_callers = former_callers

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds if the caller may call the method.

        Raises:
            UnauthenticatedError: without a valid credential.
            PermissionDeniedError: with one that does not allow it.
        """
        try:
            await self._admit(request, call)
        except AddressNotAllowedError:
            # Whatever the caller was told before, they were told it elsewhere.
            raise
        except DomainError:
            replayed = await self._former_callers.replay(request, call)
            if replayed is None:
                raise
            return replayed
        return await proceed(request, call)

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
            case unknown:
                raise RuntimeError(f"{call.method.path} asks for {unknown}, which is no rule")

    def _admit_service(self, call: Call) -> None:
        grant = self._services.grant(_bearer(call))
        if grant is None:
            raise UnauthenticatedError
        call.admit(grant)

    async def _admit_person(self, call: Call) -> None:
        if not (await self._authenticate(call, _require_signed_in)).acts_as_person:
            raise PermissionDeniedError(needed="user")

    async def _admit_administrator(self, call: Call) -> None:
        grant = await self._authenticate(call, _require_person)
        if call.method.permission not in grant.platform_permissions:
            raise PermissionDeniedError(permission=call.method.permission)

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
        claims = await self._verifier.verify(_bearer(call))
        authenticator = self._authenticators[claims.kind]
        principal = authenticator.principal(claims)
        require(principal)
        call.principal, call.scopes = principal, claims.scopes
        grant = await authenticator.grant(
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


class AuthorizationCheck:
    """Refuses the answer of a service that forgot to look at the caller's rights.

    It stands inside of the transaction: what such a service wrote is taken back.
    """

    async def __call__(self, request: Any, call: Call, proceed: Proceed) -> Message:
        """Proceeds, and looks what was looked at.

        Raises:
            RuntimeError: if the service did not authorize the caller, or did not ask which
                projects a bound credential is for.
        """
        response = await proceed(request, call)
        if call.method.access == "permission" and not call.authorized:
            raise RuntimeError(f"{call.method.path} answered without authorizing the caller")
        if call.binding is not None and not call.binding_respected:
            raise RuntimeError(f"{call.method.path} answered without a look at the binding")
        return response


def _require_nothing(principal: Principal) -> None:
    """Any kind of credential will do."""


def _require_person(principal: Principal) -> None:
    if not principal.is_person:
        raise PermissionDeniedError(needed="user")


def _require_signed_in(principal: Principal) -> None:
    if not principal.is_signed_in:
        raise PermissionDeniedError(needed="user")


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
