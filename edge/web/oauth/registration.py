"""How applications register themselves: /oauth/register, in the wire format of RFC 7591 and 7592.

Each reads JSON, asks the core and writes its answer; nothing is decided here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from google.protobuf.message import Message
from portico.applications.v1 import registration_service_pb2 as pb

from edge.web.oauth.endpoints import ask_core
from edge.web.oauth.errors import NOT_STORED, REALM, OAuthError, json_response
from edge.web.oauth.parameters import MAX_BYTES
from edge.web.paths import REGISTERED_CLIENT
from edge.web.visit import Site
from portico_kit.oauth_metadata import issuer_of

INVALID_METADATA = "invalid_client_metadata"
INVALID_TOKEN = "invalid_token"  # noqa: S105 - the name of an error
# As the core calls it.
_CORE_TOKEN_ERROR = "invalid_registration_token"  # noqa: S105 - as above
JSON = "application/json"
_BEARER = "bearer"

Answer = TypeVar("Answer")


class RegistrationEndpoints:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._core = site.core
        self._internal_token = site.settings.internal_token.get_secret_value()
        self._issuer = issuer_of(site.settings.public_url)

    async def register(self, request: web.Request) -> web.Response:
        """RFC 7591, section 3."""
        asked = pb.RegisterClientRequest(
            metadata=await read_json(request), initial_access_token=read_token(request.headers)
        )
        answer = await self._ask(self._core.registrations.RegisterClient, asked, request)
        token = answer.registration_access_token
        return self._shown(answer.registration, token, HTTPStatus.CREATED)

    async def read(self, request: web.Request) -> web.Response:
        """RFC 7592, section 2.1."""
        token = read_token(request.headers)
        asked = pb.ReadClientRequest(client_id=_client_id(request), registration_access_token=token)
        answer = await self._ask(self._core.registrations.ReadClient, asked, request)
        return self._shown(answer.registration, token, HTTPStatus.OK)

    async def update(self, request: web.Request) -> web.Response:
        """RFC 7592, section 2.2."""
        token = read_token(request.headers)
        asked = pb.UpdateClientRequest(
            client_id=_client_id(request),
            registration_access_token=token,
            metadata=await read_json(request),
        )
        answer = await self._ask(self._core.registrations.UpdateClient, asked, request)
        return self._shown(answer.registration, token, HTTPStatus.OK)

    async def delete(self, request: web.Request) -> web.Response:
        """RFC 7592, section 2.3."""
        asked = pb.DeleteClientRequest(
            client_id=_client_id(request), registration_access_token=read_token(request.headers)
        )
        await self._ask(self._core.registrations.DeleteClient, asked, request)
        return web.Response(status=int(HTTPStatus.NO_CONTENT), headers=NOT_STORED)

    def _shown(self, registration: str, token: str, status: HTTPStatus) -> web.Response:
        """The client information response, with how it is kept (RFC 7592, section 3)."""
        content: dict[str, Any] = json.loads(registration)
        query = urlencode({"client_id": content["client_id"]})
        content["registration_client_uri"] = f"{self._issuer}{REGISTERED_CLIENT}?{query}"
        content["registration_access_token"] = token
        return json_response(content, int(status))

    async def _ask(
        self, method: Callable[..., Awaitable[Answer]], asked: Message, request: web.Request
    ) -> Answer:
        try:
            return await ask_core(self._core, self._internal_token, method, asked, request)
        except OAuthError as error:
            if error.error == _CORE_TOKEN_ERROR:
                raise _unauthorized(bool(request.headers.get("Authorization"))) from None
            raise


async def read_json(request: web.Request) -> str:
    """The body; whether it is a JSON object, the core sees.

    Raises:
        OAuthError: if it is sent as something else, is no text, or too large.
    """
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise OAuthError(INVALID_METADATA, f"The content type must be {JSON}.")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = bytes(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        status = int(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        raise OAuthError(INVALID_METADATA, "The metadata is too large.", status)
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise OAuthError(INVALID_METADATA, "The metadata is not UTF-8.") from None


def read_token(headers: Mapping[str, str]) -> str:
    """The bearer token of a request; "" if there is none.

    Raises:
        OAuthError: if something else is presented.
    """
    given = headers.get("Authorization", "")
    if not given:
        return ""
    scheme, _, token = given.partition(" ")
    token = token.strip()
    if scheme.lower() != _BEARER or not token or not token.isascii() or len(token) > 1000:
        raise _unauthorized(True)
    return token


def _client_id(request: web.Request) -> str:
    return request.query.get("client_id", "")[:2048]


def _unauthorized(presented: bool) -> OAuthError:
    """A request without a token that is good (RFC 6750, section 3)."""
    said = f', error="{INVALID_TOKEN}"' if presented else ""
    challenge = {"WWW-Authenticate": f'Bearer realm="{REALM}"{said}'}
    text = "The token is missing or not good for this."
    return OAuthError(INVALID_TOKEN, text, headers=challenge)
