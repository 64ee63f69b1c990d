"""What applications call: /oauth/token, /oauth/par, /oauth/revoke, /oauth/introspect and so on.

Each reads a form, asks the core and writes its answer; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from aiohttp import web
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from portico.oauth.v1 import device_service_pb2 as devices
from portico.oauth.v1 import token_service_pb2 as pb
from portico.oauth.v1.authorization_service_pb2 import Parameter

from edge.web.core_client import Caller, CoreClient, CoreError
from edge.web.oauth import bearer
from edge.web.oauth.client_credentials import CREDENTIAL_PARAMETERS, read_client
from edge.web.oauth.errors import (
    NOT_STORED,
    SERVER_ERROR,
    OAuthError,
    from_core,
    json_response,
)
from edge.web.oauth.parameters import MAX_BYTES, Parameters, read_form
from edge.web.oauth.proofs import read_proof
from edge.web.visit import Site
from portico_kit.client_certificates import (
    CERTIFICATE_HEADER,
    MEMBER,
    PROXY_SECRET_HEADER,
    ClientCertificates,
)
from portico_kit.dpop import DpopError, DpopNonceError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answer = TypeVar("Answer")

# What a request that presents a token is challenged for.
_ABOUT_TOKEN = frozenset(
    {"invalid_token", "insufficient_scope", DpopError.error, DpopNonceError.error}
)

# Names of the standards that cannot be those of fields.
_NAMES = {"x5t_s256": MEMBER}

log = structlog.get_logger("web")


class OAuthEndpoints:
    """The handlers."""

    def __init__(self, site: Site) -> None:
        self._core = site.core
        self._internal_token = site.settings.internal_token.get_secret_value()
        secret = site.settings.proxy_secret
        self._certificates = ClientCertificates(secret.get_secret_value() if secret else "")

    async def token(self, request: web.Request) -> web.Response:
        """RFC 6749, section 3.2."""
        form = await read_parameters(request)
        client = self._client(request, form)
        asked = pb.IssueTokenRequest(
            grant_type=form.require("grant_type"),
            client=client,
            code=form.get("code"),
            redirect_uri=form.get("redirect_uri"),
            code_verifier=form.get("code_verifier"),
            refresh_token=form.get("refresh_token"),
            device_code=form.get("device_code"),
            scope=form.get("scope"),
            resource=form.all("resource"),
            dpop_proof=read_proof(request.headers),
            subject_token=form.get("subject_token"),
            subject_token_type=form.get("subject_token_type"),
            actor_token=form.get("actor_token"),
            actor_token_type=form.get("actor_token_type"),
            requested_token_type=form.get("requested_token_type"),
            audience=form.all("audience"),
        )
        answer = await self._ask(self._core.tokens.IssueToken, asked, request)
        return json_response(set_fields(answer))

    async def push(self, request: web.Request) -> web.Response:
        """RFC 9126, section 2."""
        form = await read_parameters(request)
        asked = pb.PushAuthorizationRequest(
            client=self._client(request, form),
            parameters=[
                Parameter(name=name, value=value)
                for name, value in form.pairs(but=CREDENTIAL_PARAMETERS)
            ],
            dpop_proof=read_proof(request.headers),
        )
        answer = await self._ask(self._core.tokens.PushAuthorization, asked, request)
        return json_response(set_fields(answer), int(HTTPStatus.CREATED))

    async def authorize_device(self, request: web.Request) -> web.Response:
        """RFC 8628, section 3.1."""
        form = await read_parameters(request)
        asked = devices.AuthorizeDeviceRequest(
            client=read_client(request.headers, form),
            scope=form.get("scope"),
            resource=form.all("resource"),
        )
        answer = await self._ask(self._core.devices.AuthorizeDevice, asked, request)
        return json_response(set_fields(answer))

    async def revoke(self, request: web.Request) -> web.Response:
        """RFC 7009, section 2."""
        form = await read_parameters(request)
        asked = pb.RevokeRequest(
            client=self._client(request, form),
            token=form.require("token"),
            token_type_hint=form.get("token_type_hint"),
        )
        await self._ask(self._core.tokens.Revoke, asked, request)
        return web.Response(headers=NOT_STORED)

    async def introspect(self, request: web.Request) -> web.Response:
        """RFC 7662, section 2."""
        form = await read_parameters(request)
        asked = pb.IntrospectRequest(
            client=self._client(request, form),
            token=form.require("token"),
            token_type_hint=form.get("token_type_hint"),
        )
        answer = await self._ask(self._core.tokens.Introspect, asked, request)
        return json_response({"active": answer.active, **set_fields(answer)})

    async def userinfo(self, request: web.Request) -> web.Response:
        """OpenID Connect Core 1.0, section 5.3."""
        form = None
        if request.method == "POST" and request.can_read_body:
            form = await read_parameters(request)
        token, scheme = bearer.read_token(request.headers, form)
        try:
            asked = pb.GetUserInfoRequest(
                access_token=token,
                token_type=scheme,
                dpop_proof=read_proof(request.headers),
                method=request.method,
                client_certificate=self._certificate(request),
            )
            answer = await self._ask(self._core.tokens.GetUserInfo, asked, request)
        except OAuthError as error:
            if error.error in _ABOUT_TOKEN:
                raise bearer.refused(error, scheme) from None
            raise
        return json_response(set_fields(answer))

    def _client(self, request: web.Request, form: Parameters) -> pb.ClientCredentials:
        """What the application presents, in the request and by its connection."""
        client = read_client(request.headers, form)
        client.client_certificate = self._certificate(request)
        return client

    def _certificate(self, request: web.Request) -> bytes:
        headers = request.headers
        return self._certificates.read(
            headers.getall(PROXY_SECRET_HEADER, []), headers.getall(CERTIFICATE_HEADER, [])
        )

    async def _ask(
        self, method: Callable[..., Awaitable[Answer]], asked: Message, request: web.Request
    ) -> Answer:
        return await ask_core(self._core, self._internal_token, method, asked, request)


async def ask_core(
    core: CoreClient,
    internal_token: str,
    method: Callable[..., Awaitable[Answer]],
    asked: Message,
    request: web.Request,
) -> Answer:
    """Asks the core, for whoever sent a request.

    Raises:
        OAuthError: if it refuses or does not answer.
    """
    headers = request.headers
    caller = Caller(
        address=headers.get("X-Edge-Address", ""),
        user_agent=headers.get("User-Agent", ""),
        request_id=headers.get("X-Request-Id", ""),
    )
    try:
        return await core.call(method, asked, caller, internal_token)
    except CoreError as error:
        raise from_core(error) from None


def answering(handler: Handler) -> Handler:
    """The handler, whose every failure is an answer that programs can read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except OAuthError as error:
            return error.response()
        except Exception:
            request_id = request.headers.get("X-Request-Id", "")
            log.exception("unexpected_error", path=request.path, request_id=request_id)
            return OAuthError(SERVER_ERROR).response()

    return handle


async def read_parameters(request: web.Request) -> Parameters:
    """The parameters of a form.

    Raises:
        OAuthError: if it is none, too large, or malformed, or a parameter is there twice.
    """
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = bytes(MAX_BYTES + 1)
    return Parameters(read_form(request.headers, body))


def set_fields(answer: Message) -> Mapping[str, Any]:
    """The fields of an answer that are set, under their names: those of the standards."""
    return {
        _NAMES.get(field.name, field.name): _plain(field, value)
        for field, value in answer.ListFields()
    }


def _plain(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return set_fields(value)
    return list(value) if field.is_repeated else value
