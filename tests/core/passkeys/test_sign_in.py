"""A passkey signs in alone, once for each challenge, by the rules of WebAuthn 7.2."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import UUID

import grpc
import jwt
import pytest
from portico.factors.v1 import factor_service_pb2 as factors
from portico.users.v1 import user_service_pb2 as users
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from server.common.records import AuditEntry
from server.features.passkeys.cleanup import delete_used_challenges
from server.features.passkeys.models import Passkey, UsedPasskeyChallenge
from tests.core.calls import race
from tests.core.conftest import Refused
from tests.core.passkeys.conftest import Visitor
from tests.core.world import World, bearer
from tests.support.authenticator import (
    AT,
    BE,
    BS,
    ED,
    UP,
    UV,
    Authenticator,
    Wrong,
    decoded,
    encoded,
)

FAILED = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED


def claims(access_token: str) -> dict[str, object]:
    return jwt.decode(access_token, options={"verify_signature": False})


def other(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


async def count(world: World, model: type) -> int:
    async with AsyncSession(world.engine) as db:
        return await db.scalar(select(func.count()).select_from(model)) or 0


async def audited(world: World, action: str, target_id: str) -> list[dict[str, object]]:
    query = select(AuditEntry.details).where(
        AuditEntry.action == action, AuditEntry.target_id == UUID(target_id)
    )
    async with AsyncSession(world.engine) as db:
        return list(await db.scalars(query.order_by(AuditEntry.id)))


async def test_the_browser_is_asked_for_any_passkey(visitor: Visitor) -> None:
    """Without a list, so that it can offer them where the address is typed in."""
    options = await visitor.request_options()
    assert options["allowCredentials"] == []
    assert (options["rpId"], options["userVerification"]) == ("localhost", "required")


async def test_a_passkey_alone_is_two_factors(world: World, holder: Visitor) -> None:
    answer = await holder.sign_in()
    assert (answer.user.id, answer.mfa_required) == (holder.person.id, False)
    said = claims(answer.access_token)
    assert (said["acr"], said["amr"]) == ("phr", ["mfa", "swk", "user"])
    me = await world.users.GetMe(users.GetMeRequest(), metadata=bearer(answer.access_token))
    assert me.user.email == holder.person.email
    listed = await holder.list()
    assert listed.passkeys[0].HasField("last_used_at")


async def test_one_that_stays_on_its_device_is_said_to_be_hardware(visitor: Visitor) -> None:
    visitor.authenticator = Authenticator(synced=False)
    registered = await visitor.register()
    assert (registered.passkey.synced, registered.passkey.backed_up) == (False, False)
    assert claims((await visitor.sign_in()).access_token)["amr"] == ["hwk", "mfa", "user"]


async def test_what_was_signed_in_with_is_enough_to_change_factors(
    world: World, holder: Visitor
) -> None:
    world.clock.advance(timedelta(minutes=10))
    answer = await holder.sign_in()
    (passkey,) = (await holder.list()).passkeys
    await world.factors.DeleteFactor(
        factors.DeleteFactorRequest(factor_id=passkey.factor_id),
        metadata=bearer(answer.access_token),
    )


async def test_an_answer_that_is_replayed_twenty_times_at_once_is_one_session(
    holder: Visitor,
) -> None:
    options = await holder.request_options()
    made = holder.authenticator.get(options)
    answers, reasons = await race(*(holder.enter(options, made) for _ in range(20)))
    assert len(answers) == 1
    assert reasons == ["PASSKEY_CHALLENGE_INVALID"] * 19


async def test_two_answers_to_one_challenge_are_one_session(
    holder: Visitor, refused: Refused
) -> None:
    options = await holder.request_options()
    await holder.enter(options, holder.authenticator.get(options))
    again = holder.authenticator.get(options)
    await refused(holder.enter(options, again), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_a_challenge_is_valid_for_five_minutes(
    world: World, holder: Visitor, refused: Refused
) -> None:
    options = await holder.request_options()
    made = holder.authenticator.get(options)
    world.clock.advance(timedelta(minutes=5))
    await refused(holder.enter(options, made), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_an_answer_to_somebody_elses_challenge_signs_nobody_in(
    holder: Visitor, refused: Refused
) -> None:
    """Else a page could be made to sign its visitor in to the account of who made the answer."""
    mine, theirs = await holder.request_options(), await holder.request_options()
    made = holder.authenticator.get(theirs)
    await refused(holder.enter(mine, made), FAILED, "PASSKEY_CHALLENGE_INVALID")
    assert (await holder.enter(theirs, made)).access_token


async def test_a_challenge_for_registering_signs_nobody_in(
    holder: Visitor, refused: Refused
) -> None:
    options = await holder.request_options()
    options["challenge"] = (await holder.creation_options())["challenge"]
    made = holder.authenticator.get(options)
    await refused(holder.enter(options, made), FAILED, "PASSKEY_CHALLENGE_INVALID")


WRONG: dict[str, tuple[Wrong, str]] = {
    "type of a registration": (Wrong(client_data={"type": "webauthn.create"}), "type"),
    "a payment": (Wrong(client_data={"type": "payment.get"}), "type"),
    "another site": (Wrong(client_data={"origin": "https://evil.example"}), "origin"),
    "a subdomain": (Wrong(client_data={"origin": "http://a.localhost:8080"}), "origin"),
    "another port": (Wrong(client_data={"origin": "http://localhost"}), "origin"),
    "nothing": (Wrong(client_data={"origin": "null"}), "origin"),
    "a frame": (Wrong(client_data={"crossOrigin": True}), "cross_origin"),
    "a page around": (
        Wrong(client_data={"crossOrigin": False, "topOrigin": "https://evil.example"}),
        "top_origin",
    ),
    "another domain": (Wrong(rp_id="evil.example"), "rp_id"),
    "nobody there": (Wrong(flags=UP), "user_presence"),
    "not unlocked": (Wrong(flags=UV), "user_verification"),
    "it can have no copies any more": (Wrong(flags=BE | BS), "backup_eligibility"),
    "a copy of what has none": (Wrong(flags=BE), "backup_state"),
    "a wrong signature": (
        Wrong(signature=lambda good: good[:-1] + bytes([good[-1] ^ 1])),
        "signature",
    ),
    "no signature": (Wrong(signature=lambda _: b"\x00"), "signature"),
    "half a key": (Wrong(flags=AT), "authenticator_data"),
    "extensions that are not there": (Wrong(flags=ED), "authenticator_data"),
    "bytes behind": (Wrong(trailing=b"\x00"), "authenticator_data"),
    "another person": (Wrong(user_handle=bytes(32)), "user_handle"),
    "nobody": (Wrong(user_handle=b""), "user_handle"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_each_rule_refuses_what_breaks_it(
    holder: Visitor, refused: Refused, case: str
) -> None:
    wrong, rule = WRONG[case]
    refusal = await refused(holder.sign_in(wrong), UNAUTHENTICATED, "PASSKEY_INVALID")
    assert refusal.metadata == {"rule": rule}
    entries = await audited(holder.world, "login.failed", holder.person.id)
    assert entries[-1] == {"method": "passkey", "rule": rule}
    assert (await holder.sign_in()).access_token


async def test_what_cannot_be_copied_does_not_become_what_can(
    visitor: Visitor, refused: Refused
) -> None:
    visitor.authenticator = Authenticator(synced=False)
    await visitor.register()
    refusal = await refused(visitor.sign_in(Wrong(flags=BE)), UNAUTHENTICATED, "PASSKEY_INVALID")
    assert refusal.metadata == {"rule": "backup_eligibility"}


async def test_whether_there_is_a_copy_may_change(holder: Visitor) -> None:
    holder.authenticator.backed_up = False
    await holder.sign_in()
    assert not (await holder.list()).passkeys[0].backed_up
    holder.authenticator.backed_up = True
    await holder.sign_in()
    assert (await holder.list()).passkeys[0].backed_up


async def test_a_passkey_that_no_account_has_is_unknown(visitor: Visitor, refused: Refused) -> None:
    """A page then has the provider forget it, so it is said of no other one."""
    options = await visitor.creation_options()
    visitor.authenticator.create(options)
    await refused(visitor.sign_in(), UNAUTHENTICATED, "PASSKEY_UNKNOWN")


async def test_a_passkey_that_was_removed_is_unknown(
    world: World, holder: Visitor, refused: Refused
) -> None:
    (passkey,) = (await holder.list()).passkeys
    request = factors.DeleteFactorRequest(factor_id=passkey.factor_id)
    await world.factors.DeleteFactor(request, metadata=holder.person.metadata)
    await refused(holder.sign_in(), UNAUTHENTICATED, "PASSKEY_UNKNOWN")


async def test_another_persons_credential_id_is_of_no_use(
    world: World, holder: Visitor, refused: Refused
) -> None:
    thief = Visitor(world, await world.new_person())
    await thief.register()
    mine, theirs = thief.authenticator.credentials[0], holder.authenticator.credentials[0]
    options = await thief.request_options()
    made = thief.authenticator.get(options, credential=mine)
    made["id"] = made["rawId"] = encoded(theirs.id)
    made["response"]["userHandle"] = encoded(theirs.user_handle)
    refusal = await refused(thief.enter(options, made), UNAUTHENTICATED, "PASSKEY_INVALID")
    assert refusal.metadata == {"rule": "signature"}


async def test_a_swapped_user_handle_signs_in_to_nobodys_account(
    world: World, holder: Visitor, refused: Refused
) -> None:
    thief = Visitor(world, await world.new_person())
    await thief.register()
    handle = holder.authenticator.credentials[0].user_handle
    call = thief.sign_in(Wrong(user_handle=handle))
    refusal = await refused(call, UNAUTHENTICATED, "PASSKEY_INVALID")
    assert refusal.metadata == {"rule": "user_handle"}


async def test_a_count_that_goes_back_is_recorded_and_locks_nobody_out(visitor: Visitor) -> None:
    visitor.authenticator = Authenticator(synced=False)
    factor_id = (await visitor.register()).passkey.factor_id
    await visitor.sign_in(Wrong(count=10))
    assert await audited(visitor.world, "passkey.count_went_back", factor_id) == []
    for number in (10, 4, 5, 0):
        assert (await visitor.sign_in(Wrong(count=number))).access_token
    seen = await audited(visitor.world, "passkey.count_went_back", factor_id)
    assert [(each["before"], each["now"]) for each in seen] == [(10, 10), (10, 4), (5, 0)]


async def test_one_that_does_not_count_goes_back_never(holder: Visitor) -> None:
    (passkey,) = (await holder.list()).passkeys
    await holder.sign_in()
    await holder.sign_in()
    assert await audited(holder.world, "passkey.count_went_back", passkey.factor_id) == []


async def test_answers_at_once_are_counted_one_after_the_other(visitor: Visitor) -> None:
    visitor.authenticator = Authenticator(synced=False)
    factor_id = UUID((await visitor.register()).passkey.factor_id)
    options = [await visitor.request_options() for _ in range(5)]
    made = [visitor.authenticator.get(each) for each in options]
    answers, _ = await race(*map(visitor.enter, options, made))
    assert len(answers) == 5
    async with AsyncSession(visitor.world.engine) as db:
        row = await db.get_one(Passkey, factor_id)
        assert 1 <= row.sign_count <= 5


async def test_a_suspended_person_is_refused_as_with_a_password(
    world: World, holder: Visitor, refused: Refused
) -> None:
    async with AsyncSession(world.engine) as db, db.begin():
        await db.execute(
            text("update users set status = 'suspended' where id = :id"), {"id": holder.person.id}
        )
    await refused(holder.sign_in(), DENIED, "ACCOUNT_SUSPENDED")
    assert await audited(world, "login.failed", holder.person.id)


async def test_an_address_that_is_not_verified_is_refused_as_with_a_password(
    world: World, holder: Visitor, refused: Refused
) -> None:
    async with AsyncSession(world.engine) as db, db.begin():
        await db.execute(
            text("update users set email_verified_at = null where id = :id"),
            {"id": holder.person.id},
        )
    await refused(holder.sign_in(), DENIED, "EMAIL_NOT_VERIFIED")
    assert await world.mails(holder.person.email, "verify_email")


async def test_a_deleted_accounts_passkey_is_unknown(
    world: World, holder: Visitor, refused: Refused
) -> None:
    await world.users.DeleteMe(
        users.DeleteMeRequest(current_password=holder.person.password),
        metadata=holder.person.metadata,
    )
    await refused(holder.sign_in(), UNAUTHENTICATED, "PASSKEY_UNKNOWN")


async def test_a_device_is_known_by_its_token(world: World, holder: Visitor) -> None:
    first = await holder.sign_in()
    options = await holder.request_options()
    made = holder.authenticator.get(options)
    again = await holder.enter(options, made, first.device_token)
    assert again.device_token == first.device_token


async def test_who_only_asks_for_options_leaves_nothing_behind(holder: Visitor) -> None:
    """A sign-in page asks each time that it is opened, and so can anybody."""
    before = await count(holder.world, UsedPasskeyChallenge)
    for _ in range(1000):
        await holder.request_options()
    await holder.enter(options := await holder.request_options(), holder.authenticator.get(options))
    assert await count(holder.world, UsedPasskeyChallenge) == before + 1


async def test_wrong_answers_leave_no_challenge_behind(holder: Visitor, refused: Refused) -> None:
    before = await count(holder.world, UsedPasskeyChallenge)
    await refused(holder.sign_in(Wrong(flags=UV)), UNAUTHENTICATED, "PASSKEY_INVALID")
    assert await count(holder.world, UsedPasskeyChallenge) == before


async def test_used_challenges_are_forgotten_when_they_have_long_expired(
    world: World, holder: Visitor
) -> None:
    """Longer than two machines' clocks are apart: a challenge is not to become good again."""
    options = await holder.request_options()
    made = holder.authenticator.get(options)
    await holder.enter(options, made)
    mark = hashlib.sha256(decoded(options["challenge"])).digest()
    async with AsyncSession(world.engine) as db, db.begin():
        await delete_used_challenges(db, world.clock() + timedelta(hours=1), 100_000)
        assert await db.get(UsedPasskeyChallenge, mark) is not None
        await delete_used_challenges(db, world.clock() + timedelta(hours=2), 100_000)
    assert await count(world, UsedPasskeyChallenge) == 0


async def test_what_is_not_in_the_form_of_webauthn_is_named(
    holder: Visitor, refused: Refused
) -> None:
    options = await holder.request_options()
    for name, most in (("authenticatorData", 4096), ("signature", 1024), ("userHandle", 64)):
        made = holder.authenticator.get(options)
        made["response"][name] = encoded(bytes(most + 1))
        refusal = await refused(holder.enter(options, made), INVALID, "VALIDATION_ERROR")
        assert refusal.fields == (f"credential.response.{name}",)
        assert refusal.reasons == ("TOO_LONG",)
