"""A kind of credential more is one class and one line: what it gets of the pipeline, and what not.

Two kinds are made here. A robot is a program of an organization. An app acts for a person,
within scopes, as OAuth has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.message import Message
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.credentials import Grant, Principal
from portico_kit.edge_state.possession import POSSESSION_HEADER, PossessionSeal
from portico_kit.ids import new_id
from portico_kit.jwt import PUBLIC_AUDIENCE, Claims, TokenIssuer, TokenKind
from portico_kit.storage.reads import Reads
from server.app import ROLES
from server.common.records import AuditEntry
from server.features.auth.authenticator import USER
from server.features.auth.signing_keys import SigningKeys
from server.features.email_changes.facade import EmailChanges
from server.features.keys.authenticator import KEY
from server.features.organizations.facade import Tenants
from server.features.organizations.roles import OWNER
from server.features.users.facade import Accounts
from tests.core.calls import headers
from tests.core.conftest import Refused, running
from tests.core.users.conftest import administrator as administrator
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer, new_email

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
NOT_FOUND = grpc.StatusCode.NOT_FOUND
ROBOT = TokenKind("robot", "portico-robots", media_type="robot+jwt")
APP = TokenKind("app", PUBLIC_AUDIENCE, media_type="at+jwt")
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Robot:
    """A program of an organization."""

    organization_id: UUID
    permissions: frozenset[str]
    networks: tuple[str, ...] = ()
    project_ids: frozenset[UUID] | None = None


@dataclass
class RobotAuthenticator:
    """The robots that are on duty."""

    on_duty: dict[UUID, Robot] = field(default_factory=dict)
    kind: TokenKind = ROBOT

    def principal(self, claims: Claims) -> Principal:
        return Principal(self.kind.name, claims.subject, None, claims.organization_id)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        robot = self.on_duty.get(claims.subject)
        if robot is None:
            return None
        permissions = {robot.organization_id: robot.permissions}
        return Grant(principal, permissions, networks=robot.networks, project_ids=robot.project_ids)


@dataclass
class AppAuthenticator:
    """Apps that act for a person; the token says within which scopes."""

    kind: TokenKind = APP
    reads: Reads = field(init=False)

    def principal(self, claims: Claims) -> Principal:
        return Principal(self.kind.name, claims.subject, person_id=claims.subject)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        account = await Accounts(self.reads, EmailChanges()).load(claims.subject)
        if account is None or not account.active:
            return None
        return Grant(
            principal, await Tenants(self.reads, ROLES).memberships(claims.subject), account
        )


ROBOTS = RobotAuthenticator()
APPS = AppAuthenticator()


@pytest.fixture(scope="session")
async def world(
    request: pytest.FixtureRequest, database_url: str, valkey_url: str
) -> AsyncIterator[World]:
    """A core that knows both kinds: one class each above, and this line."""
    async with running(request.param, database_url, valkey_url, [ROBOTS, APPS]) as world:
        APPS.reads = Reads(database_url)
        yield world
        await APPS.reads.close()


@pytest.fixture
async def issuer(world: World) -> TokenIssuer:
    """Signs tokens with the core's own key."""
    signing_keys = SigningKeys(world.engine, world.secrets, world.clock)
    await signing_keys.load()
    return TokenIssuer(signing_keys, "portico", world.clock)


@pytest.fixture
def robot(organization_id: str) -> UUID:
    """A robot that may read its organization and change it."""
    return on_duty(organization_id, "organization:read", "organization:write")


def on_duty(organization_id: str, *permissions: str, networks: tuple[str, ...] = ()) -> UUID:
    """A new robot with these permissions."""
    robot_id = new_id()
    ROBOTS.on_duty[robot_id] = Robot(UUID(organization_id), frozenset(permissions), networks)
    return robot_id


Sign = Callable[..., Metadata]


@pytest.fixture
def by_robot(issuer: TokenIssuer, organization_id: str) -> Sign:
    """What a call of a robot carries."""

    def sign(robot_id: UUID, **fields: Any) -> Metadata:
        home = UUID(organization_id)
        fields = {"kind": ROBOT, "organization_id": home, "tier": "free", **fields}
        return bearer(issuer.issue(subject=robot_id, **fields))

    return sign


@pytest.fixture
def by_app(issuer: TokenIssuer) -> Sign:
    """What a call of an app carries that acts for a person; without scopes, within none."""

    def sign(person: Person, *scopes: str) -> Metadata:
        token = issuer.issue(
            kind=APP,
            subject=UUID(person.id),
            organization_id=None,
            tier="free",
            scopes=frozenset(scopes) or None,
        )
        return bearer(token)

    return sign


def get(organization_id: str) -> pb.GetOrganizationRequest:
    return pb.GetOrganizationRequest(organization_id=organization_id)


def invite(organization_id: str, email: str = "") -> pb.CreateInvitationRequest:
    return pb.CreateInvitationRequest(
        organization_id=organization_id, email=email or new_email(), role="viewer"
    )


def rename(organization_id: str, name: str) -> pb.UpdateOrganizationRequest:
    return pb.UpdateOrganizationRequest(organization_id=organization_id, name=name)


def list_keys(organization_id: str) -> keys.ListApiKeysRequest:
    return keys.ListApiKeysRequest(organization_id=organization_id)


def create_key(organization_id: str, *scopes: str) -> keys.CreateApiKeyRequest:
    return keys.CreateApiKeyRequest(organization_id=organization_id, name="a key", scopes=scopes)


async def audit_entry(world: World, target_id: str, action: str) -> AuditEntry:
    query = select(AuditEntry).where(
        AuditEntry.target_id == UUID(target_id), AuditEntry.action == action
    )
    async with AsyncSession(world.engine) as db:
        return (await db.scalars(query)).one()


# A program --------------------------------------------------------------------


async def test_a_robot_does_what_its_permissions_allow_in_its_organization(
    world: World, organization_id: str, robot: UUID, by_robot: Sign
) -> None:
    answer = await world.organizations.GetOrganization(
        get(organization_id), metadata=by_robot(robot)
    )
    assert answer.organization.id == organization_id
    assert answer.organization.role == ""


async def test_a_robot_that_lacks_the_permission_is_refused(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    attempt = world.keys.ListApiKeys(list_keys(organization_id), metadata=by_robot(robot))
    assert (await refused(attempt, DENIED, "PERMISSION_DENIED")).metadata == {
        "permission": "keys:read"
    }


async def test_another_tenant_does_not_exist_for_a_robot(
    world: World, stranger: Person, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    theirs = await world.new_organization(stranger)
    claiming = by_robot(robot, organization_id=UUID(theirs))
    for metadata in (by_robot(robot), claiming):
        attempt = world.organizations.GetOrganization(get(theirs), metadata=metadata)
        await refused(attempt, NOT_FOUND, "NOT_FOUND")


async def test_a_robot_off_duty_is_refused_at_the_next_call(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    metadata = by_robot(robot)
    await world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    del ROBOTS.on_duty[robot]
    attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_method_that_forgets_projects_answers_nobody_who_is_bound_to_some(
    world: World, organization_id: str, by_robot: Sign, refused: Refused
) -> None:
    rights = ("organization:read", "organization:write")
    bound, free = on_duty(organization_id, *rights), on_duty(organization_id, *rights)
    ROBOTS.on_duty[bound] = replace(ROBOTS.on_duty[bound], project_ids=frozenset())
    attempt = world.organizations.UpdateOrganization(
        rename(organization_id, "not by a bound one"), metadata=by_robot(bound)
    )
    await refused(attempt, grpc.StatusCode.INTERNAL, "INTERNAL")
    kept = await world.organizations.GetOrganization(get(organization_id), metadata=by_robot(free))
    assert kept.organization.name != "not by a bound one"


async def test_a_robot_is_let_in_from_its_networks_alone(
    world: World, organization_id: str, by_robot: Sign, refused: Refused
) -> None:
    near = on_duty(organization_id, "organization:read", networks=("127.0.0.0/8", "::1/128"))
    far = on_duty(organization_id, "organization:read", networks=("192.0.2.0/24",))
    request = get(organization_id)
    await world.organizations.GetOrganization(request, metadata=by_robot(near))
    attempt = world.organizations.GetOrganization(request, metadata=by_robot(far))
    await refused(attempt, DENIED, "ADDRESS_NOT_ALLOWED")


async def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    """RFC 9449, section 7.2: only our edge, which checks proofs, sends it on."""
    metadata = by_robot(robot, private={"cnf": {"jkt": "the thumbprint"}})
    token = metadata[0][1].removeprefix("Bearer ")
    seal = PossessionSeal(INTERNAL_TOKEN)
    for forged in (None, "", seal.make("another token"), PossessionSeal("guessed").make(token)):
        sent = metadata if forged is None else (*metadata, (POSSESSION_HEADER, forged))
        attempt = world.organizations.GetOrganization(get(organization_id), metadata=sent)
        await refused(attempt, UNAUTHENTICATED, "TOKEN_BOUND")
    sealed = (*metadata, (POSSESSION_HEADER, seal.make(token)))
    answer = await world.organizations.GetOrganization(get(organization_id), metadata=sealed)
    assert answer.organization.id == organization_id


@pytest.mark.parametrize("cnf", [None, {}, "text", {"x5t#S256": "a certificate"}], ids=repr)
async def test_a_confirmation_of_any_form_makes_a_token_no_bearer_token(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused, cnf: Any
) -> None:
    metadata = by_robot(robot, private={"cnf": cnf or []})
    attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "TOKEN_BOUND")


async def test_a_robots_token_is_narrowed_by_its_scopes(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    reading = by_robot(robot, scopes=frozenset({"organization:read", "keys:read"}))
    await world.organizations.GetOrganization(get(organization_id), metadata=reading)
    changing = world.organizations.UpdateOrganization(
        rename(organization_id, "x"), metadata=reading
    )
    await refused(changing, DENIED, "PERMISSION_DENIED")
    listing = world.keys.ListApiKeys(list_keys(organization_id), metadata=reading)
    await refused(listing, DENIED, "PERMISSION_DENIED")


async def test_a_robot_gives_no_key_a_scope_that_its_token_lacks(
    world: World, organization_id: str, by_robot: Sign, refused: Refused
) -> None:
    robot = on_duty(organization_id, "keys:write", "webhooks:write")
    narrow = by_robot(robot, scopes=frozenset({"keys:write"}))
    request = create_key(organization_id, "webhooks:write")
    await refused(world.keys.CreateApiKey(request, metadata=narrow), DENIED, "SCOPE_NOT_GRANTABLE")
    assert await world.keys.CreateApiKey(request, metadata=by_robot(robot))


async def test_the_audit_log_names_the_robot(
    world: World, organization_id: str, by_robot: Sign
) -> None:
    robot = on_duty(organization_id, "keys:write")
    request = create_key(organization_id, "keys:write")
    answer = await world.keys.CreateApiKey(request, metadata=by_robot(robot))
    entry = await audit_entry(world, answer.api_key.id, "key.created")
    assert (entry.actor_kind, entry.actor_id) == ("robot", robot)
    assert answer.api_key.created_by == ""


async def test_an_idempotency_key_belongs_to_the_kind_of_the_caller_too(
    world: World, owner: Person, organization_id: str, by_robot: Sign
) -> None:
    """A robot whose id is a person's gets nothing of theirs."""
    namesake = UUID(owner.id)
    ROBOTS.on_duty[namesake] = Robot(UUID(organization_id), frozenset({"organization:write"}))
    key = ("idempotency-key", str(uuid4()))
    request = rename(organization_id, "the same request")
    replayed = []
    for metadata in (owner.metadata, by_robot(namesake), by_robot(namesake), owner.metadata):
        call = world.organizations.UpdateOrganization(request, metadata=(*metadata, key))
        await call
        replayed.append((await headers(call)).get("idempotent-replayed"))
    assert replayed == [None, None, "true", "true"]


async def test_a_replay_needs_the_scope_that_the_call_needed(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    key = ("idempotency-key", str(uuid4()))
    request = rename(organization_id, "once")
    await world.organizations.UpdateOrganization(request, metadata=(*by_robot(robot), key))
    reading = by_robot(robot, scopes=frozenset({"organization:read"}))
    attempt = world.organizations.UpdateOrganization(request, metadata=(*reading, key))
    await refused(attempt, DENIED, "PERMISSION_DENIED")


async def test_a_robot_is_no_person(world: World, robot: UUID, by_robot: Sign) -> None:
    await none_of_a_persons_own(world, by_robot(robot))


async def test_a_robot_has_no_rights_on_the_platform(
    world: World, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    for scopes in (None, frozenset({"users:read"})):
        metadata = by_robot(robot, scopes=scopes)
        attempt = world.users.ListUsers(users.ListUsersRequest(), metadata=metadata)
        await refused(attempt, DENIED, "PERMISSION_DENIED")


async def test_a_robot_calls_no_internal_method(
    world: World, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    attempt = world.keys.VerifyApiKey(
        keys.VerifyApiKeyRequest(secret="x"), metadata=by_robot(robot)
    )
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_robot_does_not_invite_for_it_could_not_be_asked_again(
    world: World, organization_id: str, by_robot: Sign, refused: Refused
) -> None:
    robot = on_duty(organization_id, *ROLES[OWNER])
    request = invite(organization_id)
    attempt = world.organizations.CreateInvitation(request, metadata=by_robot(robot))
    await refused(attempt, DENIED, "PERMISSION_DENIED")
    assert await world.mails(request.email, "invitation") == []


@pytest.mark.parametrize("kind", [USER, KEY], ids=lambda kind: kind.name)
async def test_the_id_of_a_robot_is_nobody_of_another_kind(
    world: World,
    organization_id: str,
    robot: UUID,
    by_robot: Sign,
    kind: TokenKind,
    refused: Refused,
) -> None:
    metadata = by_robot(robot, kind=kind, session_id=robot, secret_id="0123456789abcdef")
    attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


# For a person -------------------------------------------------------------------


async def test_an_app_does_what_the_person_may_do_within_its_scopes(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    reading = by_app(owner, "keys:read")
    await world.keys.ListApiKeys(list_keys(organization_id), metadata=reading)
    attempt = world.keys.CreateApiKey(create_key(organization_id, "keys:read"), metadata=reading)
    await refused(attempt, DENIED, "PERMISSION_DENIED")


async def test_an_app_does_nothing_that_the_person_may_not(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    viewer = await world.new_member(organization_id, owner, "viewer")
    metadata = by_app(viewer, "keys:read", "keys:write")
    attempt = world.keys.CreateApiKey(create_key(organization_id, "keys:read"), metadata=metadata)
    await refused(attempt, DENIED, "PERMISSION_DENIED")


async def test_what_an_app_makes_is_the_persons_and_the_audit_log_names_the_app(
    world: World, owner: Person, organization_id: str, by_app: Sign
) -> None:
    request = create_key(organization_id, "keys:write")
    answer = await world.keys.CreateApiKey(request, metadata=by_app(owner, "keys:write"))
    entry = await audit_entry(world, answer.api_key.id, "key.created")
    assert (entry.actor_kind, str(entry.actor_id)) == ("app", owner.id)
    assert answer.api_key.created_by == owner.id


@pytest.mark.parametrize("scopes", [(), ("members:write",), ("users:read",)], ids=str)
async def test_an_app_does_nothing_that_takes_the_person(
    world: World, owner: Person, by_app: Sign, scopes: tuple[str, ...]
) -> None:
    await none_of_a_persons_own(world, by_app(owner, *scopes))


async def test_a_session_that_is_narrowed_does_not_act_as_the_person(
    world: World, owner: Person, organization_id: str, issuer: TokenIssuer, refused: Refused
) -> None:
    session = await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=owner.metadata)
    narrowed = bearer(
        issuer.issue(
            kind=USER,
            subject=UUID(owner.id),
            session_id=UUID(session.sessions[0].id),
            organization_id=None,
            tier="free",
            scopes=frozenset({"organization:read"}),
        )
    )
    await world.organizations.GetOrganization(get(organization_id), metadata=narrowed)
    await none_of_a_persons_own(world, narrowed)


async def test_an_app_without_the_scope_does_not_end_the_persons_membership(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    """The person needs no permission for that; who acts for them does."""
    member = await world.new_member(organization_id, owner, "member")
    request = pb.RemoveMemberRequest(organization_id=organization_id, user_id=member.id)
    attempt = world.organizations.RemoveMember(request, metadata=by_app(member, "keys:read"))
    await refused(attempt, DENIED, "PERMISSION_DENIED")
    await world.organizations.RemoveMember(request, metadata=member.metadata)


async def test_an_app_of_an_owner_grants_no_more_than_its_scopes(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    metadata = by_app(owner, "members:read", "members:write")
    request = pb.UpdateMemberRequest(
        organization_id=organization_id, user_id=member.id, role="owner"
    )
    granting = world.organizations.UpdateMember(request, metadata=metadata)
    await refused(granting, DENIED, "ROLE_NOT_GRANTABLE")
    removing = world.organizations.RemoveMember(
        pb.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
        metadata=metadata,
    )
    await refused(removing, DENIED, "ROLE_NOT_GRANTABLE")


async def test_an_app_has_an_administrators_rights_only_if_its_scopes_name_them(
    world: World, administrator: Person, by_app: Sign, refused: Refused
) -> None:
    request = users.ListUsersRequest()
    for metadata in (by_app(administrator), by_app(administrator, "keys:read", "users:write")):
        attempt = world.users.ListUsers(request, metadata=metadata)
        await refused(attempt, DENIED, "PERMISSION_DENIED")
    await world.users.ListUsers(request, metadata=by_app(administrator, "users:read"))


async def test_an_app_gives_nobody_an_administrators_rights(
    world: World, owner: Person, by_app: Sign, refused: Refused
) -> None:
    attempt = world.users.ListUsers(users.ListUsersRequest(), metadata=by_app(owner, "users:read"))
    await refused(attempt, DENIED, "PERMISSION_DENIED")


async def test_an_app_uses_up_the_mails_of_the_person(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    """They may send 20 an hour, and an organization as many."""
    app = by_app(owner, *ROLES[OWNER])
    for home, metadata in (
        (organization_id, owner.metadata),
        (await world.new_organization(owner), app),
    ):
        for _ in range(10):
            await world.organizations.CreateInvitation(invite(home), metadata=metadata)
    attempt = world.organizations.CreateInvitation(invite(organization_id), metadata=app)
    await refused(attempt, grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")


async def test_an_invitation_by_an_app_is_as_good_as_the_persons_right(
    world: World, owner: Person, organization_id: str, by_app: Sign
) -> None:
    guest = await world.new_person()
    answer = await world.organizations.CreateInvitation(
        invite(organization_id, guest.email),
        metadata=by_app(owner, *ROLES["member"], "members:write"),
    )
    assert (answer.invitation.invited_by, answer.invitation.invited_by_api_key) == (owner.id, "")
    token = (await world.mail(guest.email, "invitation"))["token"]
    await world.organizations.AcceptInvitation(
        pb.AcceptInvitationRequest(token=token), metadata=guest.metadata
    )


async def test_an_app_of_a_suspended_person_is_refused(
    world: World,
    owner: Person,
    administrator: Person,
    organization_id: str,
    by_app: Sign,
    refused: Refused,
) -> None:
    metadata = by_app(owner, "organization:read")
    await world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    suspend = users.UpdateUserRequest(user_id=owner.id, status="suspended")
    await world.users.UpdateUser(suspend, metadata=administrator.metadata)
    attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    await refused(attempt, UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_an_app_loses_what_the_person_loses(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    member = await world.new_member(organization_id, owner, "member")
    metadata = by_app(member, "organization:read")
    await world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    request = pb.RemoveMemberRequest(organization_id=organization_id, user_id=member.id)
    await world.organizations.RemoveMember(request, metadata=owner.metadata)
    attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
    await refused(attempt, NOT_FOUND, "NOT_FOUND")


async def test_what_an_app_ended_is_not_repeated_to_it(
    world: World, owner: Person, organization_id: str, by_app: Sign, refused: Refused
) -> None:
    """Only a person who is signed in is answered after the end of their own access."""
    key = ("idempotency-key", str(uuid4()))
    metadata = (*by_app(owner, "organization:delete"), key)
    request = pb.DeleteOrganizationRequest(organization_id=organization_id)
    await world.organizations.DeleteOrganization(request, metadata=metadata)
    attempt = world.organizations.DeleteOrganization(request, metadata=metadata)
    await refused(attempt, NOT_FOUND, "NOT_FOUND")


async def test_an_expired_token_of_a_new_kind_is_reported_as_such(
    world: World, organization_id: str, robot: UUID, by_robot: Sign, refused: Refused
) -> None:
    metadata = by_robot(robot, lifetime=timedelta(minutes=1))
    with world.clock.later(timedelta(minutes=2)):
        attempt = world.organizations.GetOrganization(get(organization_id), metadata=metadata)
        await refused(attempt, UNAUTHENTICATED, "TOKEN_EXPIRED")


async def none_of_a_persons_own(world: World, metadata: Metadata) -> None:
    """Whoever carries this is refused by every method that takes a person who is signed in."""
    attempts: list[Awaitable[Message]] = [
        world.users.GetMe(users.GetMeRequest(), metadata=metadata),
        world.users.UpdateMe(users.UpdateMeRequest(bio="mine"), metadata=metadata),
        world.users.ChangePassword(users.ChangePasswordRequest(), metadata=metadata),
        world.auth.ListSessions(auth.ListSessionsRequest(), metadata=metadata),
        world.auth.SwitchOrganization(auth.SwitchOrganizationRequest(), metadata=metadata),
        world.organizations.CreateOrganization(
            pb.CreateOrganizationRequest(name="mine"), metadata=metadata
        ),
        world.organizations.LeaveOrganization(pb.LeaveOrganizationRequest(), metadata=metadata),
    ]
    for attempt in attempts:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await attempt
        assert caught.value.code() is DENIED
