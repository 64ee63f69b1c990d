"""A person who has lost everything: two administrators help at once, one alone after a day."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.factor_resets.v1 import factor_reset_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.features.auth.models import Challenge, RememberedDevice
from server.features.factor_resets.due_resets import DueResets
from server.features.factors.models import Factor, RecoveryCode, TotpSecret
from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import Protected
from tests.core.users.conftest import unknown_id
from tests.core.world import Person, World

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
A_DAY = timedelta(hours=24, seconds=1)


def reset(world: World, administrator: Person, user_id: str) -> Any:
    return world.factor_resets.ResetUserFactors(
        pb.ResetUserFactorsRequest(user_id=user_id), metadata=administrator.metadata
    )


async def has_factors(protected: Protected) -> bool:
    """Whether the password is not enough."""
    return (await protected.login()).mfa_required


async def count(world: World, model: Any, user_id: str) -> int:
    async with AsyncSession(world.engine) as db:
        return await db.scalar(select(func.count()).where(model.user_id == user_id)) or 0


async def suspend(world: World, by: Person, person: Person) -> None:
    request = users.UpdateUserRequest(user_id=person.id, status="suspended")
    await world.users.UpdateUser(request, metadata=by.metadata)


async def test_one_administrator_alone_has_to_wait_and_the_person_hears_of_it(
    world: World, administrator: Person, protected: Protected, audited: Audited
) -> None:
    person = protected.person
    first = (await reset(world, administrator, person.id)).reset
    assert (first.status, first.requested_by) == ("pending", administrator.id)
    assert first.due_at.seconds - first.requested_at.seconds == 24 * 3600
    again = (await reset(world, administrator, person.id)).reset
    assert again == first
    assert len(await world.mails(person.email, "factor_reset_requested")) == 1
    assert await has_factors(protected)
    assert (await audited(person.id)).count("factor_reset.requested") == 1


async def test_a_second_administrator_has_it_done_at_once(
    world: World,
    administrator: Person,
    colleague: Person,
    protected: Protected,
    refused: Refused,
    audited: Audited,
) -> None:
    person = protected.person
    begun = await protected.login()
    await reset(world, administrator, person.id)
    done = (await reset(world, colleague, person.id)).reset
    assert (done.status, done.approved_by) == ("completed", colleague.id)
    call = world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)
    await refused(call, UNAUTHENTICATED, "UNAUTHENTICATED")
    late = protected.complete(begun, protected.next_code())
    await refused(late, UNAUTHENTICATED, "CHALLENGE_EXPIRED")
    for model in (Factor, RecoveryCode, Challenge, RememberedDevice):
        assert await count(world, model, person.id) == 0
    assert not await has_factors(protected)
    assert await world.mail(person.email, "factors_reset")
    assert "factor_reset.completed" in await audited(person.id)
    assert "factor.removed" in await audited(protected.factor_id)


async def test_after_a_day_it_happens_by_itself_once(
    world: World,
    administrator: Person,
    protected: Protected,
    due_resets: DueResets,
    audited: Audited,
) -> None:
    person = protected.person
    await reset(world, administrator, person.id)
    with world.clock.later(timedelta(hours=23)):
        await due_resets()
        assert await has_factors(protected)
    with world.clock.later(A_DAY):
        await asyncio.gather(due_resets(), due_resets(), due_resets())
        assert not await has_factors(protected)
    assert (await audited(person.id)).count("factor_reset.completed") == 1
    assert len(await world.mails(person.email, "factors_reset")) == 1


async def test_the_person_can_cancel_it(
    world: World,
    administrator: Person,
    protected: Protected,
    due_resets: DueResets,
    refused: Refused,
    audited: Audited,
) -> None:
    person = protected.person
    await reset(world, administrator, person.id)
    token = (await world.mail(person.email, "factor_reset_requested"))["token"]
    request = pb.CancelFactorResetRequest(token=token)
    await world.factor_resets.CancelFactorReset(request)
    call = world.factor_resets.CancelFactorReset(request)
    await refused(call, grpc.StatusCode.NOT_FOUND, "FACTOR_RESET_NOT_FOUND")
    with world.clock.later(A_DAY):
        await due_resets()
    assert await has_factors(protected)
    assert "factor_reset.canceled" in await audited(person.id)
    # A new request has a new link: the old one cancels nothing of it.
    await reset(world, administrator, person.id)
    call = world.factor_resets.CancelFactorReset(request)
    await refused(call, grpc.StatusCode.NOT_FOUND, "FACTOR_RESET_NOT_FOUND")


async def test_whoever_stops_being_an_administrator_has_requested_nothing(
    world: World,
    administrator: Person,
    colleague: Person,
    protected: Protected,
    due_resets: DueResets,
    audited: Audited,
) -> None:
    person = protected.person
    await reset(world, administrator, person.id)
    await suspend(world, colleague, administrator)
    # The other one begins from the start: nobody has agreed with them.
    own = (await reset(world, colleague, person.id)).reset
    assert (own.status, own.requested_by) == ("pending", colleague.id)
    assert await has_factors(protected)
    assert (await audited(person.id)).count("factor_reset.canceled") == 1


async def test_the_request_of_a_suspended_administrator_is_not_carried_out(
    world: World,
    administrator: Person,
    colleague: Person,
    protected: Protected,
    due_resets: DueResets,
) -> None:
    await reset(world, administrator, protected.person.id)
    await suspend(world, colleague, administrator)
    with world.clock.later(A_DAY):
        await due_resets()
        assert await has_factors(protected)


async def test_nobody_resets_their_own(
    world: World, administrator: Person, refused: Refused
) -> None:
    await refused(reset(world, administrator, administrator.id), DENIED, "SELF_RESET")


async def test_a_password_alone_takes_nobodys_factors_away(
    world: World, administrator_without_factor: Person, protected: Protected, refused: Refused
) -> None:
    call = reset(world, administrator_without_factor, protected.person.id)
    found = await refused(call, UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION")
    assert found.metadata["missing"] == "enrollment"


async def test_nobody_else_resets_anybody(
    world: World, protected: Protected, stranger: Person, refused: Refused
) -> None:
    await refused(reset(world, stranger, protected.person.id), DENIED, "PERMISSION_DENIED")


async def test_there_is_nothing_to_reset_for_who_has_no_factor(
    world: World, administrator: Person, owner: Person, refused: Refused
) -> None:
    await refused(reset(world, administrator, owner.id), PRECONDITION, "FACTOR_REQUIRED")
    call = reset(world, administrator, unknown_id())
    await refused(call, grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


async def test_two_administrators_at_once_agree(
    world: World, administrator: Person, colleague: Person, protected: Protected, audited: Audited
) -> None:
    user_id = protected.person.id
    answers = await asyncio.gather(
        *(reset(world, each, user_id) for each in (administrator, colleague))
    )
    assert sorted(each.reset.status for each in answers) == ["completed", "pending"]
    assert (await audited(user_id)).count("factor_reset.completed") == 1


async def test_one_administrator_many_times_at_once_is_one(
    world: World, administrator: Person, protected: Protected
) -> None:
    person = protected.person
    answers = await asyncio.gather(*(reset(world, administrator, person.id) for _ in range(10)))
    assert {each.reset.id for each in answers} == {answers[0].reset.id}
    assert await has_factors(protected)
    assert len(await world.mails(person.email, "factor_reset_requested")) == 1


async def test_what_is_interrupted_has_not_happened_and_happens_later(
    world: World,
    administrator: Person,
    protected: Protected,
    due_resets: DueResets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await reset(world, administrator, protected.person.id)
    with world.clock.later(A_DAY):
        # As if the process was killed after the factors were removed.
        with monkeypatch.context() as patched:
            patched.setattr(type(due_resets.resets.sessions), "end_all", _killed)
            await due_resets()
        assert await has_factors(protected)
        await due_resets()
        assert not await has_factors(protected)


async def _killed(*_args: Any, **_options: Any) -> None:
    raise ConnectionResetError


async def test_a_deleted_account_leaves_no_factor_behind(
    world: World, administrator: Person, protected: Protected, audited: Audited
) -> None:
    person = protected.person
    await protected.login()
    await reset(world, administrator, person.id)
    request = users.DeleteUserRequest(user_id=person.id)
    await world.users.DeleteUser(request, metadata=administrator.metadata)
    for model in (Factor, RecoveryCode, Challenge, RememberedDevice):
        assert await count(world, model, person.id) == 0
    async with AsyncSession(world.engine) as db:
        left = select(func.count()).where(TotpSecret.factor_id == protected.factor_id)
        assert await db.scalar(left) == 0
    assert "factor.removed" in await audited(protected.factor_id)


async def test_a_reset_of_a_deleted_account_ends(
    world: World,
    administrator: Person,
    protected: Protected,
    due_resets: DueResets,
    audited: Audited,
) -> None:
    person = protected.person
    await reset(world, administrator, person.id)
    request = users.DeleteUserRequest(user_id=person.id)
    await world.users.DeleteUser(request, metadata=administrator.metadata)
    with world.clock.later(A_DAY):
        await due_resets()
        await due_resets()
    assert (await audited(person.id)).count("factor_reset.canceled") == 1


async def test_a_suspension_ends_challenges(
    world: World, administrator: Person, protected: Protected, refused: Refused
) -> None:
    begun = await protected.login()
    await suspend(world, administrator, protected.person)
    request = users.UpdateUserRequest(user_id=protected.person.id, status="active")
    await world.users.UpdateUser(request, metadata=administrator.metadata)
    await refused(
        protected.complete(begun, protected.next_code()), UNAUTHENTICATED, "CHALLENGE_EXPIRED"
    )
