"""Authorization requests that sign-in providers fetch (RFC 9101, section 5.2.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.visit import Site, Visit

CONTENT_TYPE = "application/oauth-authz-req+jwt"
NOT_STORED = {"Cache-Control": "no-store"}


def showing(site: Site) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler."""

    async def show(request: web.Request) -> web.StreamResponse:
        asked = pb.GetRequestObjectRequest(request_object_id=request.match_info["name"])
        try:
            found = await Visit(site, request).ask(site.core.federated.GetRequestObject, asked)
        except CoreError as error:
            return web.Response(status=503 if error.is_outage else 404, headers=NOT_STORED)
        body = found.request_object.encode()
        return web.Response(body=body, content_type=CONTENT_TYPE, headers=NOT_STORED)

    return show
