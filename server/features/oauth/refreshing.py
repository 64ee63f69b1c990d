"""The use of an application's refresh token (RFC 6749, section 6; RFC 9700, section 4.14)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.storage.reads import Reads
from portico_kit.storage.statements import Statements
from server.common.refresh_chain import PresentedToken, RefreshTokens, is_reused
from server.features.applications.facade import NO_AUTHENTICATION, Client
from server.features.oauth.ends import Ends
from server.features.oauth.errors import (
    InvalidGrantError,
    InvalidOAuthRequestError,
    InvalidScopeError,
)
from server.features.oauth.repository import (
    REFRESH,
    REFRESHABLE,
    SEEDS,
    TokenSource,
    sources,
)
from server.features.oauth.tokens import (
    Issued,
    OAuthTokens,
    asked_scopes,
    expires_at,
    still_allowed,
)

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
        asked = asked_scopes(scope)
        source = await self._move_on(client, presented, asked, jkt, call)
        if source is None:
            raise await self._refused(client, presented, asked, jkt, call)
        scopes = _narrowed(asked, still_allowed(client, source.scopes))
        return await self.tokens.for_person(client, source, scopes, jkt)

    async def _move_on(
        self,
        client: Client,
        presented: PresentedToken,
        asked: frozenset[str],
        jkt: str,
        call: Call,
    ) -> TokenSource | None:
        """What the new tokens are made of; None if there are none, and nothing has changed."""
        if not asked <= client.scopes:
            return None
        rows = await self.statements.run(
            REFRESH,
            authorization_id=presented.owner_id,
            number=presented.number_bytes,
            seed_hash=self.refresh_tokens.seed_hash(presented),
            application_id=client.id,
            successor=presented.number + 1,
            asked=list(asked),
            allowed=list(client.scopes),
            dpop_jkt=jkt,
            bound=_is_bound(client),
            now=call.now,
            idle_end=expires_at(client, call.now),
        )
        return sources(rows)

    async def _refused(
        self,
        client: Client,
        presented: PresentedToken,
        asked: frozenset[str],
        jkt: str,
        call: Call,
    ) -> DomainError:
        """Why a token was not used; ends what lives if its successor was used."""
        rows = await self.reads.fetch(SEEDS, [presented.owner_id])
        if not rows or not self.refresh_tokens.is_ours(presented, rows[0].refresh_seed):
            return InvalidGrantError(NOT_VALID)
        found = rows[0]
        if found.application_id != client.id:
            return InvalidGrantError(NOT_VALID)
        # Whoever has not the key can do nothing with the token, so it ends nothing either.
        if _is_bound(client) and found.dpop_jkt not in ("", jkt):
            return InvalidGrantError(OTHER_KEY)
        if not is_reused(presented.number, found.refresh_counter):
            # Raises if the scopes are why.
            _narrowed(asked, still_allowed(client, found.scopes))
        return await self._dead_or_reused(client, presented, found.user_id, call)

    async def _dead_or_reused(
        self, client: Client, presented: PresentedToken, user_id: UUID, call: Call
    ) -> DomainError:
        rows = await self.reads.fetch(REFRESHABLE, [presented.owner_id], now=call.now)
        if not rows or not is_reused(presented.number, rows[0].refresh_counter):
            return InvalidGrantError(NOT_VALID)
        await self.ends.refresh_token_reused(client, presented.owner_id, user_id, call)
        return InvalidGrantError("the refresh token was used before", keeps_changes=True)


def _is_bound(client: Client) -> bool:
    """Whether its refresh tokens are held to the key that was proved last.

    One that authenticates is known by that (RFC 9449, section 5), and may change its key.
    """
    return client.token_endpoint_auth_method == NO_AUTHENTICATION


def _narrowed(asked: frozenset[str], given: frozenset[str]) -> frozenset[str]:
    """The scopes that are asked for; all that were given if none is named."""
    if not asked <= given:
        raise InvalidScopeError("the scope is more than the person gave")
    return asked or given
