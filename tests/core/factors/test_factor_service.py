"""The caller's factors: enrolled with a right code, listed, renamed, removed."""

from __future__ import annotations

import base64
from datetime import timedelta

import grpc
from portico.auth.v1 import auth_service_pb2 as auth
from portico.factors.v1 import factor_service_pb2 as pb

from server.features.factors.totp import Totp
from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.factors.conftest import App, Protected, enroll_app
from tests.core.world import PASSWORD, Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
NOT_FOUND = grpc.StatusCode.NOT_FOUND


async def begin(world: World, person: Person) -> pb.BeginTotpEnrollmentResponse:
    request = pb.BeginTotpEnrollmentRequest()
    return await world.factors.BeginTotpEnrollment(request, metadata=person.metadata)


async def factors(world: World, person: Person) -> pb.ListFactorsResponse:
    return await world.factors.ListFactors(pb.ListFactorsRequest(), metadata=person.metadata)


async def test_the_first_factor_comes_with_ten_recovery_codes_and_a_mail(
    world: World, protected: Protected, audited: Audited
) -> None:
    assert len(set(protected.recovery_codes)) == 10
    assert all(len(code) == 11 and code[5] == "-" for code in protected.recovery_codes)
    listed = await factors(world, protected.person)
    assert [(each.type, each.name) for each in listed.factors] == [("totp", "Phone")]
    assert listed.recovery_codes_left == 10
    assert await audited(protected.factor_id) == ["factor.added"]
    said = await world.mail(protected.person.email, "factor_added")
    assert said["factor_name"] == "Phone"


async def test_a_second_factor_leaves_the_recovery_codes_as_they_are(
    world: World, protected: Protected
) -> None:
    again = await enroll_app(world, protected.person)
    assert again.recovery_codes == []
    assert len((await factors(world, protected.person)).factors) == 2


async def test_the_qr_code_is_an_image_of_the_secret(world: World, owner: Person) -> None:
    begun = await begin(world, owner)
    assert begun.secret in begun.uri
    assert begun.qr_svg.startswith("<svg")
    assert "script" not in begun.qr_svg


async def test_an_app_counts_only_once_it_has_shown_a_right_code(
    world: World, owner: Person, refused: Refused
) -> None:
    await begin(world, owner)
    request = pb.ConfirmTotpEnrollmentRequest(code="000000")
    confirm = world.factors.ConfirmTotpEnrollment(request, metadata=owner.metadata)
    await refused(confirm, INVALID, "CODE_INVALID")
    answer = await world.auth.Login(auth.LoginRequest(email=owner.email, password=PASSWORD))
    assert not answer.mfa_required


async def test_an_enrollment_is_over_after_a_quarter_of_an_hour(
    world: World, owner: Person, refused: Refused
) -> None:
    request = pb.ConfirmTotpEnrollmentRequest(code="000000")
    confirm = world.factors.ConfirmTotpEnrollment
    await refused(confirm(request, metadata=owner.metadata), FAILED, "ENROLLMENT_EXPIRED")
    await begin(world, owner)
    world.clock.advance(timedelta(minutes=15, seconds=1))
    later = await world.sign_in(owner.email)
    await refused(confirm(request, metadata=later.metadata), FAILED, "ENROLLMENT_EXPIRED")


async def test_an_enrollment_that_is_confirmed_twice_at_once_is_one_factor(
    world: World, owner: Person
) -> None:
    app = App(world, Totp(base64.b32decode((await begin(world, owner)).secret)))
    request = pb.ConfirmTotpEnrollmentRequest(code=app.code())
    confirm = world.factors.ConfirmTotpEnrollment
    answers, reasons = await race(*(confirm(request, metadata=owner.metadata) for _ in range(5)))
    assert len(answers) == 1
    assert set(reasons) == {"ENROLLMENT_EXPIRED"}
    assert len((await factors(world, owner)).factors) == 1


async def test_a_factor_gets_another_name(world: World, protected: Protected) -> None:
    request = pb.UpdateFactorRequest(factor_id=protected.factor_id, name="Old phone")
    metadata = protected.person.metadata
    assert (await world.factors.UpdateFactor(request, metadata=metadata)).factor.name == "Old phone"


async def test_without_the_last_factor_the_password_is_enough_and_codes_are_void(
    world: World, protected: Protected, audited: Audited
) -> None:
    request = pb.DeleteFactorRequest(factor_id=protected.factor_id)
    await world.factors.DeleteFactor(request, metadata=protected.person.metadata)
    assert not (await protected.login()).mfa_required
    assert (await factors(world, protected.person)).recovery_codes_left == 0
    assert await audited(protected.factor_id) == ["factor.added", "factor.removed"]
    assert await world.mails(protected.person.email, "last_factor_removed")


async def test_another_persons_factor_does_not_exist(
    world: World, protected: Protected, owner: Person, refused: Refused
) -> None:
    stranger = await world.new_person()
    rename = pb.UpdateFactorRequest(factor_id=protected.factor_id, name="Mine")
    remove = pb.DeleteFactorRequest(factor_id=protected.factor_id)
    metadata = stranger.metadata
    await refused(
        world.factors.UpdateFactor(rename, metadata=metadata), NOT_FOUND, "FACTOR_NOT_FOUND"
    )
    await refused(
        world.factors.DeleteFactor(remove, metadata=metadata), NOT_FOUND, "FACTOR_NOT_FOUND"
    )


async def test_new_recovery_codes_make_the_old_ones_void(
    world: World, protected: Protected, refused: Refused
) -> None:
    created = await world.factors.CreateRecoveryCodes(
        pb.CreateRecoveryCodesRequest(), metadata=protected.person.metadata
    )
    await refused(protected.login(protected.recovery_codes[0]), INVALID, "CODE_INVALID")
    assert (await protected.login(created.recovery_codes[0])).access_token
    assert await world.mails(protected.person.email, "recovery_codes_created")


async def test_recovery_codes_need_something_to_recover(
    world: World, owner: Person, refused: Refused
) -> None:
    create = world.factors.CreateRecoveryCodes(
        pb.CreateRecoveryCodesRequest(), metadata=owner.metadata
    )
    await refused(create, FAILED, "FACTOR_REQUIRED")


async def test_a_stolen_session_adds_no_factor(
    world: World, owner: Person, refused: Refused
) -> None:
    """It would lock the owner out. The password has to be shown again after five minutes."""
    world.clock.advance(timedelta(minutes=6))
    refusal = await refused(
        begin(world, owner), UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION"
    )
    assert refusal.metadata == {
        "missing": "freshness",
        "acr_values": "urn:portico:aal1",
        "max_age": "300",
        "methods": "password",
    }
