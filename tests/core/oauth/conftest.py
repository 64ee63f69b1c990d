"""What the tests of the OAuth server share: an application, and a person who lets it in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt
import pytest
from portico.oauth.v1 import authorization_service_pb2 as pb
from portico.oauth.v1 import grant_service_pb2 as grants
from portico.oauth.v1 import token_service_pb2 as token_pb
from portico.oauth.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from portico.oauth.v1.grant_service_pb2_grpc import GrantServiceStub
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations

from tests.core.applications.conftest import ISSUER, REDIRECT, ApplicationClient
from tests.core.applications.conftest import application_client as application_client
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
)
SCOPES = ("openid", "profile", "email", "offline_access", "projects:read", "organization:read")
INTERNAL = bearer(INTERNAL_TOKEN)

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class App:
    """An application at the endpoints of the OAuth server."""

    world: World
    client_id: str
    secret: str
    redirect_uri: str = REDIRECT
    method: str = "client_secret_basic"

    @property
    def authorizations(self) -> AuthorizationServiceStub:
        return AuthorizationServiceStub(self.world.channel)

    @property
    def tokens(self) -> TokenServiceStub:
        return TokenServiceStub(self.world.channel)

    @property
    def credentials(self) -> token_pb.ClientCredentials:
        """What it presents."""
        return token_pb.ClientCredentials(
            client_id=self.client_id,
            method=self.method if self.secret else "none",
            client_secret=self.secret,
        )

    def parameters(self, **changes: str | None) -> Parameters:
        """An authorization request that is right but for what is given; None leaves one out."""
        right: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid projects:read",
            "state": "a state",
            "nonce": "a nonce",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return [(name, value) for name, value in (right | changes).items() if value is not None]

    async def begin_with(self, parameters: Parameters) -> pb.BeginAuthorizationResponse:
        given = [pb.Parameter(name=name, value=value) for name, value in parameters]
        return await self.authorizations.BeginAuthorization(
            pb.BeginAuthorizationRequest(parameters=given)
        )

    async def begin(self, **changes: str | None) -> pb.BeginAuthorizationResponse:
        """What becomes of a request."""
        return await self.begin_with(self.parameters(**changes))

    async def request_id(self, **changes: str | None) -> str:
        """A request that can be put before a person."""
        begun = await self.begin(**changes)
        assert begun.WhichOneof("outcome") == "authorization", begun
        return begun.authorization.request_id

    async def ask(self, person: Person, **changes: str | None) -> pb.GetAuthorizationResponse:
        """What a new request needs next of a person."""
        return await self.ask_again(person, await self.request_id(**changes))

    async def ask_again(self, person: Person, request_id: str) -> pb.GetAuthorizationResponse:
        return await self.authorizations.GetAuthorization(
            pb.GetAuthorizationRequest(request_id=request_id), metadata=person.metadata
        )

    async def approve(self, person: Person, request_id: str, **fields: Any) -> dict[str, str]:
        """The response to an approved request, by the names of its parameters."""
        answer = await self.authorizations.ApproveAuthorization(
            pb.ApproveAuthorizationRequest(request_id=request_id, **fields),
            metadata=person.metadata,
        )
        return said(answer.response)

    async def code(self, person: Person, **changes: str | None) -> str:
        """A code that a person has approved."""
        return (await self.approve(person, await self.request_id(**changes)))["code"]

    async def issue(self, grant_type: str, **fields: Any) -> token_pb.IssueTokenResponse:
        """Asks the token endpoint."""
        values = {"client": self.credentials, **fields}
        request = token_pb.IssueTokenRequest(grant_type=grant_type, **values)
        return await self.tokens.IssueToken(request, metadata=INTERNAL)

    async def exchange(self, code: str, **fields: Any) -> token_pb.IssueTokenResponse:
        """The tokens for a code."""
        values = {"redirect_uri": self.redirect_uri, "code_verifier": VERIFIER, **fields}
        return await self.issue("authorization_code", code=code, **values)

    async def signed_in(self, person: Person, **changes: str | None) -> token_pb.IssueTokenResponse:
        """The tokens that come of a whole flow."""
        return await self.exchange(await self.code(person, **changes))

    async def refresh(self, refresh_token: str, **fields: Any) -> token_pb.IssueTokenResponse:
        return await self.issue("refresh_token", refresh_token=refresh_token, **fields)

    async def introspect(self, token: str, **fields: Any) -> token_pb.IntrospectResponse:
        values = {"client": self.credentials, **fields}
        request = token_pb.IntrospectRequest(token=token, **values)
        return await self.tokens.Introspect(request, metadata=INTERNAL)

    async def revoke(self, token: str, **fields: Any) -> None:
        values = {"client": self.credentials, **fields}
        await self.tokens.Revoke(token_pb.RevokeRequest(token=token, **values), metadata=INTERNAL)

    async def user_info(self, access_token: str) -> token_pb.GetUserInfoResponse:
        request = token_pb.GetUserInfoRequest(access_token=access_token)
        return await self.tokens.GetUserInfo(request, metadata=INTERNAL)

    async def is_active(self, token: str) -> bool:
        return bool((await self.introspect(token)).active)


def said(response: pb.AuthorizationResponse) -> dict[str, str]:
    """The parameters of a response, by name."""
    return {each.name: each.value for each in response.parameters}


def claims(token: str) -> Mapping[str, Any]:
    """What a token says; whether it may is not the question here."""
    return dict(jwt.decode(token, options={"verify_signature": False}))


async def get_organization(world: World, organization_id: str, access_token: str) -> str:
    """The name of an organization, asked for with an access token."""
    request = organizations.GetOrganizationRequest(organization_id=organization_id)
    answer = await world.organizations.GetOrganization(request, metadata=bearer(access_token))
    return str(answer.organization.name)


async def list_grants(world: World, person: Person) -> list[grants.Grant]:
    """What a person has let applications do."""
    answer = await GrantServiceStub(world.channel).ListGrants(
        grants.ListGrantsRequest(), metadata=person.metadata
    )
    return list(answer.grants)


async def revoke_grant(world: World, person: Person, grant_id: str) -> None:
    await GrantServiceStub(world.channel).RevokeGrant(
        grants.RevokeGrantRequest(grant_id=grant_id), metadata=person.metadata
    )


async def new_app(application_client: ApplicationClient, kind: str = "web", **fields: Any) -> App:
    """A new application of an organization."""
    if kind != "machine":
        fields = {"scopes": SCOPES, **fields}
    made = await application_client.create(kind, **fields)
    uris = made.application.redirect_uris
    return App(
        application_client.world,
        made.application.id,
        made.client_secret,
        uris[0] if uris else "",
        made.application.token_endpoint_auth_method,
    )


@pytest.fixture
async def app(application_client: ApplicationClient) -> App:
    """A web application of the owner's organization."""
    return await new_app(application_client)


@pytest.fixture
async def machine(application_client: ApplicationClient) -> App:
    """An application of the owner's organization that acts for itself."""
    return await new_app(application_client, "machine", scopes=["organization:read"])


def public(app: App) -> App:
    """The same, without its secret."""
    return replace(app, secret="")


__all__ = ["ISSUER"]
