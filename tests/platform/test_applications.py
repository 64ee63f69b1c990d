"""Applications over REST, as docs/oauth-applications.md has it."""

from __future__ import annotations

import pytest

from tests.core.applications.keys import ec_key
from tests.platform.conftest import Tenant


async def test_an_application_from_its_creation_to_its_end(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/applications"
    created = await client.call(
        "POST",
        here,
        {
            "name": "Reports",
            "kind": "web",
            "redirectUris": ["https://reports.example.com/callback"],
            "scopes": ["openid", "profile", "email", "projects:read"],
        },
        expect=201,
    )
    application, secret = created["application"], created["clientSecret"]
    path = f"/applications/{application['id']}"
    assert secret.startswith(application["secrets"][0]["prefix"])
    listed = await client.call("GET", here, expect=200)
    assert [one["id"] for one in listed] == [application["id"]]

    rotated = await client.call(
        "POST", f"{path}/secret/rotate", {"overlapSeconds": 3600}, expect=200
    )
    assert rotated["clientSecret"] != secret
    new, old = rotated["application"]["secrets"]
    left = await client.call("POST", f"{path}/secrets/{old['id']}/revoke", {}, expect=200)
    assert [one["id"] for one in left["secrets"]] == [new["id"]]

    key = ec_key()
    signs = {"tokenEndpointAuthMethod": "private_key_jwt", "jwks": {"keys": [key.public]}}
    changed = await client.call("PATCH", path, signs, expect=200)
    assert changed["jwks"] == {"keys": [key.public]}
    assert changed["secrets"] == []
    moved = {"jwks": None, "jwksUri": "https://reports.example.com/jwks.json"}
    changed = await client.call("PATCH", path, moved, expect=200)
    assert "jwks" not in changed or changed["jwks"] is None
    disabled = await client.call("PATCH", path, {"enabled": False}, expect=200)
    assert disabled["enabled"] is False
    await client.call("DELETE", path, expect=204)
    await client.call("GET", path, expect=404)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"jwks": {"keys": [ec_key().whole]}}, "jwks.keys[0].d"),
        ({"redirectUris": ["http://evil.example/callback"]}, "redirectUris[0]"),
        ({"redirectUris": []}, "redirectUris"),
        ({"scopes": None}, "scopes"),
        ({"firstParty": True}, "firstParty"),
        ({"kind": "machine"}, "kind"),
    ],
)
async def test_what_cannot_be_changed_is_named(
    tenant: Tenant, changes: dict[str, object], field: str
) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/applications"
    described = {
        "name": "Reports",
        "kind": "web",
        "redirectUris": ["https://reports.example.com/callback"],
        "scopes": ["openid"],
    }
    created = await client.call("POST", here, described, expect=201)
    path = f"/applications/{created['application']['id']}"
    refused = await client.call("PATCH", path, changes, expect=422)
    assert field in str(refused)
    await client.call("DELETE", path, expect=204)
