"""Tokens of applications: the methods."""

from __future__ import annotations

from dataclasses import dataclass

from portico.oauth.v1 import token_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.client_certificates import binding
from portico_kit.dpop import AUTHENTICATION_SCHEME, DpopProof
from portico_kit.oauth_metadata import same_resource
from server.features.applications.facade import (
    NO_AUTHENTICATION,
    TOKEN_EXCHANGE,
    Applications,
    Client,
    ClientAuthentication,
    InvalidClientError,
)
from server.features.oauth import messages
from server.features.oauth.authorizations import Authorizations
from server.features.oauth.codes import CodeExchange
from server.features.oauth.device_polls import DevicePolling
from server.features.oauth.devices import DEVICE_CODE
from server.features.oauth.errors import (
    InvalidDpopProofError,
    InvalidOAuthRequestError,
    InvalidScopeError,
    InvalidTargetError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)
from server.features.oauth.exchange import TokenExchange
from server.features.oauth.introspection import PresentedTokens
from server.features.oauth.proofs import Proofs
from server.features.oauth.pushed import LIFETIME as PUSHED_LIFETIME
from server.features.oauth.refreshing import ApplicationRefreshing
from server.features.oauth.tokens import Issued, OAuthTokens, asked_scopes, of_organizations

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant type
CLIENT_CREDENTIALS = "client_credentials"
GRANT_TYPES = (
    AUTHORIZATION_CODE,
    REFRESH_TOKEN,
    CLIENT_CREDENTIALS,
    DEVICE_CODE,
    TOKEN_EXCHANGE,
)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class TokenService:
    """Serves portico.oauth.v1.TokenService."""

    issuer: str
    applications: Applications
    tokens: OAuthTokens
    codes: CodeExchange
    refreshing: ApplicationRefreshing
    exchange: TokenExchange
    presented: PresentedTokens
    proofs: Proofs
    authorizations: Authorizations
    device_polling: DevicePolling

    async def IssueToken(self, request: pb.IssueTokenRequest, call: Call) -> pb.IssueTokenResponse:
        _require_supported(request.grant_type)
        # Before the client's assertion, which is good once: a client without a nonce tries again.
        proof = self.proofs.check(request.dpop_proof, "token", call.now)
        client = await self.authenticate(request.client, "token")
        if request.grant_type not in client.grant_types:
            raise UnauthorizedClientError("the application may not use this grant type")
        if not all(same_resource(each, self.issuer) for each in request.resource):
            raise InvalidTargetError("the resource is not known here")
        jkt = await self.proofs.use_for(client, proof)
        jkt = jkt or _certificate_of(client, request.client)
        return messages.issued(await self._issue(request, client, jkt, call))

    async def PushAuthorization(
        self, request: pb.PushAuthorizationRequest, call: Call
    ) -> pb.PushAuthorizationResponse:
        proof = self.proofs.check(request.dpop_proof, "par", call.now)
        client = await self.authenticate(request.client, "par")
        jkt = await self.proofs.use(proof) if proof else ""
        given = [(each.name, each.value) for each in request.parameters]
        request_uri = await self.authorizations.push(client, given, jkt, call)
        seconds = int(PUSHED_LIFETIME.total_seconds())
        return pb.PushAuthorizationResponse(request_uri=request_uri, expires_in=seconds)

    async def Introspect(self, request: pb.IntrospectRequest, call: Call) -> pb.IntrospectResponse:
        client = await self.authenticate(request.client, "introspect")
        if client.token_endpoint_auth_method == NO_AUTHENTICATION:
            # Anybody could ask in its name.
            raise InvalidClientError(error_description="the client has no credential")
        _require_token(request.token)
        return await self.presented.introspect(client, request.token, call)

    async def Revoke(self, request: pb.RevokeRequest, call: Call) -> pb.RevokeResponse:
        client = await self.authenticate(request.client, "revoke")
        _require_token(request.token)
        await self.presented.revoke(client, request.token, call)
        return pb.RevokeResponse()

    async def GetUserInfo(
        self, request: pb.GetUserInfoRequest, call: Call
    ) -> pb.GetUserInfoResponse:
        proof = self._proof_of_token(request, call)
        jkt = await self.proofs.use(proof) if proof else ""
        certificate = request.client_certificate
        return await self.presented.user_info(request.access_token, jkt, certificate)

    async def authenticate(self, credentials: pb.ClientCredentials, endpoint: str) -> Client:
        """The client that a request is from.

        Args:
            endpoint: the last part of the URL of the endpoint.

        Raises:
            InvalidClientError: if it does not prove that.
        """
        assertion_type = credentials.client_assertion_type
        if credentials.client_assertion and assertion_type != ASSERTION_TYPE:
            raise InvalidClientError(error_description="client_assertion_type is not supported")
        return await self.applications.authenticate(
            ClientAuthentication(
                credentials.client_id,
                credentials.method,  # type: ignore[arg-type]  # the contract checks it
                credentials.client_secret,
                credentials.client_assertion,
                (self.issuer, f"{self.issuer}/oauth/token", f"{self.issuer}/oauth/{endpoint}"),
                credentials.client_certificate,
            )
        )

    def _proof_of_token(self, request: pb.GetUserInfoRequest, call: Call) -> DpopProof | None:
        """The proof that comes with a token of the scheme DPoP; None for a bearer token.

        Raises:
            InvalidDpopProofError: if there is none, or it is not accepted.
        """
        if request.token_type != AUTHENTICATION_SCHEME:
            return None
        proof = self.proofs.check(
            request.dpop_proof,
            "userinfo",
            call.now,
            method=request.method,
            access_token=request.access_token,
        )
        if proof is None:
            raise InvalidDpopProofError("the header DPoP is missing")
        return proof

    async def _issue(
        self, request: pb.IssueTokenRequest, client: Client, jkt: str, call: Call
    ) -> Issued:
        match request.grant_type:
            case "authorization_code":
                return await self.codes.use(
                    client, request.code, request.redirect_uri, request.code_verifier, jkt, call
                )
            case "refresh_token":
                return await self.refreshing.use(
                    client, request.refresh_token, request.scope, jkt, call
                )
            case "urn:ietf:params:oauth:grant-type:token-exchange":
                return await self.exchange.use(client, request, jkt)
            case "urn:ietf:params:oauth:grant-type:device_code":
                return await self.device_polling.use(client, request.device_code, jkt, call)
            case _:
                return self.tokens.for_itself(client, _own_scopes(client, request.scope), jkt)


def _certificate_of(client: Client, credentials: pb.ClientCredentials) -> str:
    """What the tokens of a request are bound to if not to a key; "" for nothing.

    Raises:
        InvalidOAuthRequestError: if the application wants a certificate to be it and has none.
    """
    if not client.tls_client_certificate_bound_access_tokens:
        return ""
    if not credentials.client_certificate:
        raise InvalidOAuthRequestError(
            "tokens of this application are bound to a certificate, and the connection has none"
        )
    return binding(credentials.client_certificate)


def _require_supported(grant_type: str) -> None:
    if not grant_type:
        raise InvalidOAuthRequestError("grant_type is missing")
    if grant_type not in GRANT_TYPES:
        raise UnsupportedGrantTypeError("the grant type is not supported")


def _require_token(token: str) -> None:
    if not token:
        raise InvalidOAuthRequestError("token is missing")


def _own_scopes(client: Client, asked: str) -> frozenset[str]:
    """What an application is given for itself: there is no person whom it could know."""
    may_have = of_organizations(client.scopes)
    scopes = asked_scopes(asked)
    if not scopes <= may_have:
        raise InvalidScopeError("the application cannot be given all of the scopes for itself")
    return scopes or may_have
