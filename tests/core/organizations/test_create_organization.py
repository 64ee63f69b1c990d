"""Creating an organization: the caller owns it, and nobody else has its slug."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from portico.organizations.v1 import organization_service_pb2 as pb
from sqlalchemy import text

from tests.core.calls import headers, new_slug, race
from tests.core.conftest import Refused
from tests.core.records import audit_entry, event
from tests.core.world import Person, World


async def create(world: World, person: Person, **fields: str) -> pb.CreateOrganizationResponse:
    request = pb.CreateOrganizationRequest(**{"name": "Acme", **fields})
    return await world.organizations.CreateOrganization(request, metadata=person.metadata)


async def test_the_caller_owns_what_they_create(world: World, owner: Person) -> None:
    slug = new_slug()
    request = pb.CreateOrganizationRequest(name="Acme", slug=slug)
    call = world.organizations.CreateOrganization(request, metadata=owner.metadata)
    created = (await call).organization
    assert (created.name, created.slug, created.tier) == ("Acme", slug, "free")
    assert created.role == "owner"
    assert (await headers(call))["location"] == f"/api/v1/organizations/{created.id}"


async def test_it_is_written_down_who_created_it(world: World, owner: Person) -> None:
    created = (await create(world, owner)).organization
    entry = await audit_entry(world, created.id, "organization.created")
    assert (entry.actor_kind, str(entry.actor_id)) == ("user", owner.id)
    told = await event(world, created.id, "organization.created")
    assert told.data["name"] == "Acme"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Müller & Söhne GmbH", "muller-sohne-gmbh"),
        ("-- Two  spaces --", "two-spaces"),
        ("東京支店", "organization"),
        ("X!", "organization"),
        ("word " * 19 + "word", "word-word-word"),
    ],
)
async def test_without_a_slug_one_is_made_from_the_name(
    world: World, owner: Person, name: str, start: str
) -> None:
    slug = (await create(world, owner, name=name)).organization.slug
    assert slug.startswith(start)
    assert 2 <= len(slug) <= 50
    assert not slug.endswith("-")


async def test_two_of_the_same_name_at_once_get_two_slugs(world: World, owner: Person) -> None:
    name = new_slug()
    answers, reasons = await race(*(create(world, owner, name=name) for _ in range(4)))
    slugs = {answer.organization.slug for answer in answers}
    assert reasons == []
    assert len(slugs) == 4
    assert name in slugs


async def test_a_slug_that_is_taken_is_refused(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    slug = new_slug()
    await create(world, owner, slug=slug)
    again = create(world, stranger, slug=slug)
    await refused(again, grpc.StatusCode.ALREADY_EXISTS, "SLUG_TAKEN")


async def test_of_two_who_want_a_slug_at_once_one_gets_it(
    world: World, owner: Person, stranger: Person
) -> None:
    slug = new_slug()
    answers, reasons = await race(
        *(create(world, person, slug=slug) for person in (owner, stranger) * 3)
    )
    assert len(answers) == 1
    assert reasons == ["SLUG_TAKEN"] * 5


async def test_the_slug_of_a_deleted_organization_is_free(world: World, owner: Person) -> None:
    slug = new_slug()
    first = await create(world, owner, slug=slug)
    await world.organizations.DeleteOrganization(
        pb.DeleteOrganizationRequest(organization_id=first.organization.id),
        metadata=owner.metadata,
    )
    assert (await create(world, owner, slug=slug)).organization.id != first.organization.id


@pytest.mark.parametrize(
    ("fields", "blamed"),
    [
        ({"name": ""}, "name"),
        ({"name": "A" * 101}, "name"),
        ({"slug": "A-Slug"}, "slug"),
        ({"slug": "-slug"}, "slug"),
        ({"slug": "slug-"}, "slug"),
        ({"slug": "s"}, "slug"),
        ({"slug": "s" * 51}, "slug"),
        ({"slug": "sl_ug"}, "slug"),
    ],
)
async def test_what_is_malformed_is_named(
    world: World, owner: Person, fields: dict[str, str], blamed: str, refused: Refused
) -> None:
    attempt = create(world, owner, **fields)
    found = await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert found.fields == (blamed,)


async def test_an_api_key_creates_no_organization(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    key = await world.new_key(organization_id, owner, "organization:write")
    attempt = world.organizations.CreateOrganization(
        pb.CreateOrganizationRequest(name="Acme"), metadata=await world.key_metadata(key.secret)
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_an_account_that_is_deleted_meanwhile_founds_nothing(
    world: World, refused: Refused
) -> None:
    leaving = await world.new_person()
    async with world.engine.connect() as deletion:
        await deletion.execute(
            text("update users set deleted_at = now() where id = :id"), {"id": leaving.id}
        )
        founding = asyncio.create_task(create(world, leaving))
        await asyncio.sleep(0.2)
        assert not founding.done()
        await deletion.commit()
    await refused(founding, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("slug", ["api", "admin", "www", "me", "new", "login", "settings"])
async def test_a_slug_that_has_a_meaning_of_its_own_is_not_chosen(
    world: World, owner: Person, refused: Refused, slug: str
) -> None:
    found = await refused(
        create(world, owner, slug=slug), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR"
    )
    assert found.fields == ("slug",)
    derived = (await create(world, owner, name=slug.title())).organization.slug
    assert derived.startswith(f"{slug}-")


async def test_one_character_is_a_name(world: World, owner: Person) -> None:
    assert (await create(world, owner, name="X")).organization.name == "X"
