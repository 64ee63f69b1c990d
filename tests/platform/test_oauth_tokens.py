"""Applications at the front door: their scopes, what withdraws their access, and proofs of a key.

The token endpoint is asked as the wire part asks it; all else is what strangers see.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
from portico.keys.v1.api_key_service_pb2 import ListApiKeysRequest, ListApiKeysResponse
from portico.oauth.v1 import token_service_pb2 as tokens
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub

from cli.run.state import load_secrets
from portico_kit.clock import utc_now
from portico_kit.dpop import DpopNonces
from tests.platform.conftest import Tenant
from tests.stack import Stack
from tests.support.proofs import ProofKey

REDIRECT = "https://app.example.com/callback"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-in-all"
CODE_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
LIST_KEYS = "/portico.keys.v1.ApiKeyService/ListApiKeys"


@dataclass(frozen=True)
class App:
    """An application, at the front door."""

    stack: Stack
    http: aiohttp.ClientSession
    credentials: tokens.ClientCredentials

    async def token(self, grant_type: str, **fields: Any) -> str:
        """An access token of the token endpoint."""
        secret = load_secrets(self.stack.settings.state_dir)["PORTICO_INTERNAL_TOKEN"]
        request = tokens.IssueTokenRequest(grant_type=grant_type, client=self.credentials, **fields)
        async with self.stack.channel() as channel:
            answer = await TokenServiceStub(channel).IssueToken(
                request, metadata=(("authorization", f"Bearer {secret}"),)
            )
        return str(answer.access_token)

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, Any], Any]:
        """A GET: the status, the answer, and its headers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(path, headers=sent) as answer:
            return answer.status, await answer.json(), answer.headers

    async def native(self, organization_id: str, **metadata: str) -> ListApiKeysResponse:
        """A gRPC call through the front door."""
        address = self.stack.base_url.removeprefix("http://")
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.unary_unary(
                LIST_KEYS,
                request_serializer=ListApiKeysRequest.SerializeToString,
                response_deserializer=ListApiKeysResponse.FromString,
            )
            request = ListApiKeysRequest(organization_id=organization_id)
            return await call(request, metadata=tuple(metadata.items()), timeout=10)


async def new_app(stack: Stack, tenant: Tenant, kind: str, **fields: Any) -> App:
    path = f"/organizations/{tenant.organization_id}/applications"
    body = {"name": "an application", "kind": kind, **fields}
    made = await tenant.client.call("POST", path, body, expect=201)
    credentials = tokens.ClientCredentials(
        client_id=made["application"]["id"],
        client_secret=made["clientSecret"],
        method="client_secret_basic",
    )
    return App(stack, stack.rest(), credentials)


@pytest.fixture
async def owner(new_tenant: Any) -> Tenant:
    """Somebody with an organization of their own."""
    made: Tenant = await new_tenant()
    return made


@pytest.fixture
async def machine(stack: Stack, owner: Tenant) -> AsyncIterator[App]:
    """An application that acts for itself."""
    app = await new_app(stack, owner, "machine", scopes=["keys:read", "projects:read"])
    yield app
    await app.http.close()


@pytest.fixture
async def app(stack: Stack, owner: Tenant) -> AsyncIterator[App]:
    """An application that acts for people."""
    app = await new_app(
        stack,
        owner,
        "web",
        scopes=["openid", "keys:read", "projects:read"],
        redirectUris=[REDIRECT],
    )
    yield app
    await app.http.close()


async def consent(app: App, person: Tenant, scope: str) -> str:
    """An access token that a person has let the application have."""
    asked = {
        "response_type": "code",
        "client_id": app.credentials.client_id,
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "a state",
        "code_challenge": CODE_CHALLENGE.decode(),
        "code_challenge_method": "S256",
    }
    parameters = [{"name": name, "value": value} for name, value in asked.items()]
    call, path = person.client.call, "/oauth/authorizations"
    begun = await call("POST", path, {"parameters": parameters}, expect=200)
    approval = {
        "requestId": begun["authorization"]["requestId"],
        "organizationId": person.organization_id,
        "scopes": scope.split(),
    }
    approved = await call("POST", f"{path}/approve", approval, expect=200)
    response = approved.get("response", approved)
    said = {each["name"]: each["value"] for each in response["parameters"]}
    return await app.token(
        "authorization_code", code=said["code"], redirect_uri=REDIRECT, code_verifier=VERIFIER
    )


def keys_of(tenant: Tenant) -> str:
    return f"/api/v1/organizations/{tenant.organization_id}/api-keys"


async def test_an_application_calls_the_api_within_its_scopes(machine: App, owner: Tenant) -> None:
    narrow = await machine.token("client_credentials", scope="projects:read")
    status, body, headers = await machine.get(keys_of(owner), authorization=f"Bearer {narrow}")
    assert (status, body["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert 'scope="keys:read"' in headers["www-authenticate"]
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await machine.native(owner.organization_id, authorization=f"Bearer {narrow}")
    assert refusal.value.code() is grpc.StatusCode.PERMISSION_DENIED
    wide = await machine.token("client_credentials", scope="keys:read")
    assert (await machine.get(keys_of(owner), authorization=f"Bearer {wide}"))[0] == 200
    await machine.native(owner.organization_id, authorization=f"Bearer {wide}")


async def test_the_limits_of_an_application_are_its_own(app: App, owner: Tenant) -> None:
    token = await consent(app, owner, "openid keys:read")
    _, _, headers = await app.get(keys_of(owner), authorization=f"Bearer {token}")
    assert '"application-minute"' in headers["ratelimit-policy"]
    _, _, headers = await app.get(keys_of(owner), authorization=f"Bearer {owner.client.token}")
    assert '"application-minute"' not in headers["ratelimit-policy"]


async def test_a_grant_that_is_withdrawn_ends_at_the_next_call(app: App, owner: Tenant) -> None:
    token = await consent(app, owner, "openid keys:read")
    bearer = {"authorization": f"Bearer {token}"}
    assert (await app.get(keys_of(owner), **bearer))[0] == 200
    await app.native(owner.organization_id, **bearer)
    granted = await owner.client.call("GET", "/users/me/grants", expect=200)
    await owner.client.call("DELETE", f"/users/me/grants/{granted[0]['id']}", expect=204)
    status, body, headers = await app.get(keys_of(owner), **bearer)
    assert (status, body["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert 'error="invalid_token"' in headers["www-authenticate"]
    assert "/.well-known/oauth-protected-resource" in headers["www-authenticate"]
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await app.native(owner.organization_id, **bearer)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_that_was_given_in_exchange_is_a_credential_like_others(
    stack: Stack, owner: Tenant
) -> None:
    """The gateway holds its scopes against the method, and charges the service for the person."""
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    service = await new_app(stack, owner, "machine", scopes=["keys:read"], grantTypes=[exchange])
    app = await new_app(
        stack,
        owner,
        "web",
        scopes=["openid", "keys:read", "projects:read"],
        redirectUris=[REDIRECT],
        tokenExchangeClientIds=[service.credentials.client_id],
    )
    subject = await consent(app, owner, "openid keys:read projects:read")
    token = await service.token(
        exchange,
        subject_token=subject,
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    bearer = {"authorization": f"Bearer {token}"}
    status, _, headers = await service.get(keys_of(owner), **bearer)
    assert status == 200
    remaining = [headers["ratelimit"]]
    _, _, headers = await app.get(keys_of(owner), authorization=f"Bearer {subject}")
    remaining.append(headers["ratelimit"])
    # Each is charged by itself: neither has used anything of the other's.
    assert remaining[0].split(";")[1] == remaining[1].split(";")[1], remaining
    path = f"/api/v1/organizations/{owner.organization_id}/projects"
    status, body, _ = await service.get(path, **bearer)
    assert (status, body["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    await service.http.close()
    await app.http.close()


async def test_an_application_does_nothing_that_takes_the_person(app: App, owner: Tenant) -> None:
    token = await consent(app, owner, "openid keys:read")
    status, body, _ = await app.get("/api/v1/users/me", authorization=f"Bearer {token}")
    assert (status, body["error"]["code"]) == (403, "SESSION_REQUIRED")


async def test_a_token_that_is_bound_to_a_key_needs_a_proof_for_each_call(
    stack: Stack, machine: App, owner: Tenant
) -> None:
    key, path = ProofKey(), keys_of(owner)
    nonces = DpopNonces(load_secrets(stack.settings.state_dir)["PORTICO_INTERNAL_TOKEN"].encode())
    proof = key.proof("POST", f"{stack.base_url}/oauth/token", nonce=nonces.issue(utc_now()))
    token = await machine.token("client_credentials", scope="keys:read", dpop_proof=proof)
    url = f"{stack.base_url}{path}"
    for scheme, code in (("Bearer", "TOKEN_BOUND"), ("DPoP", "DPOP_PROOF_INVALID")):
        status, body, headers = await machine.get(path, authorization=f"{scheme} {token}")
        assert (status, body["error"]["code"]) == (401, code)
        assert headers["www-authenticate"].startswith("DPoP ")
    first = key.proof("GET", url, token=token)
    status, body, headers = await machine.get(path, authorization=f"DPoP {token}", DPoP=first)
    assert (status, body["error"]["code"]) == (401, "DPOP_NONCE_REQUIRED")
    assert 'error="use_dpop_nonce"' in headers["www-authenticate"]
    nonce = headers["dpop-nonce"]
    proof = key.proof("GET", url, token=token, nonce=nonce)
    answers = await asyncio.gather(
        *(
            machine.get(f"{path}?limit=5", authorization=f"DPoP {token}", DPoP=proof)
            for _ in range(20)
        )
    )
    assert sorted(status for status, _, _ in answers) == [200] + 19 * [401]
    native = key.proof("POST", f"{stack.base_url}{LIST_KEYS}", token=token, nonce=nonce)
    await machine.native(owner.organization_id, authorization=f"DPoP {token}", dpop=native)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await machine.native(owner.organization_id, authorization=f"DPoP {token}", dpop=native)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
