"""Tokens and keys: what is accepted, what is refused, and what reaches the core."""

from __future__ import annotations

import time

import grpc
import pytest
from portico.users.v1.user_service_pb2 import GetMeRequest, GetMeResponse

from portico_kit.testing.waiting import eventually
from tests.gateway.backends import GOOD_KEY, INTERNAL_TOKEN, KEY_SUBJECT, Backends
from tests.gateway.gateway import Gateway, basic
from tests.gateway.tokens import CHALLENGE, MINUTE, Signer

ME = "/api/v1/users/me"
KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"
GET_ME = "/portico.users.v1.UserService/GetMe"
ROTATION_SECONDS = 30.0  # on a busy machine; on an idle one it is two
CLOCK_SKEW = 15  # seconds


async def refuses(gateway: Gateway, token: str, code: str = "UNAUTHENTICATED") -> None:
    answer = await gateway.get(ME, token=token)
    assert answer.status == 401
    assert answer.error["code"] == code
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'


async def test_a_verified_token_reaches_the_core(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.token(sub="somebody", tier="pro", org="acme")
    assert (await gateway.get(ME, token=token)).status == 200
    [call] = backends.calls
    assert call.metadata["authorization"] == f"Bearer {token}"
    assert call.metadata["x-auth-subject"] == "somebody"
    assert call.metadata["x-auth-tier"] == "pro"
    assert call.metadata["x-auth-organization"] == "acme"


async def test_an_expired_token_is_refused_and_named(gateway: Gateway, signer: Signer) -> None:
    await refuses(gateway, signer.token(exp=int(time.time()) - MINUTE), "TOKEN_EXPIRED")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody-else"},
        {"iss": None},
        {"aud": "portico-internal"},
        {"aud": None},
        {"exp": None},
        {"nbf": int(time.time()) + 1000 * MINUTE},
    ],
    ids=lambda claims: "-".join(claims),
)
async def test_a_token_that_is_not_for_us_is_refused(
    gateway: Gateway, backends: Backends, signer: Signer, claims: dict[str, object]
) -> None:
    await refuses(gateway, signer.token(**claims))
    assert backends.calls == []


async def test_an_unsigned_token_is_refused(gateway: Gateway, signer: Signer) -> None:
    await refuses(gateway, signer.unsigned())


async def test_a_token_of_a_foreign_key_is_refused(gateway: Gateway) -> None:
    await refuses(gateway, Signer("main").token())
    await refuses(gateway, Signer("other").token())


async def test_a_wrong_audience_is_unauthenticated_over_grpc_too(
    gateway: Gateway, signer: Signer
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(GET_ME, GetMeRequest(), GetMeResponse, token=signer.token(aud="x"))
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_name_of_the_scheme_has_no_case(gateway: Gateway, token: str) -> None:
    headers = {"Authorization": f"bearer {token}"}
    assert (await gateway.get(ME, headers=headers)).status == 200


async def test_another_scheme_is_no_credential(gateway: Gateway) -> None:
    answer = await gateway.get(ME, headers={"Authorization": basic("user", "password")})
    assert answer.status == 401


async def test_a_token_in_the_query_is_no_credential(gateway: Gateway, token: str) -> None:
    assert (await gateway.get(f"{ME}?access_token={token}")).status in {401, 422}


@pytest.mark.parametrize(
    "headers", [{"X-API-Key": GOOD_KEY}, {"Authorization": f"Bearer {GOOD_KEY}"}]
)
async def test_a_key_is_exchanged_for_a_token(
    gateway: Gateway, backends: Backends, headers: dict[str, str]
) -> None:
    assert (await gateway.get(KEYS, headers=headers)).status == 200
    [call] = backends.calls
    assert call.metadata["authorization"] == f"Bearer {INTERNAL_TOKEN}"
    assert call.metadata["x-auth-subject"] == KEY_SUBJECT
    assert "x-api-key" not in call.metadata


async def test_the_authorizer_is_told_the_rpc_and_its_permission(
    gateway: Gateway, backends: Backends
) -> None:
    await gateway.get(KEYS, headers={"X-API-Key": GOOD_KEY})
    [check] = backends.checks
    assert dict(check.attributes.context_extensions) == {
        "rpc": "/portico.keys.v1.ApiKeyService/ListApiKeys",
        "permission": "keys:read",
        "access": "permission",
    }


async def test_a_wrong_key_is_refused(gateway: Gateway, backends: Backends) -> None:
    answer = await gateway.get(KEYS, headers={"X-API-Key": "pk_test_wrong"})
    assert answer.status == 401
    assert answer.error["code"] == "UNAUTHENTICATED"
    assert answer.error["message"] == "The API key is not valid."
    assert "www-authenticate" in answer.headers
    assert backends.calls == []


async def test_a_person_does_not_ask_the_authorizer(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    headers = {"X-API-Key": "pk_test_wrong"}
    assert (await gateway.get(ME, token=token, headers=headers)).status == 200
    assert backends.checks == []
    [call] = backends.calls
    assert "x-api-key" not in call.metadata


async def test_a_bad_token_is_not_saved_by_a_good_key(gateway: Gateway) -> None:
    answer = await gateway.get(KEYS, token="not.a.token", headers={"X-API-Key": GOOD_KEY})
    assert answer.status == 401


@pytest.mark.parametrize(
    "name",
    [
        "x-auth-subject",
        "x-auth-tier",
        "x-auth-organization",
        "x-auth-limits",
        "x-envoy-original-path",
        "x-envoy-upstream-rq-timeout-ms",
        "x-edge-fault",
    ],
)
async def test_a_forged_header_goes_nowhere(
    gateway: Gateway, backends: Backends, token: str, name: str
) -> None:
    assert (await gateway.get(ME, token=token, headers={name: "forged"})).status == 200
    [call] = backends.calls
    assert call.metadata.get(name) != "forged"
    [charge] = backends.charges
    assert "forged" not in str(charge)


async def test_a_forged_subject_is_no_credential(gateway: Gateway) -> None:
    answer = await gateway.get(ME, headers={"x-auth-subject": "somebody"})
    assert answer.status == 401


async def test_an_underscore_cannot_imitate_a_header(gateway: Gateway, token: str) -> None:
    answer = await gateway.get(ME, token=token, headers={"x_auth_subject": "somebody"})
    assert answer.status == 400
    assert answer.error["code"] == "MALFORMED_REQUEST"


async def test_a_removed_signing_key_is_soon_refused(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """Of a token that it has verified before, the core knows; see tests/platform."""
    rotated = Signer("rotated")
    backends.keys.append(rotated.public)
    try:
        await gateway.becomes(200, ME, token=rotated.token(), seconds=ROTATION_SECONDS)
    finally:
        backends.keys.remove(rotated.public)

    async def refuses_new_ones() -> bool:
        return (await gateway.get(ME, token=rotated.token())).status == 401

    await eventually(refuses_new_ones, ROTATION_SECONDS)
    assert (await gateway.get(ME, token=signer.token())).status == 200


async def test_a_token_that_was_verified_before_is_refused_when_it_has_expired(
    gateway: Gateway, signer: Signer
) -> None:
    # As much later as the clocks of two machines may differ.
    token = signer.token(exp=int(time.time()) - CLOCK_SKEW + 3)
    assert (await gateway.get(ME, token=token)).status == 200
    await gateway.becomes(401, ME, token=token, seconds=5)
