"""Another tenant's resources are not there: in any method, over REST, gRPC and gRPC-Web."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from edge.gateway.paths import variables
from portico_contract import CONTRACT_FILE, AccessRule, Method, load
from tests.gateway.gateway import Gateway, settings_for
from tests.platform.conftest import Tenant
from tests.stack import Stack
from tests.support.cells import Cells

NAMED = (
    "organization_id",
    "user_id",
    "api_key_id",
    "invitation_id",
    "webhook_id",
    "delivery_id",
    "replay_id",
    "session_id",
    "project_id",
    "application_id",
    "target_organization_id",
    "connection_id",
    "domain_id",
)
# A connection is there for whoever signs in: that it exists is no secret. So are the public keys
# of webhooks, and an organization that is unknown has none either. A request of an
# application is asked for first; tests/core/oauth/test_consent.py has the organizations.
OPEN = {
    "ApproveAuthorization",
    "ApproveDeviceAuthorization",
    "BeginFederatedSignIn",
    "BeginLink",
    "GetConnectionKeys",
    "GetWebhookKeySet",
    "ReceiveLogoutToken",
}
METHODS = [
    method
    for method in load(CONTRACT_FILE).routed
    if set(NAMED) & set(method.request.DESCRIPTOR.fields_by_name) and method.name not in OPEN
]
# What a request needs beside ids to be a valid one.
FILLED: Mapping[str, Mapping[str, Any]] = {
    "CreateApiKey": {"name": "a key", "scopes": ["organization:read"]},
    "CreateInvitation": {"email": "eve@example.com", "role": "viewer"},
    "CreateWebhook": {"url": "http://127.0.0.1:9/hook", "eventTypes": ["*"]},
    "CreateReplay": {"status": "failed"},
    "CreateProject": {"name": "a project"},
    "CreateDomain": {"name": "tenant.example.com"},
    "CreateConnection": {
        "name": "GitHub",
        "preset": "github",
        "issuer": "https://github.com",
        "clientId": "a client",
        "clientSecret": "a secret",
    },
    "CreateApplication": {"name": "a program", "kind": "machine", "scopes": ["organization:read"]},
    "SaveEventCursor": {"name": "theirs", "position": "0"},
    "SetFirstParty": {"firstParty": True},
    "UpdateRegistrationPolicy": {"registration": "token"},
    "RevokeApplicationSecret": {"secretId": "0011223344556677"},
    "UpdateMember": {"role": "viewer"},
    "UpdateOrganizationLimits": {"multiplierPercent": 200},
    "UpdateSecurityPolicy": {"secondFactor": "off"},
    "UpdateMemberSecurityPolicy": {"secondFactor": "off"},
}


@pytest.fixture(scope="module")
async def theirs(tenant: Tenant) -> Mapping[str, str]:
    """The ids of one of everything that a tenant can have."""
    client, here = tenant.client, f"/organizations/{tenant.organization_id}"
    key = await client.call("POST", f"{here}/api-keys", _body("CreateApiKey"), expect=201)
    invitation = await client.call(
        "POST", f"{here}/invitations", _body("CreateInvitation"), expect=201
    )
    webhook = await client.call("POST", f"{here}/webhooks", _body("CreateWebhook"), expect=201)
    webhook_id = webhook["webhook"]["id"]
    delivery = await client.call("POST", f"/webhooks/{webhook_id}/test", {}, expect=202)
    replay = await client.call(
        "POST", f"/webhooks/{webhook_id}/replays", _body("CreateReplay"), expect=202
    )
    project = await client.call("POST", f"{here}/projects", _body("CreateProject"), expect=201)
    # GitHub publishes nothing, and is not asked.
    connection = await client.call(
        "POST", f"{here}/connections", _body("CreateConnection"), expect=201
    )
    domain = await client.call("POST", f"{here}/domains", _body("CreateDomain"), expect=201)
    application = await client.call(
        "POST", f"{here}/applications", _body("CreateApplication"), expect=201
    )
    sessions = await client.call("GET", "/auth/sessions", expect=200)
    return {
        "organization_id": tenant.organization_id,
        "user_id": client.user["id"],
        "api_key_id": key["apiKey"]["id"],
        "invitation_id": invitation["id"],
        "webhook_id": webhook_id,
        "delivery_id": delivery["id"],
        "replay_id": replay["id"],
        "session_id": sessions[0]["id"],
        "project_id": project["id"],
        "application_id": application["application"]["id"],
        "target_organization_id": tenant.organization_id,
        "connection_id": connection["id"],
        "domain_id": domain["id"],
    }


@pytest.fixture
async def stranger(new_tenant: Any) -> Tenant:
    """The owner of another organization, with the budget for all methods."""
    made: Tenant = await new_tenant()
    return made


@pytest.fixture(scope="module")
async def door(stack: Stack, tenant: Tenant) -> AsyncIterator[Gateway]:
    """The platform's public port, for every protocol."""
    settings = settings_for(stack.settings.runtime_dir, rest_port=stack.settings.rest_port)
    target = f"127.0.0.1:{settings.rest_port}"
    async with grpc.aio.insecure_channel(target) as channel:
        yield Gateway(settings, tenant.client.http, channel)


async def test_over_rest(door: Gateway, theirs: Mapping[str, str], stranger: Tenant) -> None:
    cells = Cells()
    for method in METHODS:
        with cells.cell(method.name):
            assert method.rest is not None
            message = request(method, theirs)
            path, body = method.rest.template, MessageToDict(message)
            for name in variables(path):
                path = path.replace(f"{{{name}}}", getattr(message, name))
                body.pop(_camel(name))
            sent = None if method.rest.verb in {"GET", "DELETE"} else json.dumps(body).encode()
            answer = await door.call(method.rest.verb, path, token=stranger.client.token, data=sent)
            assert answer.status == (403 if administers(method) else 404), answer.body
    cells.hold()


async def test_over_grpc(door: Gateway, theirs: Mapping[str, str], stranger: Tenant) -> None:
    cells = Cells()
    for method in METHODS:
        with cells.cell(method.name):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await door.native(
                    method.path,
                    request(method, theirs),
                    method.response,
                    token=stranger.client.token,
                )
            assert refusal.value.code() is expected(method)
    cells.hold()


async def test_over_grpc_web(door: Gateway, theirs: Mapping[str, str], stranger: Tenant) -> None:
    cells = Cells()
    for method in METHODS:
        with cells.cell(method.name):
            message = request(method, theirs)
            answer = await door.web(method.path, message, token=stranger.client.token)
            assert answer.grpc_status == expected(method).value[0]
    cells.hold()


async def test_a_foreign_id_inside_ones_own_organization(
    door: Gateway, theirs: Mapping[str, str], stranger: Tenant
) -> None:
    mixed = {**theirs, "organization_id": stranger.organization_id}
    cells = Cells()
    for method in METHODS:
        if "Member" in method.name and "user_id" in str(method.rest):
            with cells.cell(method.name):
                message = request(method, mixed)
                answer = await door.web(method.path, message, token=stranger.client.token)
                assert answer.grpc_status == grpc.StatusCode.NOT_FOUND.value[0]
    cells.hold()


def request(method: Method, ids: Mapping[str, str]) -> Message:
    """A valid request for a method, about these ids."""
    message = ParseDict(_body(method.name), method.request())
    for name in set(NAMED) & set(message.DESCRIPTOR.fields_by_name):
        setattr(message, name, ids[name])
    return message


def administers(method: Method) -> bool:
    """Whether only administrators of the platform may call it, who see every account."""
    return method.access is AccessRule.PLATFORM_PERMISSION


def expected(method: Method) -> grpc.StatusCode:
    if administers(method):
        return grpc.StatusCode.PERMISSION_DENIED
    return grpc.StatusCode.NOT_FOUND


def _body(name: str) -> dict[str, Any]:
    return dict(FILLED.get(name, {}))


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)
