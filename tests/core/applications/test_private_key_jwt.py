"""Clients that sign who they are: each assertion is good once, soon and for us alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct

from server.features.applications.errors import InvalidClientError, TooManyClientFailuresError
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.applications.keys import (
    ClientKey,
    KeySetServer,
    assertion,
    ec_key,
    ed25519_key,
    key_set_server,
    rsa_key,
)

RSA = rsa_key()
PRIVATE_KEY_JWT = "private_key_jwt"


def key_set(*keys: ClientKey) -> Struct:
    return ParseDict({"keys": [key.public for key in keys]}, Struct())


@pytest.fixture
async def published() -> AsyncIterator[KeySetServer]:
    async with key_set_server() as server:
        yield server


async def registered(applications: ApplicationClient, *keys: ClientKey, **fields: Any) -> str:
    """The client_id of a machine that signs with one of these keys."""
    values: dict[str, Any] = {"jwks": key_set(*keys)} if keys else {}
    created = await applications.create(
        "machine", token_endpoint_auth_method=PRIVATE_KEY_JWT, **values, **fields
    )
    assert created.client_secret == ""
    return created.application.id


async def sign_in(
    applications: ApplicationClient, key: ClientKey, client_id: str, **fields: Any
) -> None:
    signed = assertion(key, client_id, applications.world.clock(), **fields)
    await applications.authenticate(client_id, method=PRIVATE_KEY_JWT, assertion=signed)


async def refusal(attempt: Any) -> str:
    """What the client is told of why it was refused."""
    with pytest.raises(InvalidClientError) as caught:
        await attempt
    return caught.value.metadata.get("error_description", "")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec_key(), "ES256"),
        (ec_key(curve=ec.SECP384R1()), "ES384"),
        (RSA, "RS256"),
        (RSA, "PS256"),
        (ed25519_key(), "EdDSA"),
    ],
    ids=["ES256", "ES384", "RS256", "PS256", "EdDSA"],
)
async def test_a_client_signs_with_its_own_key(
    application_client: ApplicationClient, key: ClientKey, algorithm: str
) -> None:
    client_id = await registered(application_client, key)
    await sign_in(application_client, key, client_id, algorithm=algorithm)


async def test_the_assertion_alone_says_who_it_is(application_client: ApplicationClient) -> None:
    key = ec_key()
    client_id = await registered(application_client, key)
    signed = assertion(key, client_id, application_client.world.clock())
    client = await application_client.authenticate("", method=PRIVATE_KEY_JWT, assertion=signed)
    assert client.client_id == client_id


async def test_an_assertion_is_good_once(application_client: ApplicationClient) -> None:
    key = ec_key()
    client_id = await registered(application_client, key)
    signed = assertion(key, client_id, application_client.world.clock())
    attempts = [
        application_client.authenticate(client_id, method=PRIVATE_KEY_JWT, assertion=signed)
        for _ in range(10)
    ]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert all(
        isinstance(answer, InvalidClientError)
        for answer in answers
        if isinstance(answer, Exception)
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"aud": "https://elsewhere.example"}, "aud must be the issuer"),
        ({"aud": [ISSUER, "https://elsewhere.example"]}, "aud must be the issuer"),
        ({"aud": []}, "aud must be the issuer"),
        ({"aud": None}, "aud must be the issuer"),
        ({"aud": ISSUER + "/"}, "aud must be the issuer"),
        ({"iss": "somebody"}, "iss and sub must be the client_id"),
        ({"sub": "somebody"}, "iss and sub must be the client_id"),
        ({"iss": None}, "iss and sub must be the client_id"),
        ({"exp": None}, "it has expired"),
        ({"exp": 1}, "it has expired"),
        ({"exp": "9999999999"}, "it has expired"),
        ({"exp": True}, "it has expired"),
        ({"exp": float("nan")}, "it has expired"),
        ({"exp": float("inf")}, "it must expire within 5 minutes"),
        ({"exp": 99999999999}, "it must expire within 5 minutes"),
        ({"iat": 99999999999}, "iat must not be in the future"),
        ({"nbf": 99999999999}, "nbf must not be in the future"),
        ({"jti": None}, "jti must have 1 to 256 characters"),
        ({"jti": ""}, "jti must have 1 to 256 characters"),
        ({"jti": "j" * 257}, "jti must have 1 to 256 characters"),
        ({"jti": 1}, "jti must have 1 to 256 characters"),
    ],
)
async def test_what_is_wrong_is_said_to_who_has_the_key(
    application_client: ApplicationClient, changed: dict[str, Any], says: str
) -> None:
    key = ec_key()
    client_id = await registered(application_client, key)
    attempt = sign_in(application_client, key, client_id, **changed)
    assert await refusal(attempt) == says


async def test_both_addresses_may_be_meant(application_client: ApplicationClient) -> None:
    key = ec_key()
    client_id = await registered(application_client, key)
    for audience in (ISSUER, f"{ISSUER}/oauth/token", [ISSUER], [ISSUER, f"{ISSUER}/oauth/token"]):
        await sign_in(application_client, key, client_id, aud=audience)


async def test_another_clients_assertion_is_of_no_use(
    application_client: ApplicationClient,
) -> None:
    key, other_key = ec_key(), ec_key()
    client_id = await registered(application_client, key)
    other = await registered(application_client, other_key)
    now = application_client.world.clock()
    for signed in (assertion(other_key, other, now), assertion(other_key, client_id, now)):
        attempt = application_client.authenticate(
            client_id, method=PRIVATE_KEY_JWT, assertion=signed
        )
        with pytest.raises(InvalidClientError):
            await attempt


async def test_only_what_a_private_key_signed_counts(
    application_client: ApplicationClient,
) -> None:
    client_id = await registered(application_client, RSA)
    now = application_client.world.clock()
    good = assertion(RSA, client_id, now, "RS256")
    head, payload, signature = good.split(".")
    none = "eyJhbGciOiJub25lIn0"
    public_as_secret = "eyJhbGciOiJIUzI1NiIsImtpZCI6Im9uZSJ9"
    hostile = [
        "",
        "x",
        "..",
        f"{head}.{payload}.",
        f"{none}.{payload}.",
        f"{public_as_secret}.{payload}.{signature}",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        assertion(RSA, client_id, now, "RS512"),
        assertion(RSA, client_id, now, "RS256", {"typ": "at+jwt"}),
        assertion(RSA, client_id, now, "RS256", {"typ": "dpop+jwt"}),
        assertion(RSA, client_id, now, "RS256", {"crit": ["exp"], "exp": 1}),
        assertion(RSA, client_id, now, "RS256", {"kid": "another"}),
        assertion(rsa_key(), client_id, now, "RS256"),
        assertion(ec_key(), client_id, now, "ES256", {"jwk": ec_key().public}),
        good + "x" * 20_000,
    ]
    for signed in hostile:
        for named in (client_id, ""):
            with pytest.raises((InvalidClientError, TooManyClientFailuresError)):
                await application_client.authenticate(
                    named, method=PRIVATE_KEY_JWT, assertion=signed
                )


async def test_a_secret_is_no_way_in_for_a_client_with_keys(
    application_client: ApplicationClient,
) -> None:
    client_id = await registered(application_client, ec_key())
    for method in ("none", "client_secret_basic", "client_secret_post"):
        with pytest.raises(InvalidClientError):
            await application_client.authenticate(client_id, "", method)


async def test_published_keys_are_fetched_once(
    application_client: ApplicationClient, published: KeySetServer
) -> None:
    key = ec_key()
    published.publish(key)
    client_id = await registered(application_client, jwks_uri=published.url)
    for _ in range(3):
        await sign_in(application_client, key, client_id)
    assert published.asked == 1
    with application_client.world.clock.later(timedelta(minutes=6)):
        await sign_in(application_client, key, client_id)
    assert published.asked == 2


async def test_a_new_key_is_found_and_a_made_up_one_asks_nobody_twice(
    application_client: ApplicationClient, published: KeySetServer
) -> None:
    old, new, made_up = ec_key("old"), ec_key("new"), ec_key("made-up")
    published.publish(old)
    client_id = await registered(application_client, jwks_uri=published.url)
    await sign_in(application_client, old, client_id)
    published.publish(old, new)
    await sign_in(application_client, new, client_id)
    assert published.asked == 2
    for _ in range(5):
        await refusal(sign_in(application_client, made_up, client_id))
    assert published.asked == 2
    with application_client.world.clock.later(timedelta(seconds=31)):
        for _ in range(5):
            await refusal(sign_in(application_client, made_up, client_id))
        assert published.asked == 3
        await sign_in(application_client, old, client_id)


async def test_a_new_key_under_an_old_name_is_found(
    application_client: ApplicationClient, published: KeySetServer
) -> None:
    old, new = ec_key(), ec_key()
    published.publish(old)
    client_id = await registered(application_client, jwks_uri=published.url)
    await sign_in(application_client, old, client_id)
    published.publish(new)
    await sign_in(application_client, new, client_id)
    await refusal(sign_in(application_client, old, client_id))


async def test_a_withdrawn_key_is_no_longer_good(
    application_client: ApplicationClient, published: KeySetServer
) -> None:
    old, new = ec_key("old"), ec_key("new")
    published.publish(old, new)
    client_id = await registered(application_client, jwks_uri=published.url)
    await sign_in(application_client, old, client_id)
    published.publish(new)
    with application_client.world.clock.later(timedelta(minutes=6)):
        await refusal(sign_in(application_client, old, client_id))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"status": 500}, "answered with 500"),
        ({"status": 302, "headers": {"location": "/elsewhere"}}, "redirect"),
        ({"content": []}, "no key set"),
        ({"content": {"keys": "none"}}, "no key set"),
        ({"content": {"keys": [{}] * 11}}, "no key set"),
        ({"content": {"keys": [ec_key().whole]}}, "private key"),
    ],
    ids=["error", "redirect", "list", "text", "many", "private"],
)
async def test_an_address_without_keys_is_not_asked_by_everybody(
    application_client: ApplicationClient,
    published: KeySetServer,
    answer: dict[str, Any],
    says: str,
) -> None:
    published.content = {"keys": []}
    for name, value in answer.items():
        setattr(published, name, value)
    client_id = await registered(application_client, jwks_uri=published.url)
    for _ in range(3):
        assert says in await refusal(sign_in(application_client, ec_key(), client_id))
    assert published.asked == 1


async def test_keys_are_not_fetched_from_our_own_network(
    application_client: ApplicationClient,
) -> None:
    # A name that leads to a private address passes when it is registered, and not afterwards.
    client_id = await registered(
        application_client, jwks_uri="https://10-0-0-1.test.internal/jwks.json"
    )
    says = await refusal(sign_in(application_client, ec_key(), client_id))
    assert "cannot be reached" in says
