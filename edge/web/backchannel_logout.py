"""Logout tokens of sign-in providers (OpenID Connect Back-Channel Logout 1.0, section 2.5).

A provider sends a form, as no method of the API takes one. It comes from no browser: what makes
it good is the signature of the token, which the core checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from portico.connections.v1 import federated_sign_in_service_pb2 as pb

from edge.web import forms
from edge.web.core_client import PROVIDER_SECONDS, CoreError
from edge.web.visit import Site, Visit

NOT_STORED = {"Cache-Control": "no-store"}


def receiving(site: Site) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler."""

    async def receive(request: web.Request) -> web.StreamResponse:
        if request.content_type != forms.CONTENT_TYPE:
            raise web.HTTPUnsupportedMediaType
        try:
            token = forms.read_fields(await request.read()).get("logout_token", "")
        except ValueError:
            return _refused("it is no form")
        asked = pb.ReceiveLogoutTokenRequest(
            connection_id=request.match_info["connection_id"], logout_token=token
        )
        try:
            await Visit(site, request).ask(
                site.core.federated.ReceiveLogoutToken, asked, PROVIDER_SECONDS
            )
        except CoreError as error:
            if error.is_outage:
                # The provider may try again.
                return web.Response(status=503, headers=NOT_STORED)
            return _refused(error.reason)
        return web.Response(headers=NOT_STORED)

    return receive


def _refused(why: str) -> web.Response:
    content = {"error": "invalid_request", "error_description": why}
    return web.json_response(content, status=400, headers=NOT_STORED)
