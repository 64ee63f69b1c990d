"""A database that 0.1.0 left is brought to today, and everybody in it goes on as before."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import grpc
import psycopg
import pytest
from google.protobuf.message import Message
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users
from portico.webhooks.v1 import webhook_service_pb2 as webhooks
from psycopg import sql
from sqlalchemy import text
from standardwebhooks import Webhook

from portico_kit.storage.base import sessions
from server.app import ROLES
from server.common.outbound_addresses import AddressPolicy
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.delivery.http import WebhookClient
from server.migrations import upgrade
from tests.core.world import INTERNAL_TOKEN, PASSWORD, Person, World, bearer, refusal
from tests.migrations.conftest import DUMP, Left
from tests.migrations.test_revisions import differences, tables
from tests.workers.harness import Received, Receiver, receiving

Content = Mapping[str, list[tuple[object, ...]]]
# What a revision deletes, and why: the answers that 0.1.0 kept for repetitions could hold a
# credential. What a role allows was in the database and is in the code alone.
DELETED = {"idempotency_keys", "permissions", "role_permissions"}


def content(url: str) -> Content:
    """Every row of every table."""
    with psycopg.connect(url) as connection:
        return {
            name: sorted(
                connection.execute(sql.SQL("select * from {}").format(sql.Identifier(name))),
                key=repr,
            )
            for name in sorted({*tables(url), "alembic_version"})
        }


def counts(found: Content) -> dict[str, int]:
    return {name: len(rows) for name, rows in found.items() if name not in DELETED}


def test_what_0_1_0_left_has_rows_in_every_table(old_database: str) -> None:
    assert [name for name, rows in content(old_database).items() if not rows] == []
    assert content(old_database)["alembic_version"] == [("0005",)]


def test_after_the_upgrade_the_database_is_what_the_models_say(old_database: str) -> None:
    upgrade(old_database)
    assert differences(old_database) == []


def test_after_the_upgrade_the_roles_are_those_of_the_code(old_database: str) -> None:
    with psycopg.connect(old_database) as connection:
        connection.execute("insert into roles values ('emperor')")
        connection.execute("delete from invitations where role = 'viewer'")
        connection.execute("delete from memberships where role = 'viewer'")
        connection.execute("delete from role_permissions where role = 'viewer'")
        connection.execute("delete from roles where name = 'viewer'")
    upgrade(old_database)
    assert {name for (name,) in content(old_database)["roles"]} == set(ROLES)


def test_the_upgrade_keeps_every_row(old_database: str) -> None:
    before = counts(content(old_database))
    upgrade(old_database)
    after = counts(content(old_database))
    assert {name: after[name] for name in before} == before


def test_the_upgrade_keeps_every_value(old_database: str) -> None:
    before = content(old_database)
    upgrade(old_database)
    after = content(old_database)
    for name in before.keys() - DELETED - {"alembic_version"}:
        width = len(before[name][0])
        assert sorted((row[:width] for row in after[name]), key=repr) == before[name], name


def files(url: str) -> dict[str, int]:
    """The file of each table: another one if the table was written as a whole."""
    query = "select relname, pg_relation_filenode(oid) from pg_class where relkind = 'r'"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query).fetchall())


def test_the_upgrade_keeps_nobody_waiting_while_it_writes_a_table(old_database: str) -> None:
    """That takes an exclusive lock for as long as there are rows."""
    before = files(old_database)
    upgrade(old_database)
    after = files(old_database)
    assert {name for name in before.keys() & after.keys() if before[name] != after[name]} == set()


def test_each_session_that_begins_after_the_upgrade_has_a_seed_of_its_own(
    old_database: str,
) -> None:
    """Also those that a process of 0.1 begins, which does not know of seeds."""
    upgrade(old_database)
    columns = sql.SQL(
        "user_id, user_agent, ip_address, created_at, last_used_at, expires_at, absolute_expires_at"
    )
    add = sql.SQL(
        "insert into sessions (id, {0}) select gen_random_uuid(), {0} from sessions"
        " returning refresh_seed"
    )
    with psycopg.connect(old_database) as connection:
        there = connection.execute("select distinct refresh_seed from sessions").fetchall()
        begun = [seed for (seed,) in connection.execute(add.format(columns))]
    assert [len(seed) for seed in begun] == [16] * len(begun)
    assert len({*begun, *(seed for (seed,) in there)}) == len(begun) + len(there)


def test_a_second_upgrade_changes_nothing(old_database: str) -> None:
    upgrade(old_database)
    before = content(old_database)
    upgrade(old_database)
    assert content(old_database) == before


def test_the_dump_says_nothing_of_the_machine_that_made_it() -> None:
    made = DUMP.read_text()
    assert not [word for word in ("/tmp", "/home", "/root", "/work", "Dumped") if word in made]


async def test_old_passwords_sign_in(world: World, left: Left) -> None:
    for who in ("owner", "admin", "member", "viewer", "administrator"):
        person = await world.sign_in(left.email(who), left["password"])
        me = await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
        assert (me.user.email, person.password) == (left.email(who), PASSWORD)


async def test_a_suspended_person_stays_suspended(world: World, left: Left) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await world.sign_in(left.email("suspended"))
    assert refusal(caught.value).reason == "ACCOUNT_SUSPENDED"


async def test_an_old_session_goes_on_with_its_refresh_token(world: World, left: Left) -> None:
    request = auth.RefreshTokenRequest(refresh_token=left["session"]["refresh_token"])
    pair = await world.auth.RefreshToken(request)
    me = await world.users.GetMe(users.GetMeRequest(), metadata=bearer(pair.access_token))
    assert me.user.email == left["session"]["email"]


async def test_an_old_session_is_signed_out_of_with_its_refresh_token(
    world: World, left: Left
) -> None:
    token = left["session"]["refresh_token"]
    await world.auth.Logout(auth.LogoutRequest(refresh_token=token))
    with pytest.raises(aio.AioRpcError) as caught:
        await world.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=token))
    assert refusal(caught.value).reason == "REFRESH_TOKEN_INVALID"


async def test_links_that_were_mailed_still_lead_somewhere(world: World, left: Left) -> None:
    unverified, reset = left["unverified"], left["reset"]
    await world.auth.VerifyEmail(auth.VerifyEmailRequest(token=unverified["token"]))
    assert (await world.sign_in(unverified["email"])).email == unverified["email"]
    password = "a new horse battery"
    await world.auth.ResetPassword(
        auth.ResetPasswordRequest(token=reset["token"], new_password=password)
    )
    try:
        await world.sign_in(reset["email"], password)
    finally:
        await keep_password(world, reset["email"], password)


async def keep_password(world: World, email: str, password: str) -> None:
    """Sets the password of somebody back, for the other tests."""
    person = await world.sign_in(email, password)
    await world.users.ChangePassword(
        users.ChangePasswordRequest(current_password=password, new_password=PASSWORD),
        metadata=person.metadata,
    )


async def test_an_old_invitation_can_be_accepted(world: World, left: Left) -> None:
    joan = await world.sign_in(left.email("invited"))
    await world.organizations.AcceptInvitation(
        organizations.AcceptInvitationRequest(token=left["invitation"]["token"]),
        metadata=joan.metadata,
    )
    found = await world.organizations.ListOrganizations(
        organizations.ListOrganizationsRequest(), metadata=joan.metadata
    )
    assert [each.id for each in found.organizations] == [left["organization_id"]]


async def verify(world: World, secret: str) -> keys.VerifyApiKeyResponse:
    """What the edge asks about a key."""
    return await world.keys.VerifyApiKey(
        keys.VerifyApiKeyRequest(secret=secret), metadata=bearer(INTERNAL_TOKEN)
    )


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("api_key", "secret"),
        ("cidr_key", "secret"),
        ("rotated_key", "secret"),
        ("rotated_key", "previous_secret"),
    ],
)
async def test_old_api_keys_verify(world: World, left: Left, name: str, field: str) -> None:
    verified = await verify(world, left[name][field])
    assert verified.api_key.id == left[name]["id"]
    assert verified.api_key.organization_id == left["organization_id"]


async def test_keys_that_were_imported_verify_used_or_not(world: World, left: Left) -> None:
    for secret in (*left["imported_keys"], left["used_imported_key"]):
        verified = await verify(world, secret)
        organization = await world.organizations.GetOrganization(
            organizations.GetOrganizationRequest(organization_id=left["organization_id"]),
            metadata=bearer(verified.access_token),
        )
        assert organization.organization.id == verified.api_key.organization_id


@pytest.mark.parametrize("name", ["revoked_key", "expired_key"])
async def test_keys_that_had_ended_stay_ended(world: World, left: Left, name: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await verify(world, left[name]["secret"])
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
async def owner(world: World, left: Left) -> Person:
    """The owner of the organization that 0.1.0 left, signed in."""
    return await world.sign_in(left.email("owner"))


async def test_what_a_key_had_is_shown(world: World, left: Left, owner: Person) -> None:
    answer = await world.keys.GetApiKey(
        keys.GetApiKeyRequest(api_key_id=left["api_key"]["id"]), metadata=owner.metadata
    )
    assert answer.api_key.use_count > 0
    assert answer.api_key.limits.per_minute == 600
    assert answer.api_key.HasField("last_used_at")


async def test_every_list_answers(world: World, left: Left, owner: Person) -> None:
    administrator = await world.sign_in(left.email("administrator"))
    orgs, of = world.organizations, {"organization_id": left["organization_id"]}
    hook, mine = left["webhook"]["id"], owner.metadata
    answers: Sequence[tuple[str, Awaitable[Message]]] = (
        (
            "organizations",
            orgs.ListOrganizations(organizations.ListOrganizationsRequest(), metadata=mine),
        ),
        ("members", orgs.ListMembers(organizations.ListMembersRequest(**of), metadata=mine)),
        (
            "invitations",
            orgs.ListInvitations(organizations.ListInvitationsRequest(**of), metadata=mine),
        ),
        ("api_keys", world.keys.ListApiKeys(keys.ListApiKeysRequest(**of), metadata=mine)),
        (
            "webhooks",
            world.webhooks.ListWebhooks(webhooks.ListWebhooksRequest(**of), metadata=mine),
        ),
        (
            "deliveries",
            world.webhooks.ListDeliveries(
                webhooks.ListDeliveriesRequest(webhook_id=hook), metadata=mine
            ),
        ),
        ("sessions", world.auth.ListSessions(auth.ListSessionsRequest(), metadata=mine)),
        (
            "users",
            world.users.ListUsers(users.ListUsersRequest(), metadata=administrator.metadata),
        ),
        ("keys", world.auth.GetJsonWebKeySet(auth.GetJsonWebKeySetRequest())),
    )
    for name, answer in answers:
        assert len(getattr(await answer, name)) > 0, name


async def test_the_limits_of_an_organization_stay(world: World, left: Left) -> None:
    administrator = await world.sign_in(left.email("administrator"))
    answer = await world.organizations.GetOrganizationLimits(
        organizations.GetOrganizationLimitsRequest(organization_id=left["organization_id"]),
        metadata=administrator.metadata,
    )
    assert answer.limits.multiplier_percent == 200
    assert answer.limits.read.per_minute == 5000
    assert list(answer.limits.shadow_rules) == ["write.hour"]


async def test_a_mail_that_waited_can_be_sent(world: World) -> None:
    waiting = await world.mail("waiting@example.com", "invitation")
    assert waiting["organization_name"] == "Analytical Engines Ltd"
    assert waiting["token"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """The endpoint of the customer, which has moved."""
    async with receiving() as receiver:
        yield receiver


def signed_with(secret: str, request: Received) -> bool:
    """Whether a request carries the signature of its content at the moment that it names."""
    headers = request.headers
    sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    expected = Webhook(secret).sign(request.webhook_id, sent_at, request.body.decode())
    return expected in headers["webhook-signature"].split()


FanOut = Callable[[], Awaitable[None]]


@pytest.fixture
async def deliver(world: World) -> AsyncIterator[FanOut]:
    """Does what the workers do: events become deliveries, and what is due is sent."""
    client = WebhookClient(AddressPolicy(allow_loopback=True), world.clock, "test")
    database = sessions(world.engine)
    deliverer = Deliverer(database, client, world.secrets, world.clock)

    async def run() -> None:
        await EventFanOut(database, world.clock, deliverer.deliver)()
        await deliverer.deliver_due()
        await deliverer.settle()

    yield run
    await client.close()


async def test_old_webhooks_get_what_waited_and_what_is_new_under_their_old_secret(
    world: World, left: Left, owner: Person, receiver: Receiver, deliver: FanOut
) -> None:
    webhook = left["webhook"]
    await world.webhooks.UpdateWebhook(
        webhooks.UpdateWebhookRequest(webhook_id=webhook["id"], url=receiver.url),
        metadata=owner.metadata,
    )
    await world.webhooks.TestWebhook(
        webhooks.TestWebhookRequest(webhook_id=webhook["id"]), metadata=owner.metadata
    )
    await deliver()
    assert all(signed_with(webhook["secret"], request) for request in receiver.requests)
    # One had failed once; of one there was only the event.
    assert {"organization.updated", "key.created", "webhook.test"} <= {
        json.loads(request.body)["type"] for request in receiver.requests
    }
    async with world.engine.connect() as connection:
        pending = "select count(*) from deliveries where webhook_id = :id and status = 'pending'"
        assert await connection.scalar(text(pending), {"id": UUID(webhook["id"])}) == 0


async def test_a_failed_delivery_can_be_sent_again(
    world: World, left: Left, owner: Person, receiver: Receiver, deliver: FanOut
) -> None:
    webhook = left["webhook"]
    await world.webhooks.UpdateWebhook(
        webhooks.UpdateWebhookRequest(webhook_id=webhook["id"], url=receiver.url),
        metadata=owner.metadata,
    )
    failed = await world.webhooks.ListDeliveries(
        webhooks.ListDeliveriesRequest(webhook_id=webhook["id"], status="failed"),
        metadata=owner.metadata,
    )
    [delivery] = failed.deliveries
    await world.webhooks.RedeliverDelivery(
        webhooks.RedeliverDeliveryRequest(delivery_id=delivery.id), metadata=owner.metadata
    )
    await deliver()
    assert delivery.id in {request.webhook_id for request in receiver.requests}
    shown = await world.webhooks.GetDelivery(
        webhooks.GetDeliveryRequest(delivery_id=delivery.id), metadata=owner.metadata
    )
    assert [attempt.response_status for attempt in shown.delivery.attempts] == [500] * 4 + [200]


async def test_the_secret_of_an_old_webhook_can_be_rotated(
    world: World, left: Left, owner: Person
) -> None:
    answer = await world.webhooks.RotateWebhookSecret(
        webhooks.RotateWebhookSecretRequest(webhook_id=left["disabled_webhook"]["id"]),
        metadata=owner.metadata,
    )
    assert answer.secret.startswith("whsec_")


async def test_a_process_of_before_cannot_give_a_role_that_a_newer_release_has_removed(
    world: World, left: Left, owner: Person
) -> None:
    async with world.engine.begin() as connection:
        for table in ("memberships", "invitations"):
            await connection.execute(
                text(f"update {table} set role = 'member' where role = 'viewer'")  # noqa: S608
            )
        await connection.execute(text("delete from roles where name = 'viewer'"))
    with pytest.raises(aio.AioRpcError) as caught:
        await world.organizations.CreateInvitation(
            organizations.CreateInvitationRequest(
                organization_id=left["organization_id"],
                email="late.comer@example.com",
                role="viewer",
            ),
            metadata=owner.metadata,
        )
    assert refusal(caught.value).reason == "UNAVAILABLE"
