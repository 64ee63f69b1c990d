"""Filters and the event catalogue over REST: as a customer writes and reads them."""

from __future__ import annotations

from typing import Any

import pytest

from portico_contract import event_document
from tests.platform.conftest import Tenant

PATTERN: dict[str, Any] = {
    "type": {"$startsWith": "key."},
    "data": {
        "status": {"$in": ["active", "revoked"]},
        "expiresAt": None,
        "limits": {"perMinute": {"$gte": 1.5, "$lt": 4_000_000_000}},
        "$or": [{"name": "a_b"}, {"createdBy": {"$exists": True}}],
    },
}


async def test_a_filter_comes_back_as_it_was_written_and_null_takes_it_away(tenant: Tenant) -> None:
    call, here = tenant.client.call, f"/organizations/{tenant.organization_id}/webhooks"
    wanted = {"url": "http://127.0.0.1:9/hook", "eventTypes": ["*"], "filter": PATTERN}
    made = await call("POST", here, wanted, expect=201)
    path = f"/webhooks/{made['webhook']['id']}"
    assert made["webhook"]["filter"] == PATTERN
    other = {"data": {"name": {"$not": "x"}}}
    assert (await call("PATCH", path, {"filter": other}, expect=200))["filter"] == other
    assert "filter" not in await call("PATCH", path, {"filter": None}, expect=200)
    await call("DELETE", path, expect=204)


@pytest.mark.parametrize(
    ("pattern", "fields"),
    [
        ({"data": {"status": {"$regex": ".*"}}}, ["filter.data.status.$regex"]),
        ({"data": {"scopes": ["a"]}, "$or": [{}]}, ["filter.$or[0]", "filter.data.scopes"]),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}, ["filter"]),
    ],
    ids=["operator", "two", "deep"],
)
async def test_a_mistake_is_422_with_its_place(
    tenant: Tenant, pattern: dict[str, Any], fields: list[str]
) -> None:
    path = f"/organizations/{tenant.organization_id}/webhooks/preview-filter"
    refused = await tenant.client.call("POST", path, {"filter": pattern}, expect=422)
    assert sorted(one["field"] for one in refused["details"]) == fields


async def test_a_preview_and_an_event_type_are_what_the_documentation_says(tenant: Tenant) -> None:
    call, here = tenant.client.call, f"/organizations/{tenant.organization_id}"
    await call("POST", f"{here}/api-keys", {"name": "a", "scopes": ["keys:read"]}, expect=201)
    body = {"eventTypes": ["key.created"], "filter": PATTERN}
    preview = await call("POST", f"{here}/webhooks/preview-filter", body, expect=200)
    newest = preview["events"][0]
    assert (newest["eventType"], newest["sent"]) == ("key.created", False)
    assert newest["mismatch"] == "filter.data.limits.perMinute.$gte"
    shown = await call("GET", "/event-types/key.created", expect=200)
    document = event_document("key.created")
    assert (shown["schema"], shown["example"]) == (document.schema, document.example)
    assert (await call("GET", "/event-types/key.melted", expect=404))["code"] == (
        "EVENT_TYPE_NOT_FOUND"
    )
