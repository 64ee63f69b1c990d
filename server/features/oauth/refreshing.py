"""The use of an application's refresh token (RFC 6749, section 6; RFC 9700, section 4.14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portico_kit.call import Call
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from server.common.refresh_chain import RefreshTokens, is_reused
from server.features.applications.facade import NO_AUTHENTICATION, Client
from server.features.oauth.ends import Ends
from server.features.oauth.errors import (
    InvalidGrantError,
    InvalidOAuthRequestError,
    InvalidScopeError,
)
from server.features.oauth.repository import REFRESH, REFRESHABLE, SEEDS, sources
from server.features.oauth.tokens import Issued, OAuthTokens, expires_at, still_allowed

OTHER_KEY = "the refresh token is bound to another key"
NOT_VALID = "the refresh token is not valid, has expired or was revoked"


@dataclass(frozen=True, slots=True)
class ApplicationRefreshing:
    """Moves the chains of authorizations on; see `refresh_chain` for the rule."""

    reads: Reads
    statements: Statements
    refresh_tokens: RefreshTokens
    tokens: OAuthTokens
    ends: Ends

    async def use(
        self, client: Client, refresh_token: str, scope: str, jkt: str, call: Call
    ) -> Issued:
        """New tokens. Those who use a token at the same time get the same successor.

        Args:
            scope: what the access token is narrowed to; "" for all of the authorization.
            jkt: the thumbprint of the key that the client has proved to have; "" for none.

        Raises:
            InvalidOAuthRequestError: if there is no refresh token.
            InvalidGrantError: if it is not good, another application's, or bound to another key.
            InvalidGrantError: also if its successor was used. The authorization ends.
            InvalidScopeError: if more is asked for than was given.
        """
        if not refresh_token:
            raise InvalidOAuthRequestError("refresh_token is missing")
        presented = self.refresh_tokens.read(refresh_token)
        if presented is None:
            raise InvalidGrantError(NOT_VALID)
        # Whether it lives is asked once, by what moves the chain on.
        rows = await self.reads.fetch(SEEDS, [presented.owner_id])
        if not rows or not self.refresh_tokens.is_ours(presented, rows[0].refresh_seed):
            raise InvalidGrantError(NOT_VALID)
        found = rows[0]
        if found.application_id != client.id:
            raise InvalidGrantError(NOT_VALID)
        # One that authenticates is known by that (RFC 9449, section 5), and may change its key.
        bound = client.token_endpoint_auth_method == NO_AUTHENTICATION
        # Whoever has not the key can do nothing with the token, so it ends nothing either.
        if bound and found.dpop_jkt not in ("", jkt):
            raise InvalidGrantError(OTHER_KEY)
        if is_reused(presented.number, found.refresh_counter):
            raise await self._refused(client, presented.number, found, call)
        scopes = _narrowed(scope, still_allowed(client, found.scopes))
        rows = await self.statements.run(
            REFRESH,
            authorization_id=found.id,
            application_id=client.id,
            successor=presented.number + 1,
            dpop_jkt=jkt,
            bound=bound,
            now=call.now,
            idle_end=expires_at(client, call.now),
        )
        source = sources(rows)
        if source is None:
            raise await self._refused(client, presented.number, found, call)
        return await self.tokens.for_person(client, source, scopes, jkt)

    async def _refused(
        self, client: Client, number: int, found: Any, call: Call
    ) -> InvalidGrantError:
        """Why a token is not good that we made; ends what lives if its successor was used."""
        rows = await self.reads.fetch(REFRESHABLE, [found.id], now=call.now)
        if not rows or not is_reused(number, rows[0].refresh_counter):
            return InvalidGrantError(NOT_VALID)
        await self.ends.refresh_token_reused(client, found.id, found.user_id, call)
        return InvalidGrantError("the refresh token was used before", keeps_changes=True)


def _narrowed(scope: str, given: frozenset[str]) -> frozenset[str]:
    """The scopes that are asked for; all that were given if none is named."""
    asked = frozenset(scope.split())
    if not asked <= given:
        raise InvalidScopeError("the scope is more than the person gave")
    return asked or given
