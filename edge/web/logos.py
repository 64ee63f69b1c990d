"""/assets/logos: our copies of the logos of applications.

Strangers have made them. Whatever a browser takes one for, it neither runs in our name nor asks
anybody for more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from portico.applications.v1 import logo_service_pb2 as pb

from edge.web.core_client import Caller, CoreError
from edge.web.visit import Site

# The name changes with the content.
KEPT = "public, max-age=31536000, immutable"
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
NOT_STORED = {"Cache-Control": "no-store"}


def showing_logos(site: Site) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler."""
    internal_token = site.settings.internal_token.get_secret_value()

    async def show(request: web.Request) -> web.StreamResponse:
        asked = pb.GetLogoRequest(
            application_id=request.match_info["application_id"],
            digest=request.match_info["digest"],
        )
        caller = Caller(request.headers.get("X-Edge-Address", ""), "", "")
        try:
            found = await site.core.call(site.core.logos.GetLogo, asked, caller, internal_token)
        except CoreError as error:
            return web.Response(status=503 if error.is_outage else 404, headers=NOT_STORED)
        if found.content_type not in SHOWN:
            return web.Response(status=404, headers=NOT_STORED)
        headers = {**HEADERS, "Cache-Control": KEPT}
        return web.Response(body=found.content, content_type=found.content_type, headers=headers)

    return show
