"""The exchange of an authorization code (RFC 6749, section 4.1.3; RFC 7636, section 4.6)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from portico_kit.call import Call
from portico_kit.ids import new_id
from portico_kit.oauth_scopes import OPENID
from portico_kit.secrets import Secrets
from portico_kit.storage.statements import Statements
from server.features.applications.facade import DOCUMENT, Client
from server.features.oauth.ends import Ends
from server.features.oauth.errors import (
    InvalidGrantError,
    InvalidOAuthRequestError,
)
from server.features.oauth.logout_repository import REGISTER
from server.features.oauth.repository import (
    EXCHANGE,
    AuthorizationRepository,
    TokenSource,
    sources,
)
from server.features.oauth.tokens import Issued, OAuthTokens, expires_at, still_allowed

PURPOSE = "oauth-code"
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True, slots=True)
class CodeExchange:
    """Gives tokens for codes."""

    secrets: Secrets
    statements: Statements
    tokens: OAuthTokens
    ends: Ends

    async def use(
        self, client: Client, code: str, redirect_uri: str, verifier: str, jkt: str, call: Call
    ) -> Issued:
        """The tokens that a code is good for, once.

        Args:
            redirect_uri: where the code came, or "": OAuth 2.1 asks for the verifier alone.
            jkt: the thumbprint of the key that the client has proved to have; "" for none.

        Raises:
            InvalidOAuthRequestError: if the code or the verifier is missing.
            InvalidGrantError: if the code is not good.
            InvalidGrantError: also if it was used before. All that it gave ends.
        """
        if not code or not verifier:
            raise InvalidOAuthRequestError("code or code_verifier is missing")
        code_hash = self.secrets.mac(PURPOSE, code)
        if client.origin == DOCUMENT:
            await self._require_still_named(client, code_hash, call)
        # The challenge of a verifier that has not the form of one is none.
        rows = await self.statements.run(
            EXCHANGE,
            code_hash=code_hash,
            attempt=new_id(),
            code_challenge=challenge_of(verifier) if _VERIFIER.fullmatch(verifier) else "",
            redirect_uri=redirect_uri,
            application_id=client.id,
            dpop_jkt=jkt,
            now=call.now,
            idle_end=expires_at(client, call.now),
        )
        source = sources(rows)
        if source is None:
            raise await self._refused(client, code_hash, call)
        return await self.issue(client, source, jkt, call)

    async def issue(self, client: Client, source: TokenSource, jkt: str, call: Call) -> Issued:
        """The first tokens of an authorization."""
        if client.learns_of_logouts and OPENID in source.scopes:
            await self._register(client, source, call)
        scopes = still_allowed(client, source.scopes)
        return await self.tokens.for_person(client, source, scopes, jkt)

    async def _require_still_named(self, client: Client, code_hash: bytes, call: Call) -> None:
        """Refuses a code that went to where the client's document sends nobody any more.

        Raises:
            InvalidGrantError: if it did.
        """
        found = await AuthorizationRepository(call.db).find_code(code_hash)
        if found is not None and not client.allows_redirect_uri(found.redirect_uri):
            raise InvalidGrantError("the document at the client_id has another redirect_uri now")

    async def _register(self, client: Client, source: TokenSource, call: Call) -> None:
        """Has the application be told when the session ends that it learns of here."""
        await self.statements.run(
            REGISTER,
            id=new_id(),
            session_id=source.session_id,
            application_id=client.id,
            now=call.now,
        )

    async def _refused(self, client: Client, code_hash: bytes, call: Call) -> InvalidGrantError:
        """Why a code is not good; ends what it gave if it was used before.

        Another application that presents it can end nothing.
        """
        found = await AuthorizationRepository(call.db).find_code(code_hash)
        if found is None or not found.used or found.application_id != client.id:
            return InvalidGrantError(
                "the code is not valid, or not for this client, redirect_uri, code_verifier or key"
            )
        await self.ends.code_reused(client, found, call)
        return InvalidGrantError("the code was used before", keeps_changes=True)


def challenge_of(verifier: str) -> str:
    """The challenge of a verifier, by the method S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
