"""Applications register themselves (RFC 7591) and keep their registration (RFC 7592)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc import aio
from portico.applications.v1 import application_service_pb2 as applications
from portico.applications.v1 import registration_service_pb2 as pb
from portico.applications.v1.application_service_pb2_grpc import ApplicationServiceStub
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.oauth.cleanup import delete_registrations
from tests.core.conftest import Refused
from tests.core.oauth.conftest import claims, list_grants
from tests.core.oauth.registering import INTERNAL, LOOPBACK, POLICY, Registry, open_registry
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World, refusal

BAD, UNKNOWN = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED
METADATA, TOKEN = "OAUTH_INVALID_CLIENT_METADATA", "OAUTH_INVALID_REGISTRATION_TOKEN"
REDIRECT = "OAUTH_INVALID_REDIRECT_URI"
WEB = "https://app.example.com/callback"


@pytest.fixture(scope="module")
async def open_core(world: World, database_url: str, valkey_url: str) -> AsyncIterator[Registry]:
    async with open_registry(world, database_url, valkey_url) as registry:
        yield registry


@pytest.fixture
async def registry(open_core: Registry) -> Registry:
    """It takes everybody."""
    await open_core.allow()
    return open_core


# Who may register


async def test_nobody_registers_where_nothing_was_said(
    world: World, refused: Refused, organization_id: str, owner: Person
) -> None:
    closed = Registry(world, owner, organization_id)
    await refused(closed.register(), UNKNOWN, TOKEN)
    await refused(closed.register(await closed.initial_token()), UNKNOWN, TOKEN)


async def test_with_the_initial_token_it_registers_in_that_organization(
    world: World, refused: Refused, organization_id: str, owner: Person
) -> None:
    own = Registry(world, owner, organization_id)
    await own.allow("token")
    await refused(own.register(), UNKNOWN, TOKEN)
    await refused(own.register("made up"), UNKNOWN, TOKEN)
    first = await own.initial_token()
    made = await own.register(first)
    assert [(each.id, each.origin) for each in await own.listed()] == [
        (made.client_id, "registered")
    ]
    second = await own.initial_token()
    await refused(own.register(first), UNKNOWN, TOKEN)
    await own.register(second)
    await own.allow("off")
    await refused(own.register(second), UNKNOWN, TOKEN)


async def test_an_open_registration_belongs_to_the_organization_that_the_platform_names(
    registry: Registry, refused: Refused
) -> None:
    made = await registry.register()
    assert made.client_id in {each.id for each in await registry.listed()}
    await registry.allow("token")
    await refused(registry.register(), UNKNOWN, TOKEN)


async def test_only_so_many_are_taken_however_many_come_at_once(
    world: World, organization_id: str, owner: Person
) -> None:
    own = Registry(world, owner, organization_id)
    await own.allow("token", max_applications=3)
    token = await own.initial_token()
    outcomes = await asyncio.gather(
        *(own.register(token) for _ in range(8)), return_exceptions=True
    )
    refusals = [each for each in outcomes if isinstance(each, aio.AioRpcError)]
    assert len(await own.listed()) == 3
    assert {refusal(each).reason for each in refusals} == {"OAUTH_TOO_MANY_REGISTRATIONS"}
    # They take no place of those that somebody creates.
    created = applications.CreateApplicationRequest(
        organization_id=organization_id, name="ours", kind="machine", scopes=["projects:read"]
    )
    await ApplicationServiceStub(world.channel).CreateApplication(created, metadata=owner.metadata)


async def test_nobody_lets_applications_have_what_they_have_not_themselves(
    world: World, refused: Refused, organization_id: str, owner: Person
) -> None:
    key = await world.new_key(organization_id, owner, "applications:write")
    request = pb.UpdateRegistrationPolicyRequest(
        organization_id=organization_id, registration="token", scopes=["projects:read"]
    )
    call = Registry(world, owner, organization_id).policies.UpdateRegistrationPolicy(
        request, metadata=await world.key_metadata(key.secret)
    )
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")


# What is registered (RFC 7591, sections 2 and 3.2.1)


async def test_all_that_counts_is_in_the_answer(registry: Registry) -> None:
    made = await registry.register(unknown_member={"a": [1]}, software_statement=None)
    shown = made.information
    assert shown.pop("client_id")
    assert shown.pop("client_id_issued_at") > 1_700_000_000
    assert shown == {
        "client_name": "A client",
        "application_type": "native",
        "redirect_uris": [LOOPBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": " ".join(sorted(POLICY)),
        "id_token_signed_response_alg": "RS256",
        "dpop_bound_access_tokens": False,
        "require_pushed_authorization_requests": False,
        "backchannel_logout_session_required": False,
    }


async def test_what_is_not_named_has_the_defaults_of_the_standard(registry: Registry) -> None:
    made = await registry.register(
        redirect_uris=[WEB], grant_types=None, response_types=None, token_endpoint_auth_method=None
    )
    shown = made.information
    assert shown["token_endpoint_auth_method"] == "client_secret_basic"
    assert (shown["grant_types"], shown["response_types"]) == (["authorization_code"], ["code"])
    # Section 3.2.1: required beside a secret; 0 is that it does not expire.
    assert (bool(shown["client_secret"]), shown["client_secret_expires_at"]) == (True, 0)
    assert "offline_access" not in shown["scope"].split()


async def test_two_that_say_the_same_are_two(registry: Registry) -> None:
    one, other = await asyncio.gather(registry.register(), registry.register())
    assert one.client_id != other.client_id
    assert one.token != other.token


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (REDIRECT, {"redirect_uris": None}),
        (REDIRECT, {"redirect_uris": []}),
        (METADATA, {"redirect_uris": WEB}),
        (METADATA, {"redirect_uris": [1]}),
        (METADATA, {"redirect_uris": [f"{WEB}/{n}" for n in range(21)]}),
        (REDIRECT, {"redirect_uris": ["http://app.example.com/callback"]}),
        (REDIRECT, {"redirect_uris": [f"{WEB}#part"]}),
        (REDIRECT, {"redirect_uris": ["https://*.example.com/callback"]}),
        (REDIRECT, {"redirect_uris": ["javascript:alert(1)"]}),
        (REDIRECT, {"redirect_uris": ["myapp:/callback"]}),
        (REDIRECT, {"redirect_uris": [LOOPBACK.replace("127.0.0.1", "10.0.0.1")]}),
        (METADATA, {"grant_types": ["client_credentials"]}),
        (METADATA, {"grant_types": ["implicit"]}),
        (METADATA, {"grant_types": "authorization_code"}),
        (METADATA, {"response_types": ["token"]}),
        (METADATA, {"token_endpoint_auth_method": "tls_client_auth"}),
        (METADATA, {"token_endpoint_auth_method": "private_key_jwt"}),
        (METADATA, {"application_type": "desktop"}),
        (METADATA, {"scope": "projects:write"}),
        (METADATA, {"scope": ["openid"]}),
        (METADATA, {"client_name": 7}),
        (METADATA, {"id_token_signed_response_alg": "none"}),
        (METADATA, {"dpop_bound_access_tokens": "yes"}),
        (
            METADATA,
            {
                "redirect_uris": [WEB],
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": []},
                "jwks_uri": "https://app.example.com/jwks.json",
            },
        ),
        (
            METADATA,
            {
                "redirect_uris": [WEB],
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks_uri": "https://169.254.169.254/jwks.json",
            },
        ),
        (METADATA, {"backchannel_logout_uri": "https://10.0.0.1/logout"}),
    ],
)
async def test_what_cannot_work_is_refused_by_its_name(
    registry: Registry, refused: Refused, reason: str, changes: dict[str, Any]
) -> None:
    found = await refused(registry.register(**changes), BAD, reason)
    assert found.metadata["error_description"]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '"{}"', '{"a": "\\ud800"}', "[" * 60_000, "{}garbage"]
)
async def test_what_is_no_object_is_refused(
    registry: Registry, refused: Refused, text: str
) -> None:
    await refused(registry.post(text), BAD, METADATA)


async def test_what_it_can_do_without_is_left_out(registry: Registry) -> None:
    made = await registry.register(
        grant_types=["authorization_code", "implicit", "client_credentials", "refresh_token"],
        token_endpoint_auth_method="client_secret_post",
        scope="openid projects:read projects:write users:write",
        logo_uri="http://127.0.0.1/logo.png",
        client_uri="javascript:alert(1)",
        policy_uri="https://app.example.com/privacy",
    )
    shown = made.information
    assert shown["grant_types"] == ["authorization_code", "refresh_token"]
    # It is installed, and can keep no secret.
    assert shown["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in shown
    assert shown["scope"] == "openid projects:read"
    assert not {"logo_uri", "client_uri"} & set(shown)
    assert shown["policy_uri"] == "https://app.example.com/privacy"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Trusted\r\nBcc: eve@example.com", "Trusted Bcc: eve@example.com"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\u200b\u2800 \t", "127.0.0.1"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 500, "x" * 50),
        (None, "127.0.0.1"),
    ],
)
async def test_a_name_is_one_line_that_can_be_read(
    registry: Registry, name: str | None, kept: str
) -> None:
    assert (await registry.register(client_name=name)).information["client_name"] == kept


async def test_the_policy_names_kinds_and_hosts(registry: Registry, refused: Refused) -> None:
    await registry.allow(kinds=["web"], redirect_hosts=["app.example.com"])
    await refused(registry.register(), BAD, METADATA)
    elsewhere = {"token_endpoint_auth_method": "client_secret_basic"}
    await registry.register(redirect_uris=[WEB], **elsewhere)
    for uri in ("https://evil.example/app.example.com", "https://app.example.com.evil.example/"):
        await refused(registry.register(redirect_uris=[uri], **elsewhere), BAD, REDIRECT)


# What it can do


async def test_it_acts_for_a_person_who_agrees(
    registry: Registry, world: World, stranger: Person
) -> None:
    made = await registry.register()
    tokens = await made.app.signed_in(
        stranger, redirect_uri=LOOPBACK, scope="openid projects:read projects:write"
    )
    said = claims(tokens.access_token)
    # What it may not be given is left out: it asks for all that the documents list.
    assert (said["client_id"], said["scope"]) == (made.client_id, "openid projects:read")


async def test_it_does_not_act_for_itself(registry: Registry, refused: Refused) -> None:
    made = await registry.register(
        redirect_uris=[WEB],
        token_endpoint_auth_method="client_secret_basic",
        grant_types=["authorization_code", "client_credentials"],
    )
    call = made.app.issue("client_credentials", scope="projects:read")
    await refused(call, BAD, "OAUTH_UNAUTHORIZED_CLIENT")


async def test_a_program_on_a_machine_is_asked_about_each_time(
    registry: Registry, stranger: Person
) -> None:
    native = (await registry.register()).app
    await native.signed_in(stranger)
    assert (await native.ask(stranger)).next == "consent"
    served = (
        await registry.register(
            redirect_uris=[WEB], token_endpoint_auth_method="client_secret_basic"
        )
    ).app
    await served.signed_in(stranger)
    assert (await served.ask(stranger)).next == "approve"


async def test_what_the_policy_loses_they_lose(registry: Registry, stranger: Person) -> None:
    app = (await registry.register()).app
    tokens = await app.signed_in(stranger, scope="openid offline_access projects:read")
    await registry.allow(scopes=["openid", "offline_access"])
    await asyncio.sleep(1)  # so long a process may take to hear of it
    refreshed = await app.refresh(tokens.refresh_token)
    assert set(refreshed.scope.split()) == {"openid", "offline_access"}


async def test_the_owner_disables_it(
    registry: Registry, stranger: Person, refused: Refused
) -> None:
    made = await registry.register()
    tokens = await made.app.signed_in(stranger, scope="openid offline_access projects:read")
    await registry.set_enabled(made.client_id, False)

    async def refuse() -> None:
        await refused(made.app.refresh(tokens.refresh_token), UNKNOWN, "OAUTH_INVALID_CLIENT")

    await asyncio.sleep(1)
    await refuse()
    # It keeps its registration, and cannot enable itself.
    await made.update()
    await refuse()


async def test_it_is_never_one_of_the_platforms_own(
    registry: Registry, administrator: Person, refused: Refused
) -> None:
    made = await registry.register()
    call = ApplicationServiceStub(registry.world.channel).SetFirstParty(
        applications.SetFirstPartyRequest(application_id=made.client_id, first_party=True),
        metadata=administrator.metadata,
    )
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "APPLICATION_NOT_CREATED")


# Its registration (RFC 7592)


async def test_it_reads_its_registration_without_the_secret(registry: Registry) -> None:
    made = await registry.register(
        redirect_uris=[WEB], token_endpoint_auth_method="client_secret_basic"
    )
    known = {k: v for k, v in made.information.items() if not k.startswith("client_secret")}
    assert await made.read() == known


async def test_an_update_replaces_everything(registry: Registry, stranger: Person) -> None:
    made = await registry.register(policy_uri="https://app.example.com/privacy")
    shown = await made.update(client_name="Another", redirect_uris=["http://[::1]/back"])
    assert (shown["client_name"], shown["redirect_uris"]) == ("Another", ["http://[::1]/back"])
    assert "policy_uri" not in shown
    await asyncio.sleep(1)  # so long a process may take to hear of it
    assert (await made.app.begin(redirect_uri=LOOPBACK)).WhichOneof("outcome") == "error"


async def test_an_update_that_needs_a_secret_gives_one(registry: Registry) -> None:
    made = await registry.register()
    changes: dict[str, Any] = {
        "redirect_uris": [WEB],
        "token_endpoint_auth_method": "client_secret_basic",
    }
    first = await made.update(**changes)
    assert first["client_secret"].startswith("ps_")
    # One that has a secret keeps it, and may say which one it is.
    second = await made.update(**changes, client_secret=first["client_secret"])
    assert "client_secret" not in second


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "another"},
        {"client_id": None},
        {"registration_access_token": "a token"},
        {"registration_client_uri": "https://id.example.com/"},
        {"client_secret_expires_at": 0},
        {"client_id_issued_at": 0},
        {"client_secret": "chosen"},
        {"client_secret": None, "scope": "projects:write"},
    ],
)
async def test_an_update_says_nothing_that_only_the_server_says(
    registry: Registry, refused: Refused, changes: dict[str, Any]
) -> None:
    made = await registry.register()
    await refused(made.update(**changes), BAD, METADATA)
    assert (await made.read())["client_name"] == "A client"


async def test_a_token_is_for_one_registration(registry: Registry, refused: Refused) -> None:
    made, other = await registry.register(), await registry.register()
    for token in (other.token, "made up", "\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 1000):
        await refused(made.read(token), UNKNOWN, TOKEN)
        await refused(made.update(token), UNKNOWN, TOKEN)
        await refused(made.delete(token), UNKNOWN, TOKEN)
    for client_id in ("", "nobody", "https://app.example.com/client.json"):
        request = pb.ReadClientRequest(client_id=client_id, registration_access_token=made.token)
        await refused(registry.stub.ReadClient(request, metadata=INTERNAL), UNKNOWN, TOKEN)


async def test_a_deleted_one_is_gone_with_all_that_it_was_given(
    registry: Registry, stranger: Person, refused: Refused
) -> None:
    made = await registry.register()
    await made.app.signed_in(stranger)
    assert len(await list_grants(registry.world, stranger)) == 1
    await made.delete()
    assert not await list_grants(registry.world, stranger)
    await refused(made.read(), UNKNOWN, TOKEN)
    await refused(made.delete(), UNKNOWN, TOKEN)
    assert made.client_id not in {each.id for each in await registry.listed()}


async def test_one_that_nobody_uses_is_deleted(
    world: World, organization_id: str, owner: Person, stranger: Person
) -> None:
    own = Registry(world, owner, organization_id)
    await own.allow("token", unused_days=2)
    token = await own.initial_token()
    unused, used = await own.register(token), await own.register(token)
    await used.app.signed_in(stranger)
    for days, left in ((1, {unused.client_id, used.client_id}), (3, {used.client_id})):
        async with AsyncSession(world.engine) as db, db.begin():
            await delete_registrations(db, world.clock() + timedelta(days=days), 1000)
        assert {each.id for each in await own.listed()} == left
