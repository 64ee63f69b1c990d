"""Sessions of browsers: a cookie stands for the session, and the tokens stay on our side."""

from __future__ import annotations

from dataclasses import dataclass

from portico.auth.v1 import browser_session_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.jwt import ACCESS_TOKEN_LIFETIME
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.auth.errors import BrowserTokenInvalidError, RefreshTokenInvalidError
from server.features.auth.refreshing import Refreshing
from server.features.auth.repository import SessionRepository
from server.features.auth.token_pairs import TokenPairs

PURPOSE = "browser-token"


@dataclass(frozen=True, slots=True)
class BrowserSessions:
    """Serves portico.auth.v1.BrowserSessionService."""

    refreshing: Refreshing
    pairs: TokenPairs
    secrets: Secrets

    async def StartBrowserSession(  # noqa: N802
        self, request: pb.StartBrowserSessionRequest, call: Call
    ) -> pb.StartBrowserSessionResponse:
        """Gives a session a browser token."""
        owner = await self.refreshing.owner(request.refresh_token)
        sessions = SessionRepository(call.db)
        session = await sessions.find(owner.session_id, owner.user_id, call.now) if owner else None
        if session is None:
            raise RefreshTokenInvalidError
        token = new_token()
        session.browser_token_hash = self._hash(token)
        return pb.StartBrowserSessionResponse(browser_token=token)

    async def ResumeBrowserSession(  # noqa: N802
        self, request: pb.ResumeBrowserSessionRequest, call: Call
    ) -> pb.ResumeBrowserSessionResponse:
        """A new access token for the session of a browser token."""
        token_hash = self._hash(request.browser_token)
        session = await SessionRepository(call.db).find_by_browser_token(token_hash, call.now)
        if session is None:
            raise BrowserTokenInvalidError
        session.use(call.now)
        return pb.ResumeBrowserSessionResponse(
            access_token=await self.pairs.issue_access_token(call.db, session),
            expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
            session_id=str(session.id),
        )

    def _hash(self, browser_token: str) -> bytes:
        """What is kept of a browser token. It is random, so a fast keyed hash is enough."""
        return self.secrets.mac(PURPOSE, browser_token)
