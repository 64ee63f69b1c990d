"""Passkeys are registered by who is signed in, each once, by the rules of WebAuthn 7.1."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from portico.factors.v1 import factor_service_pb2 as factors

from tests.core.calls import race
from tests.core.conftest import Audited, Refused
from tests.core.passkeys.conftest import Visitor
from tests.core.world import Person, World
from tests.support.authenticator import (
    AT,
    BE,
    ED,
    UP,
    UV,
    Algorithm,
    Authenticator,
    Json,
    Key,
    Wrong,
    decoded,
    ed_dsa,
    encoded,
    es256,
    new_key,
    rs256,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
EXISTS = grpc.StatusCode.ALREADY_EXISTS
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
BROKEN = "PASSKEY_REGISTRATION_INVALID"


async def test_the_browser_is_asked_for_a_passkey_that_needs_no_address(visitor: Visitor) -> None:
    options = await visitor.creation_options()
    assert options["rp"] == {"id": "localhost", "name": "Portico"}
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-7, -8, -257]
    assert (options["attestation"], options["timeout"]) == ("none", 300_000)
    assert options["user"]["name"] == visitor.person.email


async def test_the_user_handle_is_neither_the_address_nor_the_id(visitor: Visitor) -> None:
    handle = decoded((await visitor.creation_options())["user"]["id"])
    assert len(handle) == 32
    assert UUID(visitor.person.id).bytes not in handle
    assert handle == decoded((await visitor.creation_options())["user"]["id"])


async def test_challenges_are_long_and_random(visitor: Visitor) -> None:
    challenges = [decoded((await visitor.creation_options())["challenge"]) for _ in range(3)]
    assert len({challenge[:32] for challenge in challenges}) == 3


async def test_the_first_passkey_comes_with_recovery_codes_and_a_mail(
    world: World, visitor: Visitor, audited: Audited
) -> None:
    answer = await visitor.register()
    assert len(answer.recovery_codes) == 10
    assert answer.passkey.name == answer.passkey.provider == "iCloud Keychain"
    assert (answer.passkey.synced, answer.passkey.backed_up) == (True, True)
    assert list(answer.passkey.transports) == ["hybrid", "internal"]
    assert await audited(answer.passkey.factor_id) == ["factor.added"]
    mail = await world.mail(visitor.person.email, "factor_added")
    assert mail["factor_name"] == "iCloud Keychain"


async def test_a_passkey_is_one_of_the_persons_factors(world: World, visitor: Visitor) -> None:
    answer = await visitor.register(name="My laptop")
    request = factors.ListFactorsRequest()
    listed = await world.factors.ListFactors(request, metadata=visitor.person.metadata)
    assert [(each.id, each.type, each.name) for each in listed.factors] == [
        (answer.passkey.factor_id, "passkey", "My laptop")
    ]


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_each_algorithm_that_is_asked_for_can_sign_in(
    visitor: Visitor, algorithm: Algorithm
) -> None:
    await visitor.register(key=new_key(algorithm))
    assert (await visitor.sign_in()).access_token


async def test_several_passkeys_have_names_of_their_own_and_one_handle(visitor: Visitor) -> None:
    names = [(await visitor.register()).passkey.name for _ in range(3)]
    assert names == ["iCloud Keychain", "iCloud Keychain 2", "iCloud Keychain 3"]
    assert len({each.user_handle for each in visitor.authenticator.credentials}) == 1
    unknown = Authenticator(aaguid=UUID(int=0))
    visitor.authenticator = unknown
    assert (await visitor.register()).passkey.name == "Passkey"


async def test_what_holds_a_passkey_is_asked_to_make_no_other(visitor: Visitor) -> None:
    await visitor.register()
    (excluded,) = (await visitor.creation_options())["excludeCredentials"]
    assert excluded == {
        "type": "public-key",
        "id": encoded(visitor.authenticator.credentials[0].id),
        "transports": ["hybrid", "internal"],
    }


async def test_the_list_says_what_a_page_reports_to_the_provider(visitor: Visitor) -> None:
    first = await visitor.register()
    second = await visitor.register()
    ids = [encoded(each.id) for each in visitor.authenticator.credentials]
    assert list(second.signal.all_accepted_credential_ids) == ids
    listed = await visitor.list()
    assert listed.signal == second.signal
    assert listed.signal.rp_id == "localhost"
    assert decoded(listed.signal.user_id) == visitor.authenticator.credentials[0].user_handle
    assert [each.credential_id for each in listed.passkeys] == ids
    request = factors.DeleteFactorRequest(factor_id=first.passkey.factor_id)
    await visitor.world.factors.DeleteFactor(request, metadata=visitor.person.metadata)
    assert list((await visitor.list()).signal.all_accepted_credential_ids) == ids[1:]


async def test_nobody_has_more_than_twenty(visitor: Visitor, refused: Refused) -> None:
    early = await visitor.creation_options()
    for _ in range(20):
        await visitor.register()
    await refused(visitor.creation_options(), FAILED, "TOO_MANY_FACTORS")
    made = visitor.authenticator.create(early)
    await refused(visitor.finish(made), FAILED, "TOO_MANY_FACTORS")


WRONG: dict[str, tuple[Wrong, str]] = {
    "type of a sign-in": (Wrong(client_data={"type": "webauthn.get"}), "type"),
    "no type": (Wrong(client_data={"type": None}), "type"),
    "another site": (Wrong(client_data={"origin": "https://evil.example"}), "origin"),
    "a subdomain": (Wrong(client_data={"origin": "http://a.localhost:8080"}), "origin"),
    "another port": (Wrong(client_data={"origin": "http://localhost:8081"}), "origin"),
    "another scheme": (Wrong(client_data={"origin": "https://localhost:8080"}), "origin"),
    "a slash at the end": (Wrong(client_data={"origin": "http://localhost:8080/"}), "origin"),
    "a list of origins": (Wrong(client_data={"origin": ["http://localhost:8080"]}), "origin"),
    "no origin": (Wrong(client_data={"origin": None}), "origin"),
    "a frame": (Wrong(client_data={"crossOrigin": True}), "cross_origin"),
    "a frame in words": (Wrong(client_data={"crossOrigin": "false"}), "cross_origin"),
    "a page around": (Wrong(client_data={"topOrigin": "https://evil.example"}), "top_origin"),
    "another domain": (Wrong(rp_id="evil.example"), "rp_id"),
    "nobody there": (Wrong(flags=UP), "user_presence"),
    "not unlocked": (Wrong(flags=UV), "user_verification"),
    "a copy of what has none": (Wrong(flags=BE), "backup_state"),
    "no key": (Wrong(flags=AT), "attestation_object"),
    "extensions that are not there": (Wrong(flags=ED), "attestation_object"),
    "bytes behind": (Wrong(trailing=b"\x00"), "attestation_object"),
    "no JSON": (Wrong(client_bytes=b"{"), "client_data"),
    "a list": (Wrong(client_bytes=b"[]"), "client_data"),
    "not UTF-8": (Wrong(client_bytes=b'{"type": "\xff"}'), "client_data"),
    "nested deeply": (Wrong(client_bytes=b"[" * 2000), "client_data"),
    "an attestation that nobody asked for": (Wrong(statement=("tpm", {})), "attestation"),
    "a statement with none": (Wrong(statement=("none", {"sig": b"x"})), "attestation"),
    "a statement of another algorithm": (
        Wrong(statement=("packed", {"alg": -8, "sig": b""})),
        "attestation",
    ),
    "a statement with a wrong signature": (
        Wrong(statement=("packed", {"alg": -7, "sig": b""}), signature=lambda _: b"\x30\x00"),
        "attestation",
    ),
}


@pytest.mark.parametrize("case", WRONG)
async def test_each_rule_refuses_what_breaks_it(
    visitor: Visitor, refused: Refused, case: str
) -> None:
    wrong, rule = WRONG[case]
    refusal = await refused(visitor.register(wrong), INVALID, BROKEN)
    assert refusal.metadata == {"rule": rule}
    assert (await visitor.list()).passkeys == []


KEYS: dict[str, tuple[Callable[[], Key], str]] = {
    "P-384": (lambda: es256(ec.SECP384R1(), 2), "algorithm"),
    "RSA of 1024 bits": (lambda: rs256(1024), "algorithm"),
    "a point that is on no curve": (
        lambda: Key({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: b"\x01" * 32}, bytes),
        "public_key",
    ),
    "an algorithm of another key": (
        lambda: Key({**ed_dsa().cose, 3: -7}, bytes),
        "public_key",
    ),
    "ES384": (lambda: Key({**es256().cose, 3: -35}, bytes), "algorithm"),
    "no algorithm": (lambda: Key({1: 2}, bytes), "public_key"),
    "a symmetric key": (lambda: Key({1: 4, 3: 5, -1: bytes(32)}, bytes), "public_key"),
}


@pytest.mark.parametrize("case", KEYS)
async def test_a_key_that_was_not_asked_for_is_refused(
    visitor: Visitor, refused: Refused, case: str
) -> None:
    make, rule = KEYS[case]
    refusal = await refused(visitor.register(key=make()), INVALID, BROKEN)
    assert refusal.metadata == {"rule": rule}


async def test_a_key_that_has_signed_for_itself_is_registered(visitor: Visitor) -> None:
    await visitor.register(Wrong(statement=("packed", {"alg": -7, "sig": b""})))
    assert (await visitor.sign_in()).access_token


async def test_another_id_than_the_authenticators_is_refused(
    visitor: Visitor, refused: Refused
) -> None:
    """Else somebody could take the ID of a passkey that another person will register."""
    made = visitor.authenticator.create(await visitor.creation_options())
    made["id"] = made["rawId"] = encoded(bytes(32))
    refusal = await refused(visitor.finish(made), INVALID, BROKEN)
    assert refusal.metadata == {"rule": "credential_id"}


async def test_a_challenge_registers_once(visitor: Visitor, refused: Refused) -> None:
    options = await visitor.creation_options()
    made = visitor.authenticator.create(options)
    await visitor.finish(made)
    await refused(visitor.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")
    again = visitor.authenticator.create(options)
    await refused(visitor.finish(again), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_a_registration_that_is_raced_is_one_passkey(visitor: Visitor) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    answers, reasons = await race(*(visitor.finish(made) for _ in range(5)))
    assert len(answers) == 1
    assert set(reasons) == {"PASSKEY_CHALLENGE_INVALID"}
    assert len((await visitor.list()).passkeys) == 1


async def test_a_challenge_expires_after_five_minutes(
    world: World, visitor: Visitor, refused: Refused
) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    world.clock.advance(timedelta(minutes=5))
    await refused(visitor.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_a_challenge_is_of_no_use_in_another_session(
    world: World, visitor: Visitor, refused: Refused
) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    elsewhere = Visitor(world, await world.sign_in(visitor.person.email))
    await refused(elsewhere.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")
    someone = Visitor(world, await world.new_person())
    await refused(someone.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_a_challenge_of_a_sign_in_registers_nothing(
    visitor: Visitor, refused: Refused
) -> None:
    options = await visitor.creation_options()
    options["challenge"] = (await visitor.request_options())["challenge"]
    made = visitor.authenticator.create(options)
    await refused(visitor.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")


@pytest.mark.parametrize("challenge", ["", "AAAA", encoded(bytes(72)), "no base64!"])
async def test_a_challenge_that_is_made_up_registers_nothing(
    visitor: Visitor, refused: Refused, challenge: str
) -> None:
    options = {**await visitor.creation_options(), "challenge": challenge}
    made = visitor.authenticator.create(options)
    await refused(visitor.finish(made), FAILED, "PASSKEY_CHALLENGE_INVALID")


async def test_a_passkey_of_another_person_cannot_be_registered_again(
    world: World, holder: Visitor, refused: Refused
) -> None:
    other = Visitor(world, await world.new_person())
    taken = holder.authenticator.credentials[0].id
    await refused(other.register(credential_id=taken), EXISTS, "PASSKEY_ALREADY_REGISTERED")
    await refused(holder.register(credential_id=taken), EXISTS, "PASSKEY_ALREADY_REGISTERED")
    assert (await other.list()).passkeys == []


async def test_one_passkey_for_two_people_at_once_is_one_persons(
    world: World, visitor: Visitor
) -> None:
    people = [visitor, *[Visitor(world, await world.new_person()) for _ in range(3)]]
    answers, reasons = await race(*(each.register(credential_id=b"x" * 16) for each in people))
    assert len(answers) == 1
    assert set(reasons) == {"PASSKEY_ALREADY_REGISTERED"}


def without(name: str) -> Callable[[Json], Any]:
    return lambda made: made.pop(name)


def said(name: str, value: Any) -> Callable[[Json], Any]:
    return lambda made: made.update({name: value})


def responded(name: str, value: Any) -> Callable[[Json], Any]:
    return lambda made: made["response"].update({name: value})


MALFORMED: dict[str, tuple[Callable[[Json], Any], str, str]] = {
    "nothing": (lambda made: made.clear(), "credential.type", "INVALID_VALUE"),
    "another type": (said("type", "password"), "credential.type", "INVALID_VALUE"),
    "no rawId": (without("rawId"), "credential.rawId", "INVALID_TYPE"),
    "another id": (said("id", "AAAA"), "credential.id", "INVALID_VALUE"),
    "a number": (said("rawId", 7), "credential.rawId", "INVALID_TYPE"),
    "an id that is too long": (
        said("rawId", encoded(bytes(1024))),
        "credential.rawId",
        "TOO_LONG",
    ),
    "no response": (without("response"), "credential.response", "INVALID_TYPE"),
    "a response in words": (said("response", "x"), "credential.response", "INVALID_TYPE"),
    "no client data": (
        responded("clientDataJSON", None),
        "credential.response.clientDataJSON",
        "INVALID_TYPE",
    ),
    "padding": (
        responded("attestationObject", "AA=="),
        "credential.response.attestationObject",
        "INVALID_VALUE",
    ),
    "bits that stand for nothing": (
        responded("attestationObject", "AB"),
        "credential.response.attestationObject",
        "INVALID_VALUE",
    ),
    "empty": (
        responded("attestationObject", ""),
        "credential.response.attestationObject",
        "INVALID_VALUE",
    ),
    "an attestation that is too long": (
        responded("attestationObject", "A" * 22_000),
        "credential.response.attestationObject",
        "TOO_LONG",
    ),
    "too much": (said("more", "A" * 40_000), "credential", "TOO_LONG"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_not_in_the_form_of_webauthn_is_named(
    visitor: Visitor, refused: Refused, case: str
) -> None:
    spoil, name, reason = MALFORMED[case]
    made = visitor.authenticator.create(await visitor.creation_options())
    spoil(made)
    refusal = await refused(visitor.finish(made), INVALID, "VALIDATION_ERROR")
    assert (refusal.fields, refusal.reasons) == ((name,), (reason,))


@pytest.mark.parametrize("attestation", [b"\x00", b"\xa0", b"\x9f" * 5000, b"\xd8\x40" * 3000])
async def test_cbor_that_is_made_up_is_refused(
    visitor: Visitor, refused: Refused, attestation: bytes
) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    made["response"]["attestationObject"] = encoded(attestation)
    refusal = await refused(visitor.finish(made), INVALID, BROKEN)
    assert refusal.metadata == {"rule": "attestation_object"}


async def test_what_browsers_will_add_is_passed_over(visitor: Visitor) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    made["response"]["transports"] = ["internal", "telepathy", 7, None]
    made["somethingNew"] = {"nested": [1, 2, {"deeply": True}]}
    answer = await visitor.finish(made)
    assert list(answer.passkey.transports) == ["internal"]


async def test_client_data_may_begin_with_a_byte_order_mark(visitor: Visitor) -> None:
    options = await visitor.creation_options()
    data = {
        "type": "webauthn.create",
        "challenge": options["challenge"],
        "origin": "http://localhost:8080",
    }
    made = visitor.authenticator.create(
        options, Wrong(client_bytes=b"\xef\xbb\xbf" + json.dumps(data).encode())
    )
    assert (await visitor.finish(made)).passkey.name


async def test_a_stolen_session_registers_no_passkey(
    world: World, visitor: Visitor, refused: Refused
) -> None:
    world.clock.advance(timedelta(minutes=6))
    await refused(visitor.creation_options(), UNAUTHENTICATED, "INSUFFICIENT_USER_AUTHENTICATION")


async def test_who_begins_just_in_time_has_five_minutes_to_finish(
    world: World, visitor: Visitor
) -> None:
    world.clock.advance(timedelta(minutes=4, seconds=50))
    made = visitor.authenticator.create(await visitor.creation_options())
    world.clock.advance(timedelta(minutes=4, seconds=50))
    assert (await visitor.finish(made)).recovery_codes


async def test_a_name_for_lists_and_mails_has_no_line_breaks(
    visitor: Visitor, refused: Refused
) -> None:
    made = visitor.authenticator.create(await visitor.creation_options())
    for name in ("a\nb", " ", "x" * 51, "\u202eevil"):
        await refused(visitor.finish(made, name), INVALID, "VALIDATION_ERROR")
    assert (await visitor.finish(made, "Ada's 📱")).passkey.name == "Ada's 📱"


async def test_strangers_register_nothing(world: World, owner: Person, refused: Refused) -> None:
    stranger = Visitor(world, Person(owner.id, owner.email, "", ""))
    await refused(stranger.creation_options(), UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_numbers_that_json_does_not_have_do_no_harm(visitor: Visitor, number: float) -> None:
    """Over gRPC they can be sent all the same."""
    made = visitor.authenticator.create(await visitor.creation_options())
    made["more"] = {"deeper": [number]}
    assert (await visitor.finish(made)).passkey.name


@pytest.mark.parametrize("left_out", ["transports", "authenticatorData", "publicKeyAlgorithm"])
@pytest.mark.parametrize("as_null", [True, False])
async def test_what_older_browsers_do_not_say_is_not_required(
    visitor: Visitor, left_out: str, as_null: bool
) -> None:
    """keycloak/keycloak#10020 (no transports), bitwarden/clients#7141 (no attachment)"""
    made = visitor.authenticator.create(await visitor.creation_options())
    del made["response"][left_out]
    made.pop("clientExtensionResults", None)
    made.pop("authenticatorAttachment", None)
    if as_null:
        made["response"][left_out] = None
        made |= {"clientExtensionResults": None, "authenticatorAttachment": None}
    assert (await visitor.finish(made)).passkey.factor_id
    assert (await visitor.sign_in()).access_token
