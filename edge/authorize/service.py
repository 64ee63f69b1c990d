"""The gRPC service: reads Envoy's request, decides, renders the decision."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import grpc
import structlog
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationServicer

from edge.authorize.bound_tokens import (
    BoundDecision,
    BoundRequest,
    BoundToken,
    BoundTokens,
)
from edge.authorize.decision import Admitted, Decision, decide
from edge.authorize.render import DPOP_CREDENTIAL_HEADER, DPOP_HEADER, KEY_HEADER, Renderer
from edge.authorize.resolver import KeyResolver
from edge.authorize.usage import UsageBuffer
from edge.authorize.verified_key import VerifiedKey
from portico_kit.client_certificates import (
    CERTIFICATE_HEADER,
    PROXY_SECRET_HEADER,
    ClientCertificates,
)

# Set by the gateway: the connection's own address would be that of a proxy in front of it.
ADDRESS_HEADER = "x-edge-address"

log = structlog.get_logger("authorize")


class AuthorizeService(AuthorizationServicer):  # type: ignore[misc]
    """envoy.service.auth.v3.Authorization."""

    def __init__(
        self,
        resolver: KeyResolver,
        usage: UsageBuffer,
        bound_tokens: BoundTokens,
        renderer: Renderer,
        certificates: ClientCertificates,
    ) -> None:
        """Takes what decides about keys, and about bound tokens, and what renders that."""
        self._resolver = resolver
        self._usage = usage
        self._bound_tokens = bound_tokens
        self._renderer = renderer
        self._certificates = certificates
        # The reply for a key is always the same, and is freed with the key.
        self._admitted: WeakKeyDictionary[VerifiedKey, CheckResponse] = WeakKeyDictionary()

    async def Check(  # noqa: N802
        self, request: CheckRequest, context: grpc.aio.ServicerContext[CheckRequest, CheckResponse]
    ) -> CheckResponse:
        """Lets a request with an API key, or with a proof, pass, or refuses it."""
        headers = request.attributes.request.http.headers
        if DPOP_CREDENTIAL_HEADER in headers:
            return await self._check_proof(request)
        secret, address = headers.get(KEY_HEADER, ""), headers.get(ADDRESS_HEADER, "")
        permission = request.attributes.context_extensions.get("permission", "")
        decision = decide(await self._resolver.resolve(secret), permission, address)
        if isinstance(decision, Admitted):
            return self._admit(decision)
        _log_refusal(decision, request)
        return self._renderer.render(decision)

    async def _check_proof(self, request: CheckRequest) -> CheckResponse:
        """Lets a request pass whose token is bound to the key of its proof."""
        http, route = request.attributes.request.http, request.attributes.context_extensions
        decision = await self._bound_tokens.decide(
            BoundRequest(
                token=http.headers[DPOP_CREDENTIAL_HEADER],
                proof=http.headers.get(DPOP_HEADER, ""),
                # Those that the client has sent: the transcoder has made others of them.
                method=http.headers.get("x-envoy-original-method", http.method),
                path=http.headers.get("x-envoy-original-path", http.path),
                permission=route.get("permission", ""),
                access=route.get("access", ""),
                certificate=self._certificates.read(
                    # Envoy joins what is there more than once; that is no certificate then.
                    [http.headers.get(PROXY_SECRET_HEADER, "")],
                    [http.headers.get(CERTIFICATE_HEADER, "")],
                ),
            )
        )
        if not isinstance(decision, BoundToken):
            _log_refusal(decision, request)
        return self._renderer.render_bound(decision, self._bound_tokens.nonce())

    def _admit(self, decision: Admitted) -> CheckResponse:
        self._usage.count(decision.key.key_id)
        reply = self._admitted.get(decision.key)
        if reply is None:
            reply = self._admitted[decision.key] = self._renderer.render(decision)
        return reply


def _log_refusal(decision: Decision | BoundDecision, request: CheckRequest) -> None:
    """Logs a refusal; the secret is not in it."""
    log.info(
        "refused",
        decision=type(decision).__name__,
        rpc=request.attributes.context_extensions.get("rpc", ""),
        request_id=request.attributes.request.http.headers.get("x-request-id", ""),
    )
