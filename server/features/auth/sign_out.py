"""Whose session ends with a sign-out: the token says it, also one that opens nothing any more."""

from __future__ import annotations

from dataclasses import dataclass

from portico.auth.v1 import auth_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import PermissionDeniedError, UnauthenticatedError
from portico_kit.jwt import TokenVerifier
from server.common.limiter import Limiter
from server.features.auth.errors import RefreshTokenInvalidError
from server.features.auth.refreshing import Owner, Refreshing

BEARER = "Bearer "


@dataclass(frozen=True, slots=True)
class SignOut:
    """Finds the session of whoever signs out.

    Somebody who comes back after an hour has an access token that has expired, and must be
    able to leave all the same. All that a stolen old token is good for is to end the session
    that it was stolen from.

    Attributes:
        verifier: of the access tokens of sessions.
    """

    refreshing: Refreshing
    verifier: TokenVerifier
    limiter: Limiter

    async def owner(self, request: pb.LogoutRequest, call: Call) -> Owner:
        """The session of the refresh token, or of the access token if there is none.

        A token of ours is not charged to anybody: whoever has a copy of it could use up the
        budget of its session, and neighbours that of the address, and then its owner could not
        end the session. All others are charged to the address.

        Raises:
            RefreshTokenInvalidError: if the refresh token is none of ours.
            UnauthenticatedError: if there is none, and no access token of ours.
            PermissionDeniedError: if the access token is narrowed by scopes.
            RateLimitExceededError: if the token is none of ours, and the address has nothing left.
        """
        if request.refresh_token:
            owner = await self.refreshing.owner(request.refresh_token)
        else:
            owner = await self._of_access_token(call)
        if owner is not None:
            return owner
        await self.limiter.charge_credential(None, call.client.address)
        raise RefreshTokenInvalidError if request.refresh_token else UnauthenticatedError

    async def _of_access_token(self, call: Call) -> Owner | None:
        header = call.metadata.get("authorization", "")
        if not header.startswith(BEARER):
            return None
        try:
            claims = await self.verifier.verify_expired(header.removeprefix(BEARER))
        except UnauthenticatedError:
            return None
        if claims.scopes is not None:
            # It does not pass on all that the session may do, and so not its end either.
            raise PermissionDeniedError(needed="user")
        return Owner(claims.session_id, claims.subject) if claims.session_id else None
