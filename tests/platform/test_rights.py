"""Rights through the front door: what a weaker hand may not do, and how everyone gets out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platform.conftest import Tenant, execute
from tests.stack import Stack

ALL_SCOPES = [
    *("organization:read", "organization:write", "organization:delete", "members:read"),
    *("members:write", "keys:read", "keys:write", "webhooks:read", "webhooks:write"),
]


async def join(stack: Stack, tenant: Tenant, guest: Tenant, role: str) -> None:
    """Makes somebody a member, or gives them another role."""
    await execute(
        stack,
        "insert into memberships"
        " (id, organization_id, user_id, role, version, created_at, updated_at)"
        " values (gen_random_uuid(), %s, %s, %s, 1, now(), now())"
        " on conflict (organization_id, user_id) do update set role = excluded.role",
        tenant.organization_id,
        guest.client.user["id"],
        role,
    )


@pytest.fixture
async def guest(new_tenant: Any) -> Tenant:
    """Somebody who belongs to another organization."""
    made: Tenant = await new_tenant()
    return made


async def test_a_member_does_not_become_an_owner_by_an_owners_key(
    stack: Stack, tenant: Tenant, guest: Tenant
) -> None:
    await join(stack, tenant, guest, "member")
    here = f"/organizations/{tenant.organization_id}"
    body = {"name": "all of it", "scopes": ALL_SCOPES}
    made = await tenant.client.call("POST", f"{here}/api-keys", body, expect=201)
    key = f"/api-keys/{made['apiKey']['id']}"
    call = guest.client.call
    for verb, path, sent in (
        ("POST", f"{key}/rotate", {}),
        ("PATCH", key, {"allowedCidrs": ["0.0.0.0/0"]}),
        ("PATCH", key, {"expiresAt": "2099-01-01T00:00:00Z"}),
        ("PATCH", key, {"limits": {"perMinute": 1000000}}),
    ):
        error = await call(verb, path, sent, expect=403)
        assert error["code"] == "PERMISSIONS_EXCEEDED"
    assert (await call("POST", f"{key}/revoke", {}, expect=200))["status"] == "revoked"


async def test_a_viewer_leaves(stack: Stack, tenant: Tenant, guest: Tenant) -> None:
    here, user_id = f"/organizations/{tenant.organization_id}", guest.client.user["id"]
    call = guest.client.call
    await join(stack, tenant, guest, "viewer")
    await call("DELETE", f"{here}/members/{tenant.client.user['id']}", expect=403)
    await call("POST", f"{here}/leave", {}, expect=204)
    await call("GET", here, expect=404)
    await join(stack, tenant, guest, "viewer")
    assert await call("DELETE", f"{here}/members/{user_id}", expect=200) == {
        "apiKeyIds": [],
        "hasMoreApiKeys": False,
        "applicationIds": [],
    }
    await call("GET", here, expect=404)


async def test_who_removes_somebody_is_given_their_keys(
    stack: Stack, tenant: Tenant, guest: Tenant
) -> None:
    here, user_id = f"/organizations/{tenant.organization_id}", guest.client.user["id"]
    await join(stack, tenant, guest, "member")
    body = {"name": "theirs", "scopes": ["keys:read"]}
    made = await guest.client.call("POST", f"{here}/api-keys", body, expect=201)
    listed = await tenant.client.call("GET", f"{here}/api-keys?createdBy={user_id}", expect=200)
    removed = await tenant.client.call("DELETE", f"{here}/members/{user_id}", expect=200)
    assert removed["apiKeyIds"] == [key["id"] for key in listed] == [made["apiKey"]["id"]]
