"""The public keys of webhooks, as receivers fetch them from the platform."""

from __future__ import annotations

import base64

from joserfc.jwk import KeySet

from tests.platform.conftest import Tenant


async def test_anybody_can_fetch_and_keep_the_keys_of_an_organization(tenant: Tenant) -> None:
    path = f"/organizations/{tenant.organization_id}/webhooks"
    body = {
        "url": "http://127.0.0.1:9/hook",
        "eventTypes": ["key.created"],
        "signing": "v1a",
        "retrySchedule": "custom",
        "retryPausesSeconds": [5, 60],
        "timeoutSeconds": 20,
        "headers": [{"name": "Authorization", "value": "Bearer s3cret"}],
    }
    made = (await tenant.client.call("POST", path, body, expect=201))["webhook"]
    assert (made["retryPausesSeconds"], made["timeoutSeconds"]) == ([5, 60], 20)
    assert (made["headerNames"], made["signing"]) == (["Authorization"], "v1a")
    cleared = await tenant.client.call(
        "PATCH", f"/webhooks/{made['id']}", {"headers": []}, expect=200
    )
    assert cleared["headerNames"] == []
    keys = f"/.well-known/webhook-keys/{tenant.organization_id}"
    async with tenant.client.http.get(keys) as answer:
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=300"
        published = await answer.json()
    (key,) = KeySet.import_key_set(published).keys
    assert key.kid is not None
    assert key.kid.startswith(f"{made['id']}.")
    raw = base64.b64decode(made["publicKey"].removeprefix("whpk_"))
    assert base64.urlsafe_b64decode(f"{key.as_dict()['x']}=") == raw
    async with tenant.client.http.get(f"/.well-known/webhook-keys/{made['id']}") as answer:
        assert (answer.status, await answer.json()) == (200, {"keys": []})
    async with tenant.client.http.get("/.well-known/webhook-keys/nobody") as answer:
        assert answer.status == 422
        assert answer.headers["cache-control"] == "no-store"
    async with tenant.client.http.post(keys, json={}) as answer:
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
