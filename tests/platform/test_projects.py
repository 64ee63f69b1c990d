"""Projects over REST, through the front door."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.platform.conftest import Client, Tenant


async def exchange(
    client: Client, verb: str, path: str, json: Any = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of one request below /api/v1."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent["authorization"] = f"Bearer {client.token}"
    async with client.http.request(verb, f"/api/v1{path}", json=json, headers=sent) as answer:
        body = await answer.json() if answer.status not in (204, 304) else {}
        found = {name.lower(): value for name, value in answer.headers.items()}
        return answer.status, found, body


async def test_a_project_from_its_creation_to_its_end(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    described = {"name": "Website", "description": "Our front door"}
    status, headers, body = await exchange(client, "POST", here, described)
    path = f"/projects/{body['data']['id']}"
    assert (status, headers["location"]) == (201, f"/api/v1{path}")
    archived = await client.call("POST", f"{path}/archive", {}, expect=200)
    assert archived["status"] == "archived"
    refused = await client.call("PATCH", path, {"name": "Shop"}, expect=409)
    assert refused["code"] == "PROJECT_ARCHIVED"
    restored = await client.call("POST", f"{path}/restore", {}, expect=200)
    assert (restored["status"], "archivedAt" in restored) == ("active", False)
    await client.call("DELETE", path, expect=204)
    await client.call("GET", path, expect=404)
    deleted = await client.call("GET", f"{here}?status=deleted", expect=200)
    assert [one["id"] for one in deleted] == [body["data"]["id"]]
    await client.call("POST", f"{path}/restore", {}, expect=200)
    await client.call("GET", path, expect=200)


async def test_two_who_change_one_version_do_not_overwrite_each_other(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    made = await client.call("POST", here, {"name": "Website"}, expect=201)
    path = f"/projects/{made['id']}"
    _, headers, _ = await exchange(client, "GET", path)
    tag = headers["etag"]
    status, unchanged, _ = await exchange(client, "GET", path, if_none_match=tag)
    assert (status, unchanged["etag"]) == (304, tag)
    status, changed, _ = await exchange(client, "PATCH", path, {"name": "First"}, if_match=tag)
    assert (status, changed["etag"] == tag) == (200, False)
    status, _, body = await exchange(client, "PATCH", path, {"name": "Second"}, if_match=tag)
    assert (status, body["error"]["code"]) == (412, "ETAG_MISMATCH")
    status, _, _ = await exchange(client, "DELETE", path, if_match=tag)
    assert status == 412


async def test_null_clears_a_description_and_no_name(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    described = {"name": "Website", "description": "Our front door"}
    made = await client.call("POST", here, described, expect=201)
    path = f"/projects/{made['id']}"
    cleared = await client.call("PATCH", path, {"description": None}, expect=200)
    assert cleared["description"] == ""
    refused = await client.call("PATCH", path, {"name": None}, expect=422)
    assert refused["details"][0]["code"] == "NOT_CLEARABLE"


async def test_a_list_is_searched_sorted_and_paged(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    word = uuid4().hex[:8]
    for name in ("b", "a", "c"):
        await client.call("POST", here, {"name": f"{word} {name}"}, expect=201)
    asked = f"{here}?search={word.upper()}&sortBy=name&sortOrder=asc&limit=2"
    _, _, first = await exchange(client, "GET", asked)
    assert [one["name"] for one in first["data"]] == [f"{word} a", f"{word} b"]
    page = first["meta"]["pagination"]
    assert page["hasMore"] is True
    _, _, second = await exchange(client, "GET", f"{asked}&cursor={page['nextCursor']}")
    assert [one["name"] for one in second["data"]] == [f"{word} c"]
    assert second["meta"]["pagination"]["hasMore"] is False
    otherwise = asked.replace("asc", "desc")
    status, _, _ = await exchange(client, "GET", f"{otherwise}&cursor={page['nextCursor']}")
    assert status == 422


async def test_a_repeated_creation_makes_one_project(tenant: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    key = uuid4().hex
    made = [
        await exchange(client, "POST", here, {"name": "Once"}, idempotency_key=key)
        for _ in range(2)
    ]
    assert [status for status, _, _ in made] == [201, 201]
    assert len({body["data"]["id"] for _, _, body in made}) == 1


async def test_a_transfer_takes_an_owner_of_both(tenant: Tenant, stranger: Tenant) -> None:
    client, here = tenant.client, f"/organizations/{tenant.organization_id}/projects"
    made = await client.call("POST", here, {"name": "Website"}, expect=201)
    path = f"/projects/{made['id']}/transfer"
    foreign = {"targetOrganizationId": stranger.organization_id}
    await client.call("POST", path, foreign, expect=404)
    other = await client.call("POST", "/organizations", {"name": "Second"}, expect=201)
    own = {"targetOrganizationId": other["id"]}
    moved = await client.call("POST", path, own, expect=200)
    assert moved["organizationId"] == other["id"]


async def test_a_program_that_is_bound_to_a_project_sees_no_other(tenant: Tenant) -> None:
    client, home = tenant.client, f"/organizations/{tenant.organization_id}"
    own, other = [
        await client.call("POST", f"{home}/projects", {"name": name}, expect=201)
        for name in ("own", "other")
    ]
    key = {"name": "a key", "scopes": ["projects:read"], "projectIds": [own["id"]]}
    made = await client.call("POST", f"{home}/api-keys", key, expect=201)
    assert made["apiKey"]["projectIds"] == [own["id"]]
    program = Client(client.http)

    async def get(path: str, expect: int) -> Any:
        return await program.call("GET", path, expect=expect, x_api_key=made["secret"])

    assert [one["id"] for one in await get(f"{home}/projects", 200)] == [own["id"]]
    await get(f"/projects/{own['id']}", 200)
    await get(f"/projects/{other['id']}", 404)
    await client.call(
        "PATCH", f"/api-keys/{made['apiKey']['id']}", {"projectIds": [other["id"]]}, expect=200
    )
    await get(f"/projects/{own['id']}", 404)
    await get(f"/projects/{other['id']}", 200)
    nothing: tuple[Any, ...] = ([], None)
    for empty in nothing:
        body = {"projectIds": empty}
        await client.call("PATCH", f"/api-keys/{made['apiKey']['id']}", body, expect=422)
