"""RFC 8693: a service acts for a person with a token that another application has of them.

| section | test |
|---|---|
| 2.1 | `test_a_service_acts_for_the_person` |
| 2.1 | `test_a_request_that_lacks_something_is_refused` |
| 2.1 | `test_the_actor_token_is_the_services_own` |
| 2.1 | `test_a_token_for_another_service_is_refused` |
| 2.2.1 | `test_the_answer_names_the_type_of_the_token` |
| 2.2.2 | `test_what_is_no_token_of_a_person_is_refused` |
| 4.1 | `test_a_token_that_passes_through_several_services_names_all_of_them` |
| 4.3, 4.4 | `test_only_a_service_that_the_application_names_may_exchange_its_tokens` |
| 5 | `test_it_is_never_more_than_the_token_that_it_was_given_for` |
| 5 | `test_it_ends_when_the_other_token_does` |

Numbers in other tests are those of public reports about other authorization servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.projects.v1 import project_service_pb2 as projects
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.oauth_metadata import authorization_server_metadata
from server.common.records import AuditEntry
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.bound import proof, user_info
from tests.core.oauth.conftest import (
    App,
    claims,
    get_organization,
    list_grants,
    new_app,
    public,
    revoke_grant,
)
from tests.core.oauth.exchanging import (
    ACCESS_TOKEN,
    GRANT_TYPE,
    JWT,
    SCOPES,
    new_front,
    new_service,
    trade,
)
from tests.core.world import Person, World, bearer
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
ALL = " ".join(("openid", "offline_access", *SCOPES))
KEY, OTHER = ProofKey(), ProofKey()
# How long the applications that a process remembers are behind, at the most.
BEHIND = 0.3


@pytest.fixture
async def service(application_client: ApplicationClient) -> App:
    """An internal service of the owner's organization."""
    return await new_service(application_client)


@pytest.fixture
async def front(application_client: ApplicationClient, service: App) -> App:
    """An application of the owner's organization whose tokens the service may exchange."""
    return await new_front(application_client, [service])


@pytest.fixture
async def token(front: App, owner: Person) -> str:
    """An access token of the owner that the application has."""
    return str((await front.signed_in(owner, scope=ALL)).access_token)


async def test_a_service_acts_for_the_person(
    world: World, owner: Person, service: App, token: str, organization_id: str
) -> None:
    given = await trade(service, token)
    assert await get_organization(world, organization_id, given.access_token)
    said, subject = claims(given.access_token), claims(token)
    assert said["client_id"] == service.client_id
    assert said["act"] == {"sub": service.client_id}
    # The person, the organization and the sign-in are the same.
    for name in ("iss", "aud", "sub", "org", "gid", "acr", "amr", "auth_time", "tier"):
        assert said[name] == subject[name], name
    assert said["sub"] == owner.id
    assert said["jti"] != subject["jti"]


@pytest.mark.parametrize(
    ("requested", "issued"), [("", ACCESS_TOKEN), (ACCESS_TOKEN, ACCESS_TOKEN), (JWT, JWT)]
)
async def test_the_answer_names_the_type_of_the_token(
    service: App, token: str, requested: str, issued: str
) -> None:
    given = await trade(service, token, requested_token_type=requested, subject_token_type=JWT)
    assert (given.issued_token_type, given.token_type) == (issued, "Bearer")
    assert given.scope == " ".join(sorted(SCOPES))
    assert 0 < given.expires_in <= 900
    # What lasts is with the application in which the person has signed in.
    assert (given.refresh_token, given.id_token) == ("", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"subject_token": ""},
        {"subject_token_type": ""},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"subject_token_type": "access_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"actor_token": "a token"},
        {"actor_token_type": ACCESS_TOKEN},
        {"actor_token": "a token", "actor_token_type": "made-up"},
    ],
)
async def test_a_request_that_lacks_something_is_refused(
    service: App, token: str, refused: Refused, fields: dict[str, str]
) -> None:
    values = {"subject_token": token, **fields}
    await refused(
        trade(service, values.pop("subject_token"), **values), INVALID, "OAUTH_INVALID_REQUEST"
    )


async def test_what_is_no_token_of_a_person_is_refused(
    owner: Person, front: App, service: App, token: str, refused: Refused
) -> None:
    """Section 2.2.2: the error is invalid_request, whatever is wrong with the token."""
    signed_in = await front.signed_in(owner, scope=ALL)
    head, body, signature = token.split(".")
    others = {
        "an ID token": signed_in.id_token,
        "a refresh token": signed_in.refresh_token,
        "a machine's token": (await service.issue("client_credentials")).access_token,
        "a token of a session": owner.access_token,
        "a token of another signature": f"{head}.{body}.{signature[::-1]}",
        "a token without a signature": f"{head}.{body}.",
        "a name": owner.id,
        "nonsense": "\u00e9.b.c",
    }
    for other in others.values():
        await refused(trade(service, other), INVALID, "OAUTH_INVALID_REQUEST")


async def test_the_actor_token_is_the_services_own(
    application_client: ApplicationClient, owner: Person, service: App, token: str, refused: Refused
) -> None:
    own = (await service.issue("client_credentials")).access_token
    given = await trade(service, token, actor_token=own, actor_token_type=ACCESS_TOKEN)
    assert claims(given.access_token)["act"] == {"sub": service.client_id}
    another = await new_service(application_client)
    for other in (
        (await another.issue("client_credentials")).access_token,
        owner.access_token,
        token,
        "made-up",
    ):
        attempt = trade(service, token, actor_token=other, actor_token_type=ACCESS_TOKEN)
        await refused(attempt, INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_token_for_another_service_is_refused(
    service: App, token: str, refused: Refused
) -> None:
    given = await trade(service, token, audience=[ISSUER], resource=[f"{ISSUER}/"])
    assert claims(given.access_token)["aud"] == ISSUER
    for fields in (
        {"audience": ["https://other.example"]},
        {"audience": [ISSUER, service.client_id]},
        {"resource": ["https://other.example"]},
        {"resource": [f"{ISSUER}#a"]},
        {"audience": [ISSUER], "resource": ["urn:other"]},
    ):
        await refused(trade(service, token, **fields), INVALID, "OAUTH_INVALID_TARGET")


async def test_only_a_service_that_the_application_names_may_exchange_its_tokens(
    application_client: ApplicationClient, service: App, token: str, refused: Refused
) -> None:
    unnamed = await new_service(application_client)
    await refused(trade(unnamed, token), INVALID, "OAUTH_INVALID_REQUEST")
    # Not even by the application itself, which has it already.
    itself = await new_front(application_client, [])
    await refused(itself.issue(GRANT_TYPE), INVALID, "OAUTH_UNAUTHORIZED_CLIENT")


async def test_a_service_needs_its_credential_and_the_grant_type(
    application_client: ApplicationClient, owner: Person, service: App, token: str, refused: Refused
) -> None:
    attempt = trade(public(service), token)
    await refused(attempt, UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    attempt = trade(replace(service, secret="another"), token)
    await refused(attempt, UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    without = await new_app(application_client, "machine", scopes=SCOPES)
    front = await new_front(application_client, [without])
    other = (await front.signed_in(owner, scope=ALL)).access_token
    await refused(trade(without, other), INVALID, "OAUTH_UNAUTHORIZED_CLIENT")


@pytest.mark.parametrize("kind", ["single_page", "native", "web"])
async def test_what_can_keep_no_secret_is_given_no_such_grant(
    application_client: ApplicationClient, refused: Refused, kind: str
) -> None:
    attempt = new_app(
        application_client,
        kind,
        grant_types=["authorization_code", "refresh_token", GRANT_TYPE],
        token_endpoint_auth_method="none",
    )
    await refused(attempt, INVALID, "VALIDATION_ERROR")


async def test_a_service_of_another_organization_cannot_act_in_this_one(
    world: World, owner: Person, stranger: Person, refused: Refused
) -> None:
    """Even if the application names it: the people here know only who works for them."""
    elsewhere = await world.new_organization(stranger)
    foreign = await new_service(ApplicationClient(world, elsewhere, stranger))
    here = await world.new_organization(owner)
    front = await new_front(ApplicationClient(world, here, owner), [foreign])
    of_person = (await front.signed_in(owner, scope=ALL)).access_token
    await refused(trade(foreign, of_person), INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_token_of_no_organization_is_not_exchanged(
    owner: Person, front: App, service: App, refused: Refused
) -> None:
    personal = (await front.signed_in(owner, scope="openid")).access_token
    await refused(trade(service, personal), INVALID, "OAUTH_INVALID_REQUEST")


async def test_it_is_never_more_than_the_token_that_it_was_given_for(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    """Neither in scope nor in time; and no more than the service may have itself.

    WSO2 28212, INDIGO IAM 1020: scopes that the other token lacked. Polaris 5039: each exchange
    gave a whole lifetime once more. Keycloak 29614: what cannot be given is an error.
    """
    service = await new_service(application_client, scopes=["projects:read", "keys:read"])
    front = await new_front(application_client, [service], access_token_lifetime_seconds=300)
    granted = await front.signed_in(owner, scope=ALL)
    given = await trade(service, granted.access_token)
    assert given.scope == "projects:read"
    assert given.expires_in <= 300
    assert claims(given.access_token)["exp"] <= claims(granted.access_token)["exp"]
    wider = ["keys:read", "organization:read", "projects:read keys:read", "openid", "made-up"]
    for scope in (*wider, "offline_access", " "):
        attempt = trade(service, granted.access_token, scope=scope)
        await refused(attempt, INVALID, "OAUTH_INVALID_SCOPE")
    narrow = (await front.signed_in(owner, scope="organization:read")).access_token
    await refused(trade(service, narrow), INVALID, "OAUTH_INVALID_SCOPE")


async def test_a_chain_of_exchanges_lasts_no_longer_and_is_no_wider(
    world: World, application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    """Keycloak 52691: what was exchanged once could be exchanged over and over."""
    last = await new_service(application_client)
    first = await new_service(application_client, passes_to=[last])
    front = await new_front(application_client, [first])
    granted = (await front.signed_in(owner, scope=ALL)).access_token
    one = await trade(first, granted, scope="projects:read organization:read")
    with world.clock.later(timedelta(seconds=600)):
        two = await trade(last, one.access_token)
        assert two.scope == "organization:read projects:read"
        assert two.expires_in <= 300
    assert claims(two.access_token)["exp"] == claims(granted)["exp"]
    # The first application has not named the last one.
    await refused(trade(last, granted), INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_token_that_passes_through_several_services_names_all_of_them(
    world: World, application_client: ApplicationClient, owner: Person, organization_id: str
) -> None:
    last = await new_service(application_client)
    first = await new_service(application_client, passes_to=[last])
    front = await new_front(application_client, [first])
    granted = (await front.signed_in(owner, scope=ALL)).access_token
    token = (await trade(last, (await trade(first, granted)).access_token)).access_token
    assert claims(token)["act"] == {"sub": last.client_id, "act": {"sub": first.client_id}}
    assert await get_organization(world, organization_id, token)
    told = await front.introspect(token)
    assert (told.active, told.client_id, told.sub) == (True, last.client_id, owner.id)
    assert (told.act.sub, told.act.act.sub) == (last.client_id, first.client_id)
    assert not told.act.act.HasField("act")


async def test_a_token_does_not_go_in_circles(
    application_client: ApplicationClient, owner: Person, service: App, refused: Refused
) -> None:
    await application_client.update(
        service.client_id, token_exchange_client_ids=[service.client_id]
    )
    await asyncio.sleep(BEHIND)
    front = await new_front(application_client, [service])
    token = (await front.signed_in(owner, scope=ALL)).access_token
    for _ in range(4):
        token = (await trade(service, token)).access_token
    await refused(trade(service, token), INVALID, "OAUTH_INVALID_REQUEST")


End = Callable[[], Awaitable[Any]]


@pytest.fixture
def ends(
    world: World,
    application_client: ApplicationClient,
    owner: Person,
    front: App,
    service: App,
    token: str,
) -> dict[str, End]:
    """What ends a token that was given in exchange for the owner's."""
    update = application_client.update

    async def revoke_the_grant() -> None:
        (grant,) = await list_grants(world, owner)
        await revoke_grant(world, owner, grant.id)

    async def revoke_the_secret() -> None:
        await application_client.rotate(service.client_id)

    return {
        "the application revokes its token": lambda: front.revoke(token),
        "the person revokes the grant": revoke_the_grant,
        "the application is disabled": lambda: update(front.client_id, enabled=False),
        "the application is deleted": lambda: application_client.delete(front.client_id),
        "the service is disabled": lambda: update(service.client_id, enabled=False),
        "the service may exchange nothing": lambda: update(
            service.client_id, grant_types=["client_credentials"]
        ),
        "the secret of the service is revoked": revoke_the_secret,
        "the application names the service no more": lambda: update(
            front.client_id, update_mask={"paths": ["token_exchange_client_ids"]}
        ),
    }


@pytest.mark.parametrize(
    "what",
    [
        "the application revokes its token",
        "the person revokes the grant",
        "the application is disabled",
        "the application is deleted",
        "the service is disabled",
        "the service may exchange nothing",
        "the secret of the service is revoked",
        "the application names the service no more",
    ],
)
async def test_it_ends_at_the_next_call(
    world: World,
    machine: App,
    service: App,
    token: str,
    organization_id: str,
    ends: dict[str, End],
    refused: Refused,
    what: str,
) -> None:
    given = (await trade(service, token)).access_token
    assert await machine.is_active(given)
    await ends[what]()
    await asyncio.sleep(BEHIND)
    attempt = get_organization(world, organization_id, given)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    assert not await machine.is_active(given)


async def test_it_ends_with_the_session(
    world: World, owner: Person, front: App, service: App, organization_id: str, refused: Refused
) -> None:
    granted = (await front.signed_in(owner, scope=" ".join(SCOPES))).access_token
    given = (await trade(service, granted)).access_token
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    attempt = get_organization(world, organization_id, given)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(trade(service, granted), INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_token_that_outlives_the_session_is_exchanged_after_it(
    world: World, owner: Person, service: App, token: str, organization_id: str
) -> None:
    """Keycloak 33611: what was exchanged for an offline token was never active."""
    await world.auth.Logout(auth.LogoutRequest(), metadata=owner.metadata)
    given = (await trade(service, token)).access_token
    assert await get_organization(world, organization_id, given)
    assert await service.is_active(given)


async def test_a_token_that_has_ended_is_not_exchanged(
    world: World, front: App, service: App, token: str, refused: Refused
) -> None:
    with world.clock.later(timedelta(seconds=901)):
        await refused(trade(service, token), INVALID, "OAUTH_INVALID_REQUEST")
    await front.revoke(token)
    await refused(trade(service, token), INVALID, "OAUTH_INVALID_REQUEST")


async def test_it_ends_when_a_service_in_between_is_gone(
    world: World,
    application_client: ApplicationClient,
    owner: Person,
    organization_id: str,
    refused: Refused,
) -> None:
    """Keycloak 52691: it survived that the one who acted before was disabled or deleted."""
    last = await new_service(application_client)
    first = await new_service(application_client, passes_to=[last])
    front = await new_front(application_client, [first])
    granted = (await front.signed_in(owner, scope=ALL)).access_token
    token = (await trade(last, (await trade(first, granted)).access_token)).access_token
    await application_client.delete(first.client_id)
    await asyncio.sleep(BEHIND)
    attempt = get_organization(world, organization_id, token)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")
    await refused(trade(last, token), INVALID, "OAUTH_INVALID_REQUEST")


async def test_a_scope_that_is_taken_from_any_of_them_is_taken_from_the_token(
    world: World,
    application_client: ApplicationClient,
    machine: App,
    front: App,
    service: App,
    token: str,
    organization_id: str,
    refused: Refused,
) -> None:
    given = (await trade(service, token)).access_token
    for app in (service, front):
        await application_client.update(app.client_id, scopes=["projects:read"])
        await asyncio.sleep(BEHIND)
        attempt = get_organization(world, organization_id, given)
        await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert (await machine.introspect(given)).scope == "projects:read"
        await application_client.update(app.client_id, scopes=list(SCOPES))
        await asyncio.sleep(BEHIND)
    assert await get_organization(world, organization_id, given)


async def test_the_service_ends_nothing_that_is_the_applications(
    machine: App, front: App, service: App, token: str
) -> None:
    given = (await trade(service, token)).access_token
    await service.revoke(given)
    await front.revoke(given)
    assert await machine.is_active(token)


async def test_the_service_learns_nothing_of_the_person(
    world: World, service: App, token: str, refused: Refused
) -> None:
    given = (await trade(service, token)).access_token
    attempt = user_info(service, given)
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "OAUTH_INSUFFICIENT_SCOPE")


async def test_each_application_calls_the_person_by_its_own_name(
    world: World, application_client: ApplicationClient, owner: Person, organization_id: str
) -> None:
    """Abblix 261: the name that one application has for a person is nobody to another."""
    service = await new_service(application_client)
    front = await new_front(application_client, [service])
    async with world.engine.begin() as db:
        await db.execute(
            text("update applications set subject_type = 'pairwise' where id = any(:ids)"),
            {"ids": [service.client_id, front.client_id]},
        )
    granted = (await front.signed_in(owner, scope=ALL)).access_token
    given = (await trade(service, granted)).access_token
    assert len({owner.id, claims(granted)["sub"], claims(given)["sub"]}) == 3
    assert await get_organization(world, organization_id, given)


async def test_a_bound_token_gives_no_bearer_token(
    world: World, owner: Person, front: App, service: App, refused: Refused
) -> None:
    """Keycloak 51014: the service has a key of its own, and cannot have the application's."""
    code = await front.code(owner, scope=ALL)
    bound = (await front.exchange(code, dpop_proof=proof(world, KEY))).access_token
    await refused(trade(service, bound), INVALID, "OAUTH_INVALID_REQUEST")
    given = await trade(service, bound, dpop_proof=proof(world, OTHER))
    assert given.token_type == "DPoP"
    assert claims(given.access_token)["cnf"] == {"jkt": OTHER.jkt}
    # Nor does it when it is passed on.
    assert (await service.introspect(given.access_token)).cnf.jkt == OTHER.jkt


async def test_a_bound_actor_token_needs_its_key(
    world: World, service: App, token: str, refused: Refused
) -> None:
    issued = await service.issue("client_credentials", dpop_proof=proof(world, KEY))
    actor = {"actor_token": issued.access_token, "actor_token_type": ACCESS_TOKEN}
    await refused(trade(service, token, **actor), INVALID, "OAUTH_INVALID_REQUEST")
    attempt = trade(service, token, dpop_proof=proof(world, OTHER), **actor)
    await refused(attempt, INVALID, "OAUTH_INVALID_REQUEST")
    given = await trade(service, token, dpop_proof=proof(world, KEY), **actor)
    assert given.token_type == "DPoP"


async def test_the_audit_log_names_who_acts(
    world: World, owner: Person, front: App, service: App, token: str, organization_id: str
) -> None:
    (grant,) = await list_grants(world, owner)
    given = (await trade(service, token)).access_token
    made = await new_project(world, organization_id, given, "a key")
    query = select(AuditEntry).where(AuditEntry.target_id == UUID(made))
    async with AsyncSession(world.engine) as db:
        (entry,) = await db.scalars(query)
    assert (entry.actor_kind, str(entry.actor_id)) == ("grant", grant.id)
    assert entry.details["actors"] == [service.client_id]


async def test_a_service_is_another_caller_than_the_application(
    world: World, service: App, token: str, organization_id: str
) -> None:
    """What the one was answered is not replayed to the other, whatever key they use."""
    given = (await trade(service, token)).access_token
    first = await new_project(world, organization_id, token, "the same key")
    second = await new_project(world, organization_id, given, "the same key")
    assert first != second
    assert second == await new_project(world, organization_id, given, "the same key")


async def new_project(world: World, organization_id: str, token: str, key: str) -> str:
    """The id of a new project, created with an Idempotency-Key."""
    request = projects.CreateProjectRequest(organization_id=organization_id, name="a project")
    metadata = (*bearer(token), ("idempotency-key", key.replace(" ", "-")))
    return str((await world.projects.CreateProject(request, metadata=metadata)).project.id)


async def test_many_at_once_get_a_token_each(service: App, token: str) -> None:
    answers = await asyncio.gather(*(trade(service, token) for _ in range(200)))
    assert len({claims(each.access_token)["jti"] for each in answers}) == 200


def test_the_server_says_that_it_exchanges_tokens() -> None:
    assert GRANT_TYPE in authorization_server_metadata(ISSUER)["grant_types_supported"]
