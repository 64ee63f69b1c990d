"""An address is changed and taken back, and an account deleted, as people do it: over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import PASSWORD, Client, Tenant
from tests.platform.test_mails import PATIENCE, mails_to
from tests.stack import Stack

NEW_PASSWORD = "a sentence of my own"


async def mail(stack: Stack, address: str, path: str) -> Mapping[str, Any]:
    """The mail to an address whose link leads to a path, once it has arrived."""
    found: list[Mapping[str, Any]] = []

    async def arrived() -> bool:
        found[:] = [one for one in await mails_to(stack, address) if path in one["text"]]
        return bool(found)

    await eventually(arrived, within=PATIENCE)
    return found[0]


async def follow(stack: Stack, address: str, path: str) -> Mapping[str, str]:
    """The body of the call that the page behind a mail's link makes."""
    text = (await mail(stack, address, path))["text"]
    link = re.search(f"{path}[?]token=([^&\\s]+)", text)
    assert link is not None, text
    return {"token": unquote(link.group(1))}


async def test_an_address_is_changed_and_taken_back(stack: Stack, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    old, new = tenant.email, f"grace.{uuid4().hex[:12]}@example.com"
    call, stranger = tenant.client.call, Client(tenant.client.http)
    change = {"newEmail": new, "currentPassword": PASSWORD}
    assert await call("POST", "/users/me/change-email", change, expect=202) in (None, {})
    body = await follow(stack, new, "/confirm-email-change")
    for verb in ("GET", "HEAD"):  # a scanner of mails uses nothing up
        async with stranger.http.request(
            verb, "/api/v1/auth/confirm-email-change", params=body
        ) as answer:
            assert answer.status == 405
    for _ in range(2):
        user = await stranger.call("POST", "/auth/confirm-email-change", body, expect=200)
        assert (user["email"], user["emailVerified"]) == (new, True)
    assert (await call("GET", "/users/me", expect=200))["email"] == new

    notice = await mail(stack, old, "/revert-email-change")
    assert new not in notice["text"]
    back = await follow(stack, old, "/revert-email-change")
    for _ in range(2):
        await stranger.call("POST", "/auth/revert-email-change", back, expect=204)
    await call("GET", "/users/me", expect=401)
    choose = await follow(stack, old, "/reset-password")
    password = {**choose, "newPassword": NEW_PASSWORD}
    await stranger.call("POST", "/auth/reset-password", password, expect=204)
    login = {"email": old, "password": NEW_PASSWORD}
    signed_in = await stranger.call("POST", "/auth/login", login, expect=200)
    assert signed_in["user"]["id"] == user["id"]


async def test_an_account_is_deleted_by_its_owner(stack: Stack, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    call = tenant.client.call
    wrong, right = ({"currentPassword": password} for password in (NEW_PASSWORD, PASSWORD))
    refused = await call("POST", "/users/me/delete", wrong, expect=422)
    assert refused["code"] == "CURRENT_PASSWORD_WRONG"
    refused = await call("POST", "/users/me/delete", right, expect=409)
    assert refused["code"] == "USER_IS_LAST_OWNER"
    await call("DELETE", f"/organizations/{tenant.organization_id}", expect=204)
    key = str(uuid4())
    for _ in range(2):
        await call("POST", "/users/me/delete", right, expect=204, idempotency_key=key)
    await call("GET", "/users/me", expect=401)


async def test_a_verification_is_sent_again_to_whoever_asks(stack: Stack, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant()
    stranger = Client(tenant.client.http)
    for email in (tenant.email, f"{uuid4().hex}@example.com"):
        answer = await stranger.call(
            "POST", "/auth/resend-verification", {"email": email}, expect=202
        )
        assert answer in (None, {})
