"""Names of people that a sector alone has for them (OpenID Connect Core, section 8.1).

A sector is a host in one organization. What is registered about it is held against the rules of
OpenID Connect Registration, section 5.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, REDIRECT, ApplicationClient
from tests.core.applications.keys import KeySetServer, key_set_server
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, get_organization, new_app
from tests.core.world import Person, World

SECOND = "https://second.example.com/callback"

Wrong = Callable[[Awaitable[Any]], Awaitable[None]]


@pytest.fixture
def wrong(refused: Refused) -> Wrong:
    """Asserts that a call is refused for the address alone."""

    async def check(call: Awaitable[Any]) -> None:
        refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert refusal.fields == ("sector_identifier_uri",)

    return check


@pytest.fixture
async def sector() -> AsyncIterator[KeySetServer]:
    """What is found at a sector identifier URI."""
    async with key_set_server() as server:
        server.content = [REDIRECT, SECOND]
        yield server


async def name_of(person: Person, app: App) -> str:
    """What an application calls a person, which is the same wherever it learns of them."""
    issued = await app.signed_in(person, scope="openid")
    name = str(claims(issued.id_token)["sub"])
    assert name == claims(issued.access_token)["sub"]
    assert name == (await app.user_info(issued.access_token)).sub
    # Introspection is for who has a credential.
    if app.secret:
        assert name == (await app.introspect(issued.access_token)).sub
    return name


async def test_by_default_all_applications_have_the_same_name(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client)
    assert (await application_client.get(app.client_id)).subject_type == "public"
    assert await name_of(owner, app) == owner.id


async def test_applications_of_one_host_share_a_name_and_others_have_another(
    application_client: ApplicationClient, owner: Person, stranger: Person
) -> None:
    one, same, other = [
        await new_app(application_client, subject_type="pairwise", redirect_uris=[uri])
        for uri in (REDIRECT, "https://app.example.com/other", SECOND)
    ]
    name = await name_of(owner, one)
    assert name == await name_of(owner, same)
    names = {owner.id, name, await name_of(owner, other), await name_of(stranger, one)}
    assert len(names) == 4


async def test_another_organization_cannot_learn_the_names_by_naming_the_host(
    world: World, application_client: ApplicationClient, owner: Person, stranger: Person
) -> None:
    ours = await new_app(application_client, subject_type="pairwise")
    theirs = await world.new_organization(stranger)
    hostile = await new_app(
        ApplicationClient(world, theirs, stranger), subject_type="pairwise", scopes=["openid"]
    )
    assert await name_of(owner, ours) != await name_of(owner, hostile)


async def test_the_host_of_the_sector_identifier_uri_is_the_sector(
    application_client: ApplicationClient, owner: Person, sector: KeySetServer
) -> None:
    fields: dict[str, Any] = {"subject_type": "pairwise", "sector_identifier_uri": sector.url}
    one = await new_app(application_client, **fields)
    other = await new_app(application_client, redirect_uris=[SECOND], **fields)
    both = await new_app(application_client, redirect_uris=[REDIRECT, SECOND], **fields)
    assert (await application_client.get(one.client_id)).sector_identifier_uri == sector.url
    name = await name_of(owner, one)
    assert name == await name_of(owner, other) == await name_of(owner, both)
    assert name != await name_of(owner, await new_app(application_client, subject_type="pairwise"))


async def test_several_hosts_need_a_sector_identifier_uri(
    application_client: ApplicationClient, wrong: Wrong
) -> None:
    several = [REDIRECT, SECOND]
    call = application_client.create(subject_type="pairwise", redirect_uris=several)
    await wrong(call)
    await application_client.create(redirect_uris=several)
    app = await application_client.create(subject_type="pairwise")
    await wrong(application_client.update(app.application.id, redirect_uris=several))


@pytest.mark.parametrize("uri", ["https://[:::]/callback", "https://[::1]/callback"])
async def test_a_host_may_be_an_address_or_none(
    application_client: ApplicationClient, uri: str
) -> None:
    made = await application_client.create(subject_type="pairwise", redirect_uris=[uri])
    assert made.application.subject_type == "pairwise"


async def test_native_applications_may_be_pairwise(
    application_client: ApplicationClient, owner: Person
) -> None:
    uris = ("http://localhost/callback", "com.example.app:/callback")
    apps = [
        await new_app(
            application_client,
            "native",
            subject_type="pairwise",
            redirect_uris=[uri],
            scopes=["openid"],
        )
        for uri in uris
    ]
    assert len({owner.id, *[await name_of(owner, app) for app in apps]}) == 3


async def test_an_access_token_with_such_a_name_is_good_at_the_api(
    world: World, application_client: ApplicationClient, organization_id: str, owner: Person
) -> None:
    app = await new_app(application_client, subject_type="pairwise")
    code = await app.approve(
        owner,
        await app.request_id(scope="openid organization:read"),
        organization_id=organization_id,
    )
    issued = await app.exchange(code["code"])
    assert await get_organization(world, organization_id, issued.access_token)


@pytest.mark.parametrize(
    "content",
    [[SECOND], [], {}, "https://app.example.com/callback", [REDIRECT, 1], None, [f"{REDIRECT}/"]],
)
async def test_a_sector_lists_each_redirect_uri(
    application_client: ApplicationClient, sector: KeySetServer, wrong: Wrong, content: Any
) -> None:
    sector.content = content
    call = application_client.create(subject_type="pairwise", sector_identifier_uri=sector.url)
    await wrong(call)


async def test_a_sector_that_is_not_there_or_not_public_is_refused(
    application_client: ApplicationClient, sector: KeySetServer, wrong: Wrong
) -> None:
    sector.status = 404
    elsewhere = (sector.url, "http://10.0.0.1/a.json", "ftp://a.example/", "https://u:p@a.example/")
    for uri in elsewhere:
        call = application_client.create(subject_type="pairwise", sector_identifier_uri=uri)
        await wrong(call)
    sector.status, sector.headers = 302, {"Location": sector.url}
    call = application_client.create(subject_type="pairwise", sector_identifier_uri=sector.url)
    await wrong(call)


async def test_a_redirect_uri_is_added_if_the_sector_lists_it(
    application_client: ApplicationClient, sector: KeySetServer, wrong: Wrong
) -> None:
    app = await new_app(
        application_client, subject_type="pairwise", sector_identifier_uri=sector.url
    )
    third = [REDIRECT, "https://third.example.com/callback"]
    call = application_client.update(app.client_id, redirect_uris=third)
    await wrong(call)
    sector.content = third
    changed = await application_client.update(app.client_id, redirect_uris=third)
    assert list(changed.redirect_uris) == third
    asked = sector.asked
    await application_client.update(app.client_id, name="another")
    assert sector.asked == asked


async def test_only_who_may_change_the_application_has_us_ask_for_a_sector(
    application_client: ApplicationClient, sector: KeySetServer, stranger: Person, refused: Refused
) -> None:
    app = await new_app(application_client)
    call = application_client.update(app.client_id, by=stranger, sector_identifier_uri=sector.url)
    await refused(call, grpc.StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
    assert sector.asked == 0


async def test_an_application_that_nobody_knows_may_change_its_names(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client)
    await application_client.update(app.client_id, subject_type="pairwise")
    assert await name_of(owner, app) != owner.id


@pytest.mark.parametrize("change", [{"subject_type": "public"}, {"redirect_uris": [SECOND]}])
async def test_an_application_that_people_know_keeps_its_names(
    application_client: ApplicationClient, owner: Person, refused: Refused, change: dict[str, Any]
) -> None:
    app = await new_app(application_client, subject_type="pairwise")
    name = await name_of(owner, app)
    call = application_client.update(app.client_id, **change)
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "APPLICATION_PEOPLE_KNOWN")
    # What changes no name may change.
    more = [REDIRECT, "https://app.example.com/more"]
    await application_client.update(app.client_id, redirect_uris=more, subject_type="pairwise")
    assert await name_of(owner, app) == name


async def test_a_public_application_that_people_know_does_not_become_pairwise(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    app = await new_app(application_client)
    await name_of(owner, app)
    call = application_client.update(app.client_id, subject_type="pairwise")
    await refused(call, grpc.StatusCode.FAILED_PRECONDITION, "APPLICATION_PEOPLE_KNOWN")
    await application_client.update(app.client_id, redirect_uris=[SECOND, REDIRECT])


def test_the_server_says_that_it_has_names_of_both_kinds() -> None:
    assert openid_configuration(ISSUER)["subject_types_supported"] == ["public", "pairwise"]
