"""RFC 9449 at the token endpoint and at userinfo: a token is of use to the owner of a key alone.

| section | test |
|---|---|
| 4.3 | `test_a_proof_that_is_wrong_gives_no_token`, and tests/kit/test_dpop.py |
| 5 | `test_a_token_is_bound_to_the_key_of_the_proof` |
| 5 | `test_without_a_proof_a_token_is_a_bearer_token` |
| 5 | `test_a_public_clients_refresh_token_needs_its_key` |
| 5 | `test_a_client_that_authenticates_may_change_its_key` |
| 5.2 | `test_an_application_can_demand_a_proof` |
| 5.1 | `test_the_server_says_that_it_takes_proofs` |
| 6.2 | `test_introspection_names_the_key` |
| 7.1 | `test_a_bound_token_is_no_bearer_token` |
| 7.1 | `test_userinfo_takes_a_bound_token_with_its_proof` |
| 8 | `test_a_proof_needs_a_nonce_of_the_server` |
| 10 | `test_a_code_is_for_the_key_that_the_request_named` |
| 11.1 | `test_a_proof_is_good_once` |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit import dpop
from portico_kit.oauth_metadata import authorization_server_metadata
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.applications.keys import assertion, ec_key
from tests.core.conftest import Refused
from tests.core.oauth.bound import NONCES, proof, user_info, user_info_with
from tests.core.oauth.conftest import App, claims, new_app
from tests.core.world import Person, World
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
OFFLINE = "openid offline_access projects:read"
KEY, OTHER = ProofKey(), ProofKey()


@pytest.fixture
async def spa(application_client: ApplicationClient) -> App:
    """An application that can keep no secret."""
    return await new_app(application_client, "single_page")


async def bound(app: App, owner: Person, **changes: str | None) -> token_pb.IssueTokenResponse:
    """The tokens of a person, bound to the key."""
    code = await app.code(owner, **changes)
    return await app.exchange(code, dpop_proof=proof(app.world, KEY))


async def test_a_token_is_bound_to_the_key_of_the_proof(
    world: World, owner: Person, app: App, machine: App
) -> None:
    for_person = await bound(app, owner)
    for_itself = await machine.issue("client_credentials", dpop_proof=proof(world, KEY))
    refreshed = await app.refresh(for_person.refresh_token, dpop_proof=proof(world, KEY))
    for given in (for_person, for_itself, refreshed):
        assert given.token_type == "DPoP"
        assert claims(given.access_token)["cnf"] == {"jkt": KEY.jkt}


async def test_without_a_proof_a_token_is_a_bearer_token(
    owner: Person, app: App, machine: App
) -> None:
    for given in (await app.signed_in(owner), await machine.issue("client_credentials")):
        assert given.token_type == "Bearer"
        assert "cnf" not in claims(given.access_token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"htm": "GET"},
        {"htu": f"{ISSUER}/oauth/par"},
        {"htu": "https://other.example/oauth/token"},
        {"jti": None},
        {"jti": ""},
        {"iat": 1},
        {"iat": None},
        {"iat": "now"},
    ],
)
async def test_a_proof_that_is_wrong_gives_no_token(
    world: World, machine: App, refused: Refused, wrong: dict[str, Any]
) -> None:
    attempt = machine.issue("client_credentials", dpop_proof=proof(world, KEY, **wrong))
    await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")


@pytest.mark.parametrize("text", ["x", "a.b.c", "a.b.c, a.b.c", "e30.e30.e30", "." * 16_000])
async def test_what_is_no_proof_gives_no_token(machine: App, refused: Refused, text: str) -> None:
    attempt = machine.issue("client_credentials", dpop_proof=text)
    await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")


async def test_a_wrong_proof_uses_no_code_up(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    code = await app.code(owner)
    wrong = app.exchange(code, dpop_proof=proof(world, KEY, htm="GET"))
    await refused(wrong, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    assert (await app.exchange(code, dpop_proof=proof(world, KEY))).token_type == "DPoP"


async def test_whoever_lacks_a_nonce_has_used_no_refresh_token_up(
    world: World, owner: Person, spa: App, refused: Refused
) -> None:
    token = (await bound(spa, owner, scope=OFFLINE)).refresh_token
    for _ in range(3):
        without = spa.refresh(token, dpop_proof=proof(world, KEY, nonce=None))
        await refused(without, INVALID, "OAUTH_USE_DPOP_NONCE")
    assert (await spa.refresh(token, dpop_proof=proof(world, KEY))).refresh_token != token


async def test_a_proof_is_good_once(world: World, machine: App, refused: Refused) -> None:
    shown = proof(world, KEY)
    attempts = [machine.issue("client_credentials", dpop_proof=shown) for _ in range(10)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    again = machine.issue("client_credentials", dpop_proof=shown)
    await refused(again, INVALID, "OAUTH_INVALID_DPOP_PROOF")


async def test_the_proof_of_one_endpoint_is_none_at_another(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    token = (await bound(app, owner)).access_token
    at_token = proof(world, KEY, "token", htm="GET", token=token)
    attempt = user_info(app, token, token_type="DPoP", dpop_proof=at_token)
    await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")


async def test_a_proof_needs_a_nonce_of_the_server(
    world: World, machine: App, refused: Refused
) -> None:
    old = NONCES.issue(world.clock() - timedelta(minutes=10))
    for nonce in (None, "", "made-up", old):
        attempt = machine.issue("client_credentials", dpop_proof=proof(world, KEY, nonce=nonce))
        await refused(attempt, INVALID, "OAUTH_USE_DPOP_NONCE")


async def test_whoever_lacks_a_nonce_has_used_no_assertion_up(
    world: World, application_client: ApplicationClient, refused: Refused
) -> None:
    signing = ec_key()
    jwks = ParseDict({"keys": [signing.public]}, Struct())
    app = await new_app(
        application_client,
        "machine",
        scopes=["organization:read"],
        token_endpoint_auth_method="private_key_jwt",
        jwks=jwks,
    )
    client = token_pb.ClientCredentials(
        client_id=app.client_id,
        method="private_key_jwt",
        client_assertion=assertion(signing, app.client_id, world.clock()),
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    without = proof(world, KEY, nonce=None)
    first = app.issue("client_credentials", client=client, dpop_proof=without)
    await refused(first, INVALID, "OAUTH_USE_DPOP_NONCE")
    shown = proof(world, KEY)
    second = await app.issue("client_credentials", client=client, dpop_proof=shown)
    assert second.token_type == "DPoP"


async def test_a_client_that_is_not_known_uses_no_proof_up(
    world: World, machine: App, refused: Refused
) -> None:
    shown = proof(world, KEY)
    wrong = token_pb.ClientCredentials(
        client_id=machine.client_id, method="client_secret_basic", client_secret="wrong"
    )
    stranger = machine.issue("client_credentials", client=wrong, dpop_proof=shown)
    await refused(stranger, UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    assert (await machine.issue("client_credentials", dpop_proof=shown)).token_type == "DPoP"


async def test_an_application_can_demand_a_proof(
    world: World, owner: Person, application_client: ApplicationClient, refused: Refused
) -> None:
    app = await new_app(
        application_client,
        dpop_bound_access_tokens=True,
        grant_types=["authorization_code", "refresh_token", "client_credentials"],
    )
    code = await app.code(owner)
    refresh_token = (await bound(app, owner)).refresh_token
    attempts: list[Awaitable[Any]] = [
        app.exchange(code),
        app.refresh(refresh_token),
        app.issue("client_credentials"),
    ]
    for attempt in attempts:
        await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    assert (await app.exchange(code, dpop_proof=proof(world, KEY))).token_type == "DPoP"
    assert (await app.refresh(refresh_token, dpop_proof=proof(world, KEY))).token_type == "DPoP"


async def test_a_public_clients_refresh_token_needs_its_key(
    world: World, owner: Person, spa: App, refused: Refused
) -> None:
    first = await bound(spa, owner, scope=OFFLINE)
    for shown in ("", proof(world, OTHER)):
        attempt = spa.refresh(first.refresh_token, dpop_proof=shown)
        await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")
    second = await spa.refresh(first.refresh_token, dpop_proof=proof(world, KEY))
    third = await spa.refresh(second.refresh_token, dpop_proof=proof(world, KEY))
    # Whoever found an old one has not the key: nothing ends by it.
    await refused(spa.refresh(first.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    assert (await spa.refresh(third.refresh_token, dpop_proof=proof(world, KEY))).refresh_token


async def test_the_key_of_a_stolen_refresh_token_does_not_keep_its_family(
    world: World, owner: Person, spa: App, refused: Refused
) -> None:
    first = await bound(spa, owner, scope=OFFLINE)
    second = await spa.refresh(first.refresh_token, dpop_proof=proof(world, KEY))
    third = await spa.refresh(second.refresh_token, dpop_proof=proof(world, KEY))
    for token in (first.refresh_token, third.refresh_token):
        attempt = spa.refresh(token, dpop_proof=proof(world, KEY))
        await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")


async def test_a_public_client_binds_its_refresh_token_whenever_it_first_proves_a_key(
    world: World, owner: Person, spa: App, refused: Refused
) -> None:
    first = await spa.signed_in(owner, scope=OFFLINE)
    second = await spa.refresh(first.refresh_token, dpop_proof=proof(world, KEY))
    assert second.token_type == "DPoP"
    await refused(spa.refresh(second.refresh_token), INVALID, "OAUTH_INVALID_GRANT")
    with_other = spa.refresh(second.refresh_token, dpop_proof=proof(world, OTHER))
    await refused(with_other, INVALID, "OAUTH_INVALID_GRANT")
    again = await spa.refresh(second.refresh_token, dpop_proof=proof(world, KEY))
    assert again.refresh_token


async def test_of_two_keys_at_once_one_is_bound(world: World, owner: Person, spa: App) -> None:
    first = await spa.signed_in(owner, scope=OFFLINE)
    keys = [ProofKey() for _ in range(6)]
    attempts = [spa.refresh(first.refresh_token, dpop_proof=proof(world, key)) for key in keys]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1


async def test_a_client_that_authenticates_may_change_its_key(
    world: World, owner: Person, app: App
) -> None:
    first = await bound(app, owner, scope=OFFLINE)
    second = await app.refresh(first.refresh_token, dpop_proof=proof(world, OTHER))
    assert claims(second.access_token)["cnf"] == {"jkt": OTHER.jkt}
    assert (await app.refresh(second.refresh_token)).token_type == "Bearer"


async def test_a_code_is_for_the_key_that_the_request_named(
    world: World, owner: Person, app: App, spa: App, refused: Refused
) -> None:
    for client in (app, spa):
        code = await client.code(owner, dpop_jkt=KEY.jkt)
        for shown in ("", proof(world, OTHER)):
            attempt = client.exchange(code, dpop_proof=shown)
            await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")
        assert (await client.exchange(code, dpop_proof=proof(world, KEY))).token_type == "DPoP"


@pytest.mark.parametrize("jkt", ["x", "=" * 43, "a" * 44, "a" * 42 + "+"])
async def test_a_key_that_has_not_the_form_of_one_is_refused(app: App, jkt: str) -> None:
    begun = await app.begin(dpop_jkt=jkt)
    said = {each.name: each.value for each in begun.response.parameters}
    assert said["error"] == "invalid_request"


async def test_userinfo_takes_a_bound_token_with_its_proof(
    owner: Person, app: App, refused: Refused
) -> None:
    token = (await bound(app, owner)).access_token
    assert (await user_info_with(app, KEY, token)).sub
    other = (await bound(app, owner)).access_token
    for wrong in ({"token": other}, {"token": None}, {"htm": "POST"}):
        attempt = user_info_with(app, KEY, token, **wrong)
        await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    without = user_info_with(app, KEY, token, nonce=None)
    await refused(without, INVALID, "OAUTH_USE_DPOP_NONCE")
    missing = user_info(app, token, token_type="DPoP")
    await refused(missing, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    by_other = user_info_with(app, OTHER, token)
    await refused(by_other, UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")


async def test_a_bound_token_is_no_bearer_token(owner: Person, app: App, refused: Refused) -> None:
    token = (await bound(app, owner)).access_token
    for scheme in ("", "Bearer"):
        attempt = user_info(app, token, token_type=scheme)
        await refused(attempt, UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")
    unbound = (await app.signed_in(owner)).access_token
    await refused(user_info_with(app, KEY, unbound), UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")


async def test_introspection_names_the_key(owner: Person, app: App) -> None:
    told = await app.introspect((await bound(app, owner)).access_token)
    assert (told.token_type, told.cnf.jkt) == ("DPoP", KEY.jkt)
    plain = await app.introspect((await app.signed_in(owner)).access_token)
    assert (plain.token_type, plain.HasField("cnf")) == ("Bearer", False)


def test_the_server_says_that_it_takes_proofs() -> None:
    document = authorization_server_metadata(ISSUER)
    assert document["dpop_signing_alg_values_supported"] == list(dpop.ALGORITHMS)
    assert "none" not in document["dpop_signing_alg_values_supported"]
