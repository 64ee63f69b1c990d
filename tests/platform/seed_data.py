"""Callers with something of everything, so that requests made up by a machine find what they name.

Limits are counted by caller and by address, and what is deleted is gone: there
are several callers, and spare things beside those that have to stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import aiohttp

from portico_kit.testing.waiting import eventually
from tests.platform.conftest import PASSWORD, Client, Tenant, execute, verify
from tests.stack import Stack

SPARES = 2
WEBHOOK_URL = "http://127.0.0.1:9/hook"
APPLICATION = {"name": "a program", "kind": "machine", "scopes": ["organization:read"]}
WEBHOOK = {"url": WEBHOOK_URL, "eventTypes": ["*"]}
FILTER = {"data": {"status": {"$in": ["active", "revoked"]}}}
MAIL_SECONDS = 30.0
LATER = "2099-01-01T00:00:00Z"
# What a key may do: all but ending its organization.
_SCOPES = [
    *("organization:read", "organization:write", "members:read", "members:write"),
    *("keys:read", "keys:write", "webhooks:read", "webhooks:write"),
    *("projects:read", "projects:write", "events:read"),
    *("applications:read", "applications:write"),
]


@dataclass
class SeededCaller:
    """A caller and what it can name.

    Attributes:
        token: an access token.
        api_key: the secret of a key of its organization.
        administrator: whether it administers the platform.
        ids: the resources that have to stay, by the name of the path variable.
        spares: resources that may be used up, by the same names.
        given: values that paths and bodies can hold, by operation and property; only the last
            is used more than once.
        kept: ids that nobody may change, for the caller would lose its credentials.
        spare_tokens: access tokens of sessions that may end.
        leaving_tokens: access tokens of people whose accounts may be deleted.
        mailed: addresses of accounts whose password was not chosen yet.
        unwilling: addresses that are invited and may decline.
        orphans: organizations without an owner.
    """

    token: str
    administrator: bool
    api_key: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    spares: dict[str, list[str]] = field(default_factory=dict)
    given: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    spare_tokens: list[str] = field(default_factory=list)
    leaving_tokens: list[str] = field(default_factory=list)
    mailed: list[str] = field(default_factory=list)
    unwilling: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)


async def seed(
    stack: Stack, tenants: list[Tenant], administrators: list[Tenant]
) -> list[SeededCaller]:
    """Gives every tenant something of everything, and waits for the mails about it."""
    for each in administrators:
        await execute(
            stack, "update users set role = 'administrator' where id = %s", each.client.user["id"]
        )
    seeded = []
    for place, tenant in enumerate(tenants):
        neighbour = tenants[place - 1]
        chief = administrators[place % len(administrators)]
        caller = SeededCaller(tenant.client.token, tenant in administrators)
        await _own(stack, tenant, neighbour, caller)
        await _sign_in_again(tenant, caller)
        await _people(stack, tenant, chief, caller)
        seeded.append(caller)
    await _ways_in(stack, tenants, administrators[0], seeded)
    await _read_mails(stack, tenants, seeded)
    await _leave_and_move(stack, tenants, seeded)
    for caller in seeded:
        # Only what was given up can be sent again, and that takes twenty minutes.
        await execute(
            stack,
            "update deliveries set status = 'failed', next_attempt_at = null where id = %s",
            caller.ids["deliveryId"],
        )
    return seeded


async def _own(stack: Stack, tenant: Tenant, neighbour: Tenant, caller: SeededCaller) -> None:
    """Keys, webhooks, deliveries, invitations and organizations."""
    call, here = tenant.client.call, f"/organizations/{tenant.organization_id}"
    key = {"name": "a key", "scopes": _SCOPES}
    credential = await call("POST", f"{here}/api-keys", key, expect=201)
    caller.api_key = credential["secret"]
    caller.kept += [credential["apiKey"]["id"], tenant.client.user["id"]]
    caller.ids["organizationId"] = tenant.organization_id
    for _ in range(1 + SPARES):
        made = await call("POST", f"{here}/api-keys", key, expect=201)
        _add(caller, "apiKeyId", made["apiKey"]["id"])
        made = await call("POST", f"{here}/webhooks", WEBHOOK, expect=201)
        _add(caller, "webhookId", made["webhook"]["id"])
        made = await call("POST", f"{here}/projects", {"name": "a project"}, expect=201)
        _add(caller, "projectId", made["id"])
        made = await call("POST", f"{here}/applications", APPLICATION, expect=201)
        _add(caller, "applicationId", made["application"]["id"])
        someone = {"email": f"{uuid4().hex}@example.com", "role": "viewer"}
        made = await call("POST", f"{here}/invitations", someone, expect=201)
        _add(caller, "invitationId", made["id"])
    sent = await call("POST", f"/webhooks/{caller.ids['webhookId']}/test", {}, expect=202)
    caller.ids["deliveryId"] = sent["id"]
    past = {"status": "failed"}
    path = f"/webhooks/{caller.ids['webhookId']}/replays"
    caller.ids["replayId"] = (await call("POST", path, past, expect=202))["id"]
    invited = {"email": neighbour.email, "role": "viewer"}
    await call("POST", f"{here}/invitations", invited, expect=201)
    unwilling = {"email": f"{uuid4().hex}@example.com", "role": "viewer"}
    await call("POST", f"{here}/invitations", unwilling, expect=201)
    caller.unwilling.append(unwilling["email"])
    await call("PATCH", here, {"allowKeyImport": True}, expect=200)
    await _more_organizations(stack, tenant, neighbour, caller)


async def _more_organizations(
    stack: Stack, tenant: Tenant, neighbour: Tenant, caller: SeededCaller
) -> None:
    """Some that may be left or deleted, for they have another owner; one that has none."""
    call = tenant.client.call
    for _ in range(3 * SPARES):
        made = await call("POST", "/organizations", {"name": "Spare"}, expect=201)
        await _join(stack, made["id"], neighbour.client.user["id"], "owner")
        _add(caller, "organizationId", made["id"])
    if caller.administrator:
        orphan = await call("POST", "/organizations", {"name": "Orphan"}, expect=201)
        await execute(stack, "delete from memberships where organization_id = %s", orphan["id"])
        caller.orphans.append(orphan["id"])


async def _join(stack: Stack, organization_id: str, user_id: str, role: str) -> None:
    await execute(
        stack,
        "insert into memberships"
        " (id, organization_id, user_id, role, version, created_at, updated_at)"
        " values (gen_random_uuid(), %s, %s, %s, 1, now(), now())",
        organization_id,
        user_id,
        role,
    )


async def _sign_in_again(tenant: Tenant, caller: SeededCaller) -> None:
    """Sessions that may end."""
    login = {"email": tenant.email, "password": PASSWORD}
    refresh_tokens = []
    for _ in range(SPARES):
        signed_in = await tenant.client.call("POST", "/auth/login", login, expect=200)
        caller.spare_tokens.append(signed_in["accessToken"])
        refresh_tokens.append(signed_in["refreshToken"])
    for session in await tenant.client.call("GET", "/auth/sessions", expect=200):
        if session["current"]:
            caller.kept.append(session["id"])
        else:
            _add(caller, "sessionId", session["id"])
    # The last one is refreshed, so it must not be among those that are ended.
    del caller.spares["sessionId"][1:]
    caller.given = {
        "register": {
            "email": [f"{uuid4().hex}@example.com" for _ in range(SPARES)],
            "password": [PASSWORD],
        },
        "login": {"email": [tenant.email], "password": [PASSWORD]},
        "refreshToken": {"refreshToken": refresh_tokens},
        "changePassword": {"currentPassword": [PASSWORD]},
        "deleteMe": {"currentPassword": [PASSWORD]},
        "requestEmailChange": {"currentPassword": [PASSWORD]},
        "switchOrganization": {"organizationId": [tenant.organization_id]},
        "createApiKey": {"expiresAt": [LATER]},
        "createApplication": {"kind": ["machine"], "scopes": [["organization:read"]]},
        "updateApplication": {"scopes": [["organization:read"]]},
        "updateRegistrationPolicy": {"scopes": [["organization:read"]]},
        "importApiKeys": {"organizationId": [tenant.organization_id]},
        "saveEventCursor": {"position": ["0"], "name": ["walk"]},
        "updateApiKey": {"expiresAt": [LATER]},
        "updateOrganization": {"allowKeyImport": [True]},
        "createWebhook": {"url": [WEBHOOK_URL], "filter": [FILTER]},
        "updateWebhook": {"url": [WEBHOOK_URL], "filter": [FILTER]},
        "testWebhook": {"eventType": ["key.revoked"]},
        "createReplay": {"status": ["failed"], "eventTypes": [["key.created"]], "until": [LATER]},
        "previewFilter": {"filter": [FILTER]},
        "getEventType": {"name": ["key.revoked"]},
        "transferProject": {"targetOrganizationId": caller.spares["organizationId"][-1:]},
    }


async def _people(stack: Stack, tenant: Tenant, chief: Tenant, caller: SeededCaller) -> None:
    """Members of the organization, with accounts that an administrator made."""
    for _ in range(1 + SPARES):
        person = {"email": f"{uuid4().hex}@example.com", "displayName": "Grace"}
        made = await chief.client.call("POST", "/users", person, expect=201)
        _add(caller, "userId", made["id"])
        await _join(stack, tenant.organization_id, made["id"], "viewer")
        caller.mailed.append(person["email"])
    caller.given["appointOwner"] = {
        "organizationId": caller.orphans,
        "userId": [caller.ids["userId"]],
    }


async def _ways_in(
    stack: Stack, tenants: list[Tenant], chief: Tenant, callers: list[SeededCaller]
) -> None:
    """Connections with a provider that need not be asked to be made, and second factors."""
    shared = await _connections(chief, "/platform-connections")
    for tenant, caller in zip(tenants, callers, strict=True):
        own = await _connections(tenant, f"/organizations/{tenant.organization_id}/connections")
        for operation in ("getConnection", "updateConnection"):
            caller.given[operation] = {"connectionId": own[:1]}
        caller.given["deleteConnection"] = {"connectionId": own[1:]}
        for operation in ("getPlatformConnection", "updatePlatformConnection", "beginLink"):
            caller.given[operation] = {"connectionId": shared[:1]}
        caller.given["deletePlatformConnection"] = {"connectionId": shared[1:]}
        for _ in range(1 + SPARES):
            _add(caller, "factorId", await _factor(stack, tenant.client.user["id"]))


async def _connections(tenant: Tenant, path: str) -> list[str]:
    body = {"name": "Example", "preset": "github", "clientId": "us", "clientSecret": "a secret"}
    made = [await tenant.client.call("POST", path, body, expect=201) for _ in range(1 + SPARES)]
    return [each["id"] for each in made]


async def _factor(stack: Stack, user_id: str) -> str:
    """A factor that nobody is asked for."""
    factor_id = str(uuid4())
    await execute(
        stack,
        "insert into factors (id, user_id, kind, name, created_at)"
        " values (%s, %s, 'email', 'a factor', now())",
        factor_id,
        user_id,
    )
    return factor_id


async def _read_mails(stack: Stack, tenants: list[Tenant], callers: list[SeededCaller]) -> None:
    """Hands out the tokens that came by mail."""
    for tenant, caller in zip(tenants, callers, strict=True):
        wanted = {
            "resetPassword": ("/reset-password", caller.mailed),
            "acceptInvitation": ("/invitations/accept", [tenant.email]),
            "declineInvitation": ("/invitations/accept", caller.unwilling),
            "verifyEmail": ("/verify-email", [tenant.email]),
        }
        for operation, (path, addresses) in wanted.items():
            tokens = [await _mailed(stack, address, path) for address in addresses]
            caller.given[operation] = {"token": tokens, "newPassword": [PASSWORD]}


async def _leave_and_move(stack: Stack, tenants: list[Tenant], callers: list[SeededCaller]) -> None:
    """People whose accounts may be deleted, or get other addresses; both links work repeatedly."""
    people = [await _new_person(stack, tenant) for tenant in tenants[: 2 + SPARES]]
    mover, returner, *leavers = people
    for caller, leaver in zip(callers, leavers, strict=False):
        caller.leaving_tokens.append(leaver.token)
    confirm = await _moving(stack, mover)
    done = await _moving(stack, returner)
    await returner.call("POST", "/auth/confirm-email-change", {"token": done}, expect=200)
    revert = await _mailed(stack, returner.user["email"], "/revert-email-change")
    for caller in callers:
        caller.given["confirmEmailChange"] = {"token": [confirm]}
        caller.given["revertEmailChange"] = {"token": [revert]}


async def _new_person(stack: Stack, tenant: Tenant) -> Client:
    """Somebody without an organization, who is signed in, from the address of a tenant."""
    client = Client(tenant.client.http)
    login = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
    person = {**login, "displayName": "Grace", "acceptedTerms": True}
    client.user = await client.call("POST", "/auth/register", person, expect=201)
    await verify(stack, client.user["id"])
    client.token = (await client.call("POST", "/auth/login", login, expect=200))["accessToken"]
    return client


async def _moving(stack: Stack, client: Client) -> str:
    """Asks for another address, and gives the token that confirms it."""
    address = f"{uuid4().hex}@example.com"
    change = {"newEmail": address, "currentPassword": PASSWORD}
    await client.call("POST", "/users/me/change-email", change, expect=202)
    return await _mailed(stack, address, "/confirm-email-change")


async def _mailed(stack: Stack, address: str, path: str) -> str:
    """The token in the mail whose link leads to a path, once it is there."""
    tokens: list[str] = []
    async with aiohttp.ClientSession(stack.mailbox_url) as mailbox:

        async def arrived() -> bool:
            async with mailbox.get("/messages") as answer:
                mails = (await answer.json())["messages"]
            links = [re.search(f"{path}[?]token=([^&\\s]+)", mail["text"]) for mail in mails]
            tokens[:] = [
                unquote(link.group(1))
                for link, mail in zip(links, mails, strict=True)
                if link and address in mail["to"]
            ]
            return bool(tokens)

        await eventually(arrived, within=MAIL_SECONDS, every=0.2)
    return tokens[0]


def _add(caller: SeededCaller, name: str, value: str) -> None:
    """The first of a kind has to stay."""
    if name in caller.ids:
        caller.spares.setdefault(name, []).append(value)
    else:
        caller.ids[name] = value
