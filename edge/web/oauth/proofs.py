"""Proofs of possession of a key, as they come and go in headers (RFC 9449).

Whether one is good is for the core to say.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from multidict import CIMultiDictProxy

from edge.web.oauth.documents import Handler
from edge.web.oauth.errors import OAuthError
from portico_kit.clock import Clock
from portico_kit.dpop import DpopError, DpopNonces

HEADER = "DPoP"
NONCE_HEADER = "DPoP-Nonce"


def read_proof(headers: CIMultiDictProxy[str]) -> str:
    """The proof of a request; "" if it has none.

    Raises:
        OAuthError: if it has more than one (RFC 9449, section 4.3).
    """
    given = headers.getall(HEADER, [])
    if len(given) > 1:
        raise OAuthError(DpopError.error, "The header DPoP is there more than once.")
    return given[0] if given else ""


def offering_nonces(nonces: DpopNonces, clock: Clock) -> Callable[[Handler], Handler]:
    """Gives every answer to a request with a proof the nonce for the next one (section 8)."""

    def offering(handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            answer = await handler(request)
            if HEADER in request.headers:
                answer.headers[NONCE_HEADER] = nonces.issue(clock())
            return answer

        return handle

    return offering
