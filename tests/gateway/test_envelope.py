"""The shape of success: data, meta, statuses and headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.keys.v1.api_key_pb2 import ApiKey, ApiKeyLimits
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from portico.webhooks.v1.webhook_pb2 import EventType

from tests.gateway.backends import Backends, Context
from tests.gateway.gateway import Gateway

ME = "/api/v1/users/me"
USER = "/api/v1/users/0195d1a0-0000-7000-8000-000000000001"
KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"
USERS_SERVICE = "/portico.users.v1.UserService"
KEYS_SERVICE = "/portico.keys.v1.ApiKeyService"

RATE_LIMIT = {"limit": 60, "remaining": 59, "resetAt": "2027-01-15T08:00:00Z"}


async def test_a_single_thing_is_data(gateway: Gateway, backends: Backends, token: str) -> None:
    backends.script(f"{USERS_SERVICE}/GetMe", users.GetMeResponse(user=User(id="1")))
    answer = await gateway.get(ME, token=token)
    body = answer.json
    assert body["success"] is True
    assert body["data"]["id"] == "1"
    assert body["meta"] == {"rateLimit": RATE_LIMIT, "requestId": answer.headers["x-request-id"]}
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize(
    "name",
    [
        'quotes " and \\ backslash',
        "line\nbreak\ttab\x01",
        "emoji 😀 é <script>",
        '"nextCursor":"x"',
    ],
)
async def test_every_text_arrives_as_it_was(
    gateway: Gateway, backends: Backends, token: str, name: str
) -> None:
    user = User(id="1", display_name=name)
    page = users.ListUsersResponse(users=[user, user], next_cursor="abc", has_more=True)
    backends.script(f"{USERS_SERVICE}/ListUsers", page)
    body = (await gateway.get("/api/v1/users", token=token)).json
    assert [item["displayName"] for item in body["data"]] == [name, name]
    assert body["meta"]["pagination"] == {"nextCursor": "abc", "hasMore": True}


async def test_the_last_page_has_no_cursor(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.script(f"{KEYS_SERVICE}/ListApiKeys", keys.ListApiKeysResponse())
    body = (await gateway.get(KEYS, token=token)).json
    assert body["data"] == []
    assert body["meta"]["pagination"] == {"nextCursor": None, "hasMore": False}


async def test_a_list_without_pages_is_data(gateway: Gateway, backends: Backends) -> None:
    answer = webhooks.ListEventTypesResponse(event_types=[EventType(name="key.revoked")])
    backends.script("/portico.webhooks.v1.WebhookService/ListEventTypes", answer)
    body = (await gateway.get("/api/v1/event-types")).json
    unset = dict.fromkeys(("description", "permission", "platformPermission"), "")
    assert body["data"] == [{"name": "key.revoked", **unset, "version": 0}]
    assert "pagination" not in body["meta"]


async def test_only_what_is_set_is_shown(gateway: Gateway, backends: Backends, token: str) -> None:
    key = ApiKey(id="1", limits=ApiKeyLimits(per_minute=5))
    backends.script(f"{KEYS_SERVICE}/CreateApiKey", keys.CreateApiKeyResponse(api_key=key))
    data = (await gateway.call("POST", KEYS, token=token, json={})).json["data"]
    assert data["secret"] == ""
    assert data["apiKey"]["limits"] == {"perMinute": 5}
    assert data["apiKey"]["scopes"] == []
    assert "expiresAt" not in data["apiKey"]


async def test_creation_answers_201_with_its_location(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    async def create(_request: Any, context: Context) -> users.CreateUserResponse:
        await context.send_initial_metadata((("location", USER), ("etag", '"1"')))
        return users.CreateUserResponse(user=User(id="1"))

    backends.script(f"{USERS_SERVICE}/CreateUser", create)
    answer = await gateway.call("POST", "/api/v1/users", token=token, json={"email": "a@b.c"})
    assert answer.status == 201
    assert answer.headers["location"] == USER
    assert answer.headers["etag"] == '"1"'
    assert answer.json["data"]["id"] == "1"


async def test_deletion_answers_204_without_a_body(gateway: Gateway, token: str) -> None:
    answer = await gateway.call("DELETE", USER, token=token)
    assert answer.status == 204
    assert answer.body == b""
    assert "content-type" not in answer.headers


async def test_the_core_can_choose_the_status(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    async def unchanged(_request: Any, context: Context) -> users.GetUserResponse:
        await context.send_initial_metadata((("x-http-code", "304"), ("etag", '"1"')))
        return users.GetUserResponse(user=User(id="1"))

    backends.script(f"{USERS_SERVICE}/GetUser", unchanged)
    answer = await gateway.get(USER, token=token)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == '"1"'
    assert "x-http-code" not in answer.headers


async def test_without_envelope_the_answer_goes_out_as_it_is(gateway: Gateway) -> None:
    # The address without the slash is answered by the process of the pages.
    answer = await gateway.get("/.well-known/jwks.json/")
    assert [key["kid"] for key in answer.json["keys"]] == ["main"]
    assert set(answer.json) == {"keys"}


async def test_unlimited_methods_show_no_rate_limit(gateway: Gateway, backends: Backends) -> None:
    answer = await gateway.get("/api/v1/health")
    assert set(answer.json["meta"]) == {"requestId"}
    assert backends.charges == []


async def test_grpc_headers_stay_inside(gateway: Gateway, token: str) -> None:
    answer = await gateway.get(ME, token=token)
    assert not [name for name in answer.headers if name.lower().startswith(("grpc-", "x-envoy"))]


async def test_a_path_variable_cannot_be_overruled_by_the_query(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    answer = await gateway.get(f"{USER}?userId=2&user_id=3", token=token)
    assert answer.status == 422
    assert [detail["field"] for detail in answer.error["details"]] == ["userId", "user_id"]
    assert backends.calls == []


async def test_a_path_variable_cannot_be_overruled_by_the_body(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    await gateway.call("PATCH", USER, token=token, json={"userId": "2", "displayName": "Ann"})
    for call in backends.calls:
        assert call.request.user_id == USER.rpartition("/")[2]


async def test_the_openapi_document_is_for_everybody(gateway: Gateway) -> None:
    answer = await gateway.get("/api/v1/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert json.loads(answer.body) == json.loads(gateway.settings.openapi_file.read_text())
