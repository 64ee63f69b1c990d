"""Applications are made and changed by those who may do all that they can."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.applications.v1 import application_service_pb2 as pb
from portico.organizations.v1 import organization_service_pb2 as organizations
from sqlalchemy import text

from server.features.applications.errors import InvalidClientError
from server.features.applications.service import MAX_APPLICATIONS
from tests.core.applications.conftest import REDIRECT, ApplicationClient
from tests.core.applications.keys import ec_key
from tests.core.calls import answered, if_match
from tests.core.conftest import Audited, Refused
from tests.core.records import audit_entry, event, event_types
from tests.core.users.conftest import administrator as administrator
from tests.core.world import Person, World

INVALID = (grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
LOOPBACK = "http://127.0.0.1/callback"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.mark.parametrize(
    ("kind", "grant_types", "method"),
    [
        ("web", ["authorization_code", "refresh_token"], "client_secret_basic"),
        ("single_page", ["authorization_code", "refresh_token"], "none"),
        ("native", ["authorization_code", "refresh_token"], "none"),
        ("machine", ["client_credentials"], "client_secret_basic"),
        ("device", [DEVICE, "refresh_token"], "none"),
    ],
)
async def test_each_kind_begins_as_it_is_meant(
    application_client: ApplicationClient, kind: str, grant_types: list[str], method: str
) -> None:
    answer = await application_client.create(kind)
    application = answer.application
    assert list(application.grant_types) == grant_types
    assert application.token_endpoint_auth_method == method
    assert bool(answer.client_secret) == (method != "none") == bool(application.secrets)
    assert application.enabled
    assert not application.first_party
    assert application.id_token_signed_response_alg == "RS256"
    assert application.access_token_lifetime_seconds == 900
    assert application.created_by == application_client.owner.id


async def test_the_answer_shows_the_application_and_where_it_is(
    application_client: ApplicationClient,
) -> None:
    request = application_client.described(
        "native",
        name="Ada's notes",
        redirect_uris=[LOOPBACK, "com.example.app:/callback"],
        post_logout_redirect_uris=[LOOPBACK],
        scopes=["projects:read", "openid", "offline_access"],
        logo_uri="https://example.com/logo.png",
        tos_uri="https://EXAMPLE.com/tos",
        dpop_bound_access_tokens=True,
        access_token_lifetime_seconds=300,
    )
    call = application_client.stub.CreateApplication(
        request, metadata=application_client.owner.metadata
    )
    application = (await call).application
    assert (await answered(call))["location"] == f"/api/v1/applications/{application.id}"
    assert application == await application_client.get(application.id)
    assert list(application.redirect_uris) == [LOOPBACK, "com.example.app:/callback"]
    assert list(application.scopes) == ["offline_access", "openid", "projects:read"]
    assert application.tos_uri == "https://example.com/tos"
    assert application.dpop_bound_access_tokens


async def test_the_secret_is_shown_once_and_nowhere_else(
    application_client: ApplicationClient, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    created = await application_client.create()
    application_id = created.application.id
    rotated = await application_client.rotate(application_id)
    seen = [str(await application_client.get(application_id)), "".join(capfd.readouterr())]
    for action in ("application.created", "application.secret_rotated"):
        told = await event(world, application_client.organization_id, action)
        entry = await audit_entry(world, application_client.organization_id, action)
        seen += [str(told.data), str(entry.details)]
    async with world.engine.connect() as connection:
        row = await connection.execute(
            text("select applications::text from applications where id = :id"),
            {"id": application_id},
        )
        seen.append(row.scalar_one())
    assert created.application.secrets[0].prefix in " ".join(seen)
    for secret in (created.client_secret, rotated.client_secret):
        assert secret.startswith("ps_test_")
        assert not any(secret in text for text in seen)


async def test_a_repeated_request_makes_no_second_application_and_shows_no_secret(
    application_client: ApplicationClient, refused: Refused
) -> None:
    metadata = (*application_client.owner.metadata, ("idempotency-key", "one-application"))
    request = application_client.described("web")
    first = await application_client.stub.CreateApplication(request, metadata=metadata)
    attempt = application_client.stub.CreateApplication(request, metadata=metadata)
    found = await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "CREDENTIAL_NOT_REPLAYED")
    assert first.client_secret not in str(found)
    assert first.application.id in str(found)


@pytest.mark.parametrize(
    ("kind", "fields", "blamed"),
    [
        ("web", {"name": ""}, "name"),
        ("web", {"name": "x" * 51}, "name"),
        ("web", {"name": "evil\u202egpj.exe"}, "name"),
        ("web", {"name": "two\nlines"}, "name"),
        ("web", {"name": " "}, "name"),
        ("other", {}, "kind"),
        ("", {}, "kind"),
        ("web", {"scopes": []}, "scopes"),
        ("web", {"scopes": ["openid", "openid"]}, "scopes"),
        ("web", {"scopes": ["Not a scope"]}, "scopes[0]"),
        ("web", {"redirect_uris": []}, "redirect_uris"),
        ("web", {"redirect_uris": [REDIRECT, REDIRECT]}, "redirect_uris"),
        ("web", {"redirect_uris": ["http://app.example.com"]}, "redirect_uris[0]"),
        ("web", {"redirect_uris": [f"{REDIRECT}/{n}" for n in range(21)]}, "redirect_uris"),
        ("web", {"post_logout_redirect_uris": ["javascript:x"]}, "post_logout_redirect_uris[0]"),
        ("web", {"grant_types": ["password"]}, "grant_types[0]"),
        ("web", {"grant_types": ["implicit"]}, "grant_types[0]"),
        ("web", {"grant_types": ["refresh_token"]}, "grant_types"),
        ("single_page", {"grant_types": ["client_credentials"]}, "grant_types"),
        ("native", {"token_endpoint_auth_method": "client_secret_basic"},
         "token_endpoint_auth_method"),
        ("single_page", {"token_endpoint_auth_method": "client_secret_post"},
         "token_endpoint_auth_method"),
        ("machine", {"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
        ("machine", {"grant_types": ["authorization_code"]}, "grant_types"),
        ("machine", {"redirect_uris": [REDIRECT]}, "redirect_uris"),
        ("machine", {"scopes": ["openid", "projects:read"]}, "scopes"),
        ("web", {"token_endpoint_auth_method": "none", "scopes": ["projects:read"],
                 "grant_types": ["authorization_code", "client_credentials"]}, "grant_types"),
        ("web", {"token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
        ("web", {"token_endpoint_auth_method": "tls_client_auth"}, "token_endpoint_auth_method"),
        ("web", {"scopes": ["openid", "offline_access"],
                 "grant_types": ["authorization_code"]}, "scopes"),
        ("web", {"logo_uri": "http://example.com/logo.png"}, "logo_uri"),
        ("web", {"logo_uri": "data:image/png;base64,AA"}, "logo_uri"),
        ("web", {"client_uri": "javascript:alert(1)"}, "client_uri"),
        ("web", {"policy_uri": "https://user@example.com"}, "policy_uri"),
        ("web", {"tos_uri": "https://127.0.0.1/"}, "tos_uri"),
        ("web", {"jwks_uri": "https://169.254.169.254/latest"}, "jwks_uri"),
        ("web", {"backchannel_logout_uri": "https://10.0.0.1/logout"}, "backchannel_logout_uri"),
        ("web", {"access_token_lifetime_seconds": 299}, "access_token_lifetime_seconds"),
        ("web", {"access_token_lifetime_seconds": 901}, "access_token_lifetime_seconds"),
        ("web", {"refresh_token_idle_seconds": 7200, "refresh_token_lifetime_seconds": 3600},
         "refresh_token_idle_seconds"),
        ("web", {"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ("web", {"jwks": Struct()}, "jwks.keys"),
        ("web", {"jwks": ParseDict({"keys": [ec_key().whole]}, Struct())}, "jwks.keys[0].d"),
        ("web", {"jwks": ParseDict({"keys": [ec_key().public]}, Struct()),
                 "jwks_uri": "https://example.com/jwks"}, "jwks_uri"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_named(
    application_client: ApplicationClient,
    kind: str,
    fields: dict[str, Any],
    blamed: str,
    refused: Refused,
) -> None:
    found = await refused(application_client.create(kind, **fields), *INVALID)
    assert blamed in found.fields


async def test_nobody_gives_an_application_more_than_they_have(
    application_client: ApplicationClient, refused: Refused
) -> None:
    admin = await application_client.world.new_member(
        application_client.organization_id, application_client.owner, "admin"
    )
    attempt = application_client.create("machine", by=admin, scopes=["moon:write"])
    await refused(attempt, grpc.StatusCode.INVALID_ARGUMENT, "SCOPE_UNKNOWN")
    attempt = application_client.create("machine", by=admin, scopes=["connections:write"])
    found = await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")
    assert found.metadata == {"scopes": "connections:write"}
    mine = (await application_client.create("machine", by=admin)).application
    change = application_client.update(mine.id, by=admin, scopes=["connections:write"])
    await refused(change, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")


async def test_nobody_acts_through_an_application_that_may_do_more_than_they(
    application_client: ApplicationClient, refused: Refused
) -> None:
    admin = await application_client.world.new_member(
        application_client.organization_id, application_client.owner, "admin"
    )
    powerful = (await application_client.create(scopes=["connections:write"])).application
    exceeded = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSIONS_EXCEEDED")
    await refused(application_client.rotate(powerful.id, by=admin), *exceeded)
    for changes in (
        {"redirect_uris": ["https://evil.example/callback"]},
        {"scopes": ["openid"]},
        {"enabled": False, "name": "x"},
        {"token_endpoint_auth_method": "none"},
    ):
        attempt = application_client.update(powerful.id, by=admin, **changes)
        await refused(attempt, *exceeded)
    # To end what it does takes less.
    disabled = await application_client.update(powerful.id, by=admin, enabled=False)
    assert not disabled.enabled
    await refused(application_client.update(powerful.id, by=admin, enabled=True), *exceeded)
    await application_client.delete(powerful.id, by=admin)


@pytest.mark.parametrize("role", ["viewer", "member"])
async def test_whoever_may_only_read_changes_nothing(
    application_client: ApplicationClient, role: str, refused: Refused
) -> None:
    person = await application_client.world.new_member(
        application_client.organization_id, application_client.owner, role
    )
    application = (await application_client.create()).application
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    await refused(application_client.create(by=person), *denied)
    await refused(application_client.update(application.id, by=person, name="x"), *denied)
    await refused(application_client.rotate(application.id, by=person), *denied)
    await refused(application_client.delete(application.id, by=person), *denied)


async def test_only_administrators_of_the_platform_spare_people_the_consent(
    application_client: ApplicationClient, administrator: Person, refused: Refused
) -> None:
    application = (await application_client.create()).application
    request = pb.SetFirstPartyRequest(application_id=application.id, first_party=True)
    stub = application_client.stub
    await refused(
        stub.SetFirstParty(request, metadata=application_client.owner.metadata),
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_DENIED",
    )
    answer = await stub.SetFirstParty(request, metadata=administrator.metadata)
    assert answer.application.first_party
    client = await application_client.facade.find(application.id)
    assert client is not None
    assert client.first_party


async def test_rights_that_are_taken_meanwhile_count(
    application_client: ApplicationClient, world: World, refused: Refused
) -> None:
    organization_id = application_client.organization_id
    admin = await world.new_member(organization_id, application_client.owner, "admin")
    member = {"organization": organization_id, "person": admin.id}
    async with world.engine.begin() as connection:
        lock = "select 1 from organizations where id = :organization for no key update"
        await connection.execute(text(lock), member)
        creating = asyncio.ensure_future(application_client.create("machine", by=admin))
        await asyncio.sleep(0.5)
        assert not creating.done()
        removal = "delete from memberships where organization_id = :organization"
        await connection.execute(text(f"{removal} and user_id = :person"), member)
    await refused(creating, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_an_organization_has_at_most_fifty_however_they_come(
    application_client: ApplicationClient, world: World
) -> None:
    organization_id = application_client.organization_id
    application = (await application_client.create("machine")).application
    async with world.engine.begin() as connection:
        columns = (await connection.execute(text("select * from applications limit 0"))).keys()
        named = ", ".join(column for column in columns if column != "id")
        await connection.execute(
            text(
                f"insert into applications (id, {named}) select gen_random_uuid(), {named}"  # noqa: S608
                " from applications, generate_series(1, :more) where id = :id"
            ),
            {"id": application.id, "more": MAX_APPLICATIONS - 3},
        )
    attempts = [application_client.create("machine") for _ in range(5)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(answer, pb.CreateApplicationResponse) for answer in answers) == 2
    await application_client.delete(application.id)
    await application_client.create("machine")
    assert organization_id


async def test_a_list_has_pages_and_the_newest_comes_first(
    application_client: ApplicationClient,
) -> None:
    made = [(await application_client.create("machine")).application.id for _ in range(3)]
    request = pb.ListApplicationsRequest(
        organization_id=application_client.organization_id, limit=2
    )
    metadata = application_client.owner.metadata
    first = await application_client.stub.ListApplications(request, metadata=metadata)
    request.cursor = first.next_cursor
    second = await application_client.stub.ListApplications(request, metadata=metadata)
    listed = [one.id for page in (first, second) for one in page.applications]
    assert listed == made[::-1]
    assert (first.has_more, second.has_more) == (True, False)


async def test_only_the_given_fields_change(
    application_client: ApplicationClient, world: World
) -> None:
    created = (await application_client.create(logo_uri="https://example.com/a.png")).application
    changed = await application_client.update(created.id, name="Renamed", logo_uri="")
    assert (changed.name, changed.logo_uri) == ("Renamed", "")
    assert changed.scopes == created.scopes
    assert changed.secrets == created.secrets
    told = await event(world, application_client.organization_id, "application.updated")
    assert told.data["name"] == "Renamed"


async def test_a_change_that_changes_nothing_is_no_event(
    application_client: ApplicationClient, world: World
) -> None:
    created = (await application_client.create()).application
    await application_client.update(created.id, name=created.name, scopes=list(created.scopes))
    happened = await event_types(world, application_client.organization_id)
    assert "application.updated" not in happened


@pytest.mark.parametrize(
    "path", ["redirect_uris", "grant_types", "scopes", "name", "token_endpoint_auth_method"]
)
async def test_what_an_application_needs_cannot_be_taken_from_it(
    application_client: ApplicationClient, path: str, refused: Refused
) -> None:
    created = (await application_client.create()).application
    attempt = application_client.update(created.id, update_mask=FieldMask(paths=[path]))
    found = await refused(attempt, *INVALID)
    assert path in found.fields
    assert await application_client.get(created.id) == created


async def test_a_method_without_a_secret_leaves_none_behind(
    application_client: ApplicationClient, refused: Refused
) -> None:
    created = await application_client.create()
    application_id, secret = created.application.id, created.client_secret
    public = await application_client.update(application_id, token_endpoint_auth_method="none")
    assert not public.secrets
    await refused(
        application_client.rotate(application_id),
        grpc.StatusCode.FAILED_PRECONDITION,
        "APPLICATION_HAS_NO_SECRET",
    )
    await application_client.update(
        application_id, token_endpoint_auth_method="client_secret_basic"
    )
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, secret)
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, "")
    rotated = await application_client.rotate(application_id, overlap_seconds=60)
    assert len(rotated.application.secrets) == 1
    await application_client.authenticate(application_id, rotated.client_secret)


async def test_at_most_two_secrets_are_good(application_client: ApplicationClient) -> None:
    created = await application_client.create()
    application_id = created.application.id
    second = await application_client.rotate(application_id, overlap_seconds=600)
    third = await application_client.rotate(application_id, overlap_seconds=600)
    assert len(third.application.secrets) == 2
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, created.client_secret)
    await application_client.authenticate(application_id, second.client_secret)
    fourth = await application_client.rotate(application_id)
    assert len(fourth.application.secrets) == 1
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, third.client_secret)


async def test_each_secret_is_revoked_by_itself(
    application_client: ApplicationClient, refused: Refused
) -> None:
    created = await application_client.create()
    application_id = created.application.id
    rotated = await application_client.rotate(application_id, overlap_seconds=600)
    new, old = rotated.application.secrets
    left = await application_client.revoke_secret(application_id, new.id)
    assert [one.id for one in left.secrets] == [old.id]
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, rotated.client_secret)
    await application_client.authenticate(application_id, created.client_secret)
    assert not (await application_client.revoke_secret(application_id, old.id)).secrets
    not_found = (grpc.StatusCode.NOT_FOUND, "APPLICATION_SECRET_NOT_FOUND")
    for name in (old.id, "0" * 16):
        await refused(application_client.revoke_secret(application_id, name), *not_found)


async def test_two_at_once_do_not_overwrite_each_other(
    application_client: ApplicationClient, refused: Refused
) -> None:
    created = (await application_client.create()).application
    request = pb.GetApplicationRequest(application_id=created.id)
    call = application_client.stub.GetApplication(
        request, metadata=application_client.owner.metadata
    )
    tag = (await answered(call))["etag"]
    await application_client.update(created.id, name="First")
    late = application_client.stub.UpdateApplication(
        pb.UpdateApplicationRequest(application_id=created.id, name="Second"),
        metadata=if_match(application_client.owner, tag),
    )
    await refused(late, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    answers = await asyncio.gather(*(application_client.rotate(created.id, 60) for _ in range(4)))
    good = 0
    for answer in answers:
        try:
            await application_client.authenticate(created.id, answer.client_secret)
            good += 1
        except InvalidClientError:
            continue
    assert good == 2


async def test_a_deleted_application_is_gone(
    application_client: ApplicationClient, refused: Refused, audited: Audited, world: World
) -> None:
    created = await application_client.create()
    application_id = created.application.id
    await application_client.delete(application_id)
    assert await audited(application_id) == ["application.created", "application.deleted"]
    assert await application_client.facade.find(application_id) is None
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(application_id, created.client_secret)
    not_found = (grpc.StatusCode.NOT_FOUND, "APPLICATION_NOT_FOUND")
    for attempt in (
        application_client.get(application_id),
        application_client.update(application_id, name="x"),
        application_client.rotate(application_id),
        application_client.delete(application_id),
    ):
        await refused(attempt, *not_found)
    async with world.engine.connect() as connection:
        query = text("select secret_hash is null from applications where id = :id")
        assert (await connection.execute(query, {"id": application_id})).scalar_one()


async def test_it_outlives_the_membership_of_who_made_it(
    application_client: ApplicationClient, world: World
) -> None:
    organization_id, owner = application_client.organization_id, application_client.owner
    admin = await world.new_member(organization_id, owner, "admin")
    created = await application_client.create("machine", by=admin)
    request = organizations.RemoveMemberRequest(organization_id=organization_id, user_id=admin.id)
    removed = await world.organizations.RemoveMember(request, metadata=owner.metadata)
    # Who removes them learns whose secrets to rotate.
    assert list(removed.application_ids) == [created.application.id]
    listed = await application_client.stub.ListApplications(
        pb.ListApplicationsRequest(organization_id=organization_id, created_by=admin.id),
        metadata=owner.metadata,
    )
    assert [one.id for one in listed.applications] == [created.application.id]
    await application_client.authenticate(created.application.id, created.client_secret)
    assert (await application_client.get(created.application.id)).created_by == admin.id


async def test_a_key_makes_applications_within_its_scopes(
    application_client: ApplicationClient, world: World, refused: Refused
) -> None:
    key = await world.new_key(
        application_client.organization_id,
        application_client.owner,
        "applications:write",
        "projects:read",
    )
    metadata = await world.key_metadata(key.secret)
    create = application_client.stub.CreateApplication
    answer = await create(application_client.described("machine"), metadata=metadata)
    assert answer.application.created_by == ""
    attempt = create(
        application_client.described("machine", scopes=["webhooks:read"]), metadata=metadata
    )
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "SCOPE_NOT_GRANTABLE")


async def test_redirects_go_exactly_to_what_is_registered(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create("native", redirect_uris=[REDIRECT, LOOPBACK])
    client = await application_client.facade.find(created.application.id)
    assert client is not None
    for uri in (REDIRECT, LOOPBACK, "http://127.0.0.1:50123/callback"):
        assert client.allows_redirect_uri(uri)
    for uri in (
        "",
        f"{REDIRECT}/",
        f"{REDIRECT}?x=1",
        REDIRECT.upper(),
        "https://app.example.com:443/callback",
        "http://localhost:50123/callback",
        "http://127.0.0.1:50123/callback/x",
        "http://127.0.0.1:50123/callback?x=1",
        "http://[::1]:50123/callback",
        "http://127.0.0.1:50123/callback#x",
        "https://127.0.0.1:50123/callback",
    ):
        assert not client.allows_redirect_uri(uri)
    assert not client.allows_post_logout_redirect_uri(REDIRECT)
