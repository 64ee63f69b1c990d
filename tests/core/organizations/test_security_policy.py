"""An organization requires a second factor of its members: who may say so, and what follows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.factors.v1 import factor_service_pb2 as factors
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as pb
from portico.organizations.v1.organization_pb2 import SecurityPolicy
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.storage.base import sessions
from server.common.records import Event
from server.features.emails.facade import Mailer
from server.features.emails.models import Email
from server.features.organizations.models import Membership, Organization
from server.features.organizations.policy_notices import BATCH, PolicyNotices
from server.features.users.models import User
from tests.core.calls import if_match
from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import Protected, enroll_app
from tests.core.factors.conftest import protected as protected
from tests.core.passkeys.conftest import Visitor
from tests.core.passkeys.conftest import holder as holder
from tests.core.passkeys.conftest import visitor as visitor
from tests.core.world import Person, World, bearer

INSUFFICIENT = "INSUFFICIENT_USER_AUTHENTICATION"
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
DAY = timedelta(days=1)


async def require(
    world: World, owner: Person, organization_id: str, after: timedelta | None = None, **fields: Any
) -> SecurityPolicy:
    """Requires a second factor, from now or so much later on."""
    request = pb.UpdateSecurityPolicyRequest(
        organization_id=organization_id, **{"second_factor": "required", **fields}
    )
    if after is not None:
        request.second_factor_from.FromDatetime(world.clock() + after)
    answer = await world.organizations.UpdateSecurityPolicy(request, metadata=owner.metadata)
    return answer.policy


def get(world: World, person: Person, organization_id: str) -> Any:
    return world.organizations.GetOrganization(
        pb.GetOrganizationRequest(organization_id=organization_id), metadata=person.metadata
    )


async def listed(world: World, person: Person) -> Any:
    answer = await world.organizations.ListOrganizations(
        pb.ListOrganizationsRequest(), metadata=person.metadata
    )
    return {each.id: each for each in answer.organizations}


@pytest.fixture
async def strict(world: World, protected: Protected, organization_id: str) -> str:
    """An organization whose owner has an app, and who requires one of everybody from now on."""
    await require(world, protected.person, organization_id)
    return organization_id


async def test_nothing_is_required_until_an_owner_says_so(
    world: World, owner: Person, organization_id: str, stranger: Person, refused: Refused
) -> None:
    request = pb.GetSecurityPolicyRequest(organization_id=organization_id)
    answer = await world.organizations.GetSecurityPolicy(request, metadata=owner.metadata)
    assert answer.policy == SecurityPolicy(organization_id=organization_id, second_factor="off")
    call = world.organizations.GetSecurityPolicy(request, metadata=stranger.metadata)
    await refused(call, grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_a_member_without_a_factor_can_do_nothing_there_and_all_else(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    member = await world.new_member(organization_id, protected.person, "member")
    key = await world.new_key(organization_id, member)
    own = await world.new_organization(member)
    await require(world, protected.person, organization_id)

    found = await refused(get(world, member, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    assert found.metadata == {
        "missing": "enrollment",
        "acr_values": "urn:portico:aal2",
        "methods": "",
        "organization_id": organization_id,
    }
    for call in (
        world.keys.GetApiKey(
            keys.GetApiKeyRequest(api_key_id=key.api_key.id), metadata=member.metadata
        ),
        world.keys.RevokeApiKey(
            keys.RevokeApiKeyRequest(api_key_id=key.api_key.id), metadata=member.metadata
        ),
        world.organizations.RemoveMember(
            pb.RemoveMemberRequest(organization_id=organization_id, user_id=member.id),
            metadata=member.metadata,
        ),
    ):
        await refused(call, UNAUTHENTICATED, INSUFFICIENT)

    assert (await get(world, member, own)).organization.id == own
    assert await world.users.GetMe(users.GetMeRequest(), metadata=member.metadata)
    assert set(await listed(world, member)) == {organization_id, own}
    # A program is no person: its key goes on working.
    program = await world.key_metadata(key.secret)
    request = pb.GetOrganizationRequest(organization_id=organization_id)
    assert await world.organizations.GetOrganization(request, metadata=program)
    await world.organizations.LeaveOrganization(
        pb.LeaveOrganizationRequest(organization_id=organization_id), metadata=member.metadata
    )


async def test_who_enrolls_a_factor_goes_on_in_the_same_session(
    world: World, protected: Protected, strict: str, refused: Refused
) -> None:
    member = await world.new_member(strict, protected.person, "viewer")
    await refused(get(world, member, strict), UNAUTHENTICATED, INSUFFICIENT)
    await enroll_app(world, member)
    assert await get(world, member, strict)


async def test_a_session_has_to_show_the_factor_and_step_up_is_enough(
    world: World, protected: Protected, strict: str, refused: Refused
) -> None:
    before = await world.new_member(strict, protected.person, "admin")
    other = await world.sign_in(before.email)
    member = await enroll_app(world, before)
    found = await refused(get(world, other, strict), UNAUTHENTICATED, INSUFFICIENT)
    assert (found.metadata["missing"], found.metadata["methods"]) == (
        "factor",
        "recovery_code totp",
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await get(world, other, strict)
    assert dict(caught.value.trailing_metadata() or ())["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="urn:portico:aal2"'
    )
    begun = await world.challenges.BeginStepUp(
        challenges.BeginStepUpRequest(), metadata=other.metadata
    )
    answer = challenges.CompleteChallengeRequest(
        challenge=begun.challenge, method="totp", code=member.next_code()
    )
    token = (await world.challenges.CompleteChallenge(answer)).access_token
    request = pb.GetOrganizationRequest(organization_id=strict)
    assert await world.organizations.GetOrganization(request, metadata=bearer(token))
    # The session counts, not the token: the one of before is good as well.
    assert await get(world, other, strict)


async def test_before_the_day_everything_works_and_the_answers_name_the_day(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    member = await world.new_member(organization_id, protected.person, "member")
    policy = await require(world, protected.person, organization_id, 10 * DAY)
    day = policy.second_factor_from
    assert await get(world, member, organization_id)
    organization = (await listed(world, member))[organization_id]
    assert (organization.second_factor, organization.second_factor_from) == ("required", day)
    signed_in = await world.auth.Login(
        auth.LoginRequest(email=member.email, password=member.password)
    )
    assert signed_in.second_factor_required_from == day
    with world.clock.later(10 * DAY + timedelta(seconds=1)):
        again = await world.sign_in(member.email)
        await refused(get(world, again, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    begun = await protected.login()
    done = await protected.complete(begun, protected.next_code())
    assert not done.HasField("second_factor_required_from"), "the owner has one"


async def test_only_the_roles_that_it_names_are_concerned(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, protected.person, "admin")
    viewer = await world.new_member(organization_id, protected.person, "viewer")
    policy = await require(world, protected.person, organization_id, roles=["owner", "admin"])
    assert list(policy.roles) == ["admin", "owner"]
    await refused(get(world, admin, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    assert await get(world, viewer, organization_id)
    assert not (await listed(world, viewer))[organization_id].second_factor


async def test_a_code_is_not_enough_where_a_passkey_is_required(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    call = require(world, protected.person, organization_id, second_factor="phishing_resistant")
    await refused(call, PRECONDITION, "OWN_FACTOR_REQUIRED")
    await put(world, organization_id, second_factor="phishing_resistant")
    found = await refused(
        get(world, protected.person, organization_id), UNAUTHENTICATED, INSUFFICIENT
    )
    assert (found.metadata["missing"], found.metadata["acr_values"]) == ("enrollment", "phr")


async def put(world: World, organization_id: str, **values: object) -> None:
    """Sets a policy that its owner could not set."""
    async with AsyncSession(world.engine) as db, db.begin():
        await db.execute(
            update(Organization)
            .where(Organization.id == organization_id)
            .values(second_factor_from=world.clock(), **values)
        )


async def test_an_owner_without_a_factor_locks_nobody_out(
    world: World, owner: Person, organization_id: str, refused: Refused
) -> None:
    await refused(require(world, owner, organization_id), PRECONDITION, "OWN_FACTOR_REQUIRED")
    assert await get(world, owner, organization_id)


async def test_an_owner_has_to_show_the_factor_to_change_the_policy(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    with world.clock.later(timedelta(minutes=6)):
        call = require(world, protected.person, organization_id)
        await refused(call, UNAUTHENTICATED, INSUFFICIENT)


async def test_nobody_but_owners_sets_it_and_no_program(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    admin = await world.new_member(organization_id, protected.person, "admin")
    denied = grpc.StatusCode.PERMISSION_DENIED
    await refused(require(world, admin, organization_id), denied, "PERMISSION_DENIED")
    key = await world.new_key(organization_id, protected.person, "organization:secure")
    request = pb.UpdateSecurityPolicyRequest(organization_id=organization_id, second_factor="off")
    program = await world.key_metadata(key.secret)
    call = world.organizations.UpdateSecurityPolicy(request, metadata=program)
    await refused(call, denied, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    "fields",
    [
        {"second_factor": "sometimes"},
        {"roles": ["root"]},
        {"roles": ["owner", "owner"]},
        {"after": 31 * DAY},
    ],
)
async def test_what_is_no_policy_is_refused(
    world: World,
    protected: Protected,
    organization_id: str,
    refused: Refused,
    fields: dict[str, Any],
) -> None:
    call = require(world, protected.person, organization_id, **fields)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


@pytest.mark.parametrize(("seconds", "nanos"), [(10**17, 0), (-(10**17), 0), (0, 2 * 10**9)])
async def test_what_is_no_moment_is_refused(
    world: World,
    protected: Protected,
    organization_id: str,
    refused: Refused,
    seconds: int,
    nanos: int,
) -> None:
    request = pb.UpdateSecurityPolicyRequest(
        organization_id=organization_id, second_factor="required"
    )
    request.second_factor_from.seconds, request.second_factor_from.nanos = seconds, nanos
    call = world.organizations.UpdateSecurityPolicy(request, metadata=protected.person.metadata)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_what_was_read_can_be_sent_back_and_changes_nothing(
    world: World, protected: Protected, strict: str, audited: Audited
) -> None:
    read = pb.GetSecurityPolicyRequest(organization_id=strict)
    metadata = protected.person.metadata
    policy = (await world.organizations.GetSecurityPolicy(read, metadata=metadata)).policy
    with world.clock.later(timedelta(minutes=1)):
        request = pb.UpdateSecurityPolicyRequest(
            organization_id=strict,
            second_factor=policy.second_factor,
            second_factor_from=policy.second_factor_from,
        )
        answer = await world.organizations.UpdateSecurityPolicy(request, metadata=metadata)
    assert answer.policy == policy
    assert (await audited(strict)).count("organization.security_policy_updated") == 1


async def test_two_owners_do_not_overwrite_each_other(
    world: World, protected: Protected, strict: str, refused: Refused
) -> None:
    request = pb.UpdateSecurityPolicyRequest(organization_id=strict, second_factor="off")
    call = world.organizations.UpdateSecurityPolicy(
        request, metadata=if_match(protected.person, '"1"')
    )
    await refused(call, grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def test_a_change_is_in_the_audit_log_and_an_event(
    world: World, protected: Protected, strict: str, audited: Audited
) -> None:
    assert "organization.security_policy_updated" in await audited(strict)
    query = select(Event.data).where(
        Event.type == "organization.security_policy_updated", Event.organization_id == strict
    )
    async with AsyncSession(world.engine) as db:
        data = (await db.scalars(query)).one()
    assert (data["organizationId"], data["secondFactor"]) == (strict, "required")


async def test_the_last_factor_stays_while_it_is_required(
    world: World, protected: Protected, strict: str, refused: Refused
) -> None:
    person = protected.person
    request = factors.DeleteFactorRequest(factor_id=protected.factor_id)
    call = world.factors.DeleteFactor(request, metadata=person.metadata)
    found = await refused(call, PRECONDITION, "FACTOR_REQUIRED")
    assert found.metadata["organization_ids"] == strict
    await require(world, person, strict, second_factor="off")
    await world.factors.DeleteFactor(request, metadata=person.metadata)


async def test_another_factor_can_go_while_one_is_left(
    world: World, protected: Protected, strict: str
) -> None:
    second = await enroll_app(world, protected.person)
    request = factors.DeleteFactorRequest(factor_id=second.factor_id)
    await world.factors.DeleteFactor(request, metadata=protected.person.metadata)


@pytest.fixture
def notices(world: World) -> PolicyNotices:
    """The job of the workers."""
    return PolicyNotices(sessions(world.engine), Mailer(world.secrets), world.clock)


async def test_members_without_a_factor_hear_of_it_at_once_and_a_day_before(
    world: World, protected: Protected, organization_id: str, notices: PolicyNotices
) -> None:
    member = await world.new_member(organization_id, protected.person, "member")
    await require(world, protected.person, organization_id, 3 * DAY)
    await notices()
    await notices()
    mail = await world.mail(member.email, "factor_needed")
    assert mail["display_name"] == "Ada"
    assert len(await world.mails(member.email, "factor_needed")) == 1
    assert not await world.mails(protected.person.email, "factor_needed"), "the owner has one"
    assert not await world.mails(member.email, "factor_needed_soon")
    with world.clock.later(2 * DAY + timedelta(minutes=1)):
        await notices()
        await notices()
    assert len(await world.mails(member.email, "factor_needed_soon")) == 1


async def test_nobody_is_reminded_of_what_is_not_required_any_more(
    world: World, protected: Protected, organization_id: str, notices: PolicyNotices
) -> None:
    member = await world.new_member(organization_id, protected.person, "member")
    await require(world, protected.person, organization_id, 3 * DAY)
    await require(world, protected.person, organization_id, second_factor="off")
    with world.clock.later(3 * DAY):
        await notices()
    assert not await world.mails(member.email, "factor_needed")
    assert not await world.mails(member.email, "factor_needed_soon")


async def test_nobody_can_have_members_mailed_again_and_again(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    person = protected.person
    for days in (3, 4, 5):
        await require(world, person, organization_id, days * DAY)
    call = require(world, person, organization_id, 6 * DAY)
    await refused(call, grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    # It can be turned off all the same.
    await require(world, person, organization_id, second_factor="off")


async def test_the_same_twenty_times_at_once_is_one_change(
    world: World, protected: Protected, organization_id: str, audited: Audited
) -> None:
    policies = await asyncio.gather(
        *(require(world, protected.person, organization_id) for _ in range(20))
    )
    assert all(policy == policies[0] for policy in policies)
    assert (await audited(organization_id)).count("organization.security_policy_updated") == 1


async def test_an_owner_who_is_demoted_meanwhile_changes_nothing(
    world: World, protected: Protected, organization_id: str, refused: Refused
) -> None:
    other = await world.new_member(organization_id, protected.person, "owner")
    await enroll_app(world, other)
    request = pb.UpdateMemberRequest(
        organization_id=organization_id, user_id=other.id, role="member"
    )
    await world.organizations.UpdateMember(request, metadata=protected.person.metadata)
    call = require(world, other, organization_id)
    await refused(call, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_thousands_of_members_are_mailed_in_batches_each_once(
    world: World, protected: Protected, organization_id: str, notices: PolicyNotices
) -> None:
    emails = await world.new_accounts(2 * BATCH + 1, "none")
    async with AsyncSession(world.engine) as db, db.begin():
        people = (await db.scalars(select(User.id).where(User.email.in_(emails)))).all()
        db.add_all(
            Membership(organization_id=UUID(organization_id), user_id=user_id, role="viewer")
            for user_id in people
        )
    await require(world, protected.person, organization_id, 3 * DAY)
    # Two workers at once.
    await asyncio.gather(notices(), notices())
    query = select(Email.recipient).where(
        Email.template == "factor_needed", Email.recipient.in_(emails)
    )
    async with AsyncSession(world.engine) as db:
        mailed = (await db.scalars(query)).all()
    assert sorted(mailed) == sorted(emails)


async def test_where_a_passkey_is_required_nothing_else_will_do(
    world: World, holder: Visitor, organization_id: str, refused: Refused
) -> None:
    owner = holder.person
    await require(world, owner, organization_id, second_factor="phishing_resistant")
    assert await get(world, owner, organization_id)
    member = await world.new_member(organization_id, owner, "member")
    await enroll_app(world, member)
    found = await refused(get(world, member, organization_id), UNAUTHENTICATED, INSUFFICIENT)
    assert (found.metadata["missing"], found.metadata["acr_values"]) == ("enrollment", "phr")
    # The session has shown a code; a passkey registered in it is shown in it.
    await Visitor(world, member).register()
    assert await get(world, member, organization_id)


async def test_the_last_passkey_stays_where_one_is_required_whatever_else_there_is(
    world: World, holder: Visitor, organization_id: str, refused: Refused
) -> None:
    owner = holder.person
    await require(world, owner, organization_id, second_factor="phishing_resistant")
    app = await enroll_app(world, owner)
    found = await world.factors.ListFactors(factors.ListFactorsRequest(), metadata=owner.metadata)
    (passkey,) = [each for each in found.factors if each.type == "passkey"]
    request = factors.DeleteFactorRequest(factor_id=passkey.id)
    call = world.factors.DeleteFactor(request, metadata=owner.metadata)
    await refused(call, PRECONDITION, "FACTOR_REQUIRED")
    request = factors.DeleteFactorRequest(factor_id=app.factor_id)
    await world.factors.DeleteFactor(request, metadata=owner.metadata)
