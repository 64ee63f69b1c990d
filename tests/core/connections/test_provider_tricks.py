"""What a provider, or somebody between it and us, tries in vain.

The names of the modules of the OpenID conformance suite's plans for relying parties stand
where a test covers one.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import jwt
import pytest

from tests.core.conftest import Refused
from tests.core.connections.front_end import FrontEnd, Somebody, new_platform_connection, signed_in
from tests.core.connections.provider import (
    CLIENT_ID,
    KEYS,
    Key,
    Provider,
    running_provider,
    unsigned,
)
from tests.core.world import Person, World

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
RESPONSE_INVALID = "PROVIDER_RESPONSE_INVALID"


async def check_that_fails(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> str:
    """The check that a sign-in fails at."""
    call = front_end.sign_in_at(provider, connection_id)
    return (await refused(call, UNAUTHENTICATED, RESPONSE_INVALID)).metadata["check"]


NOW = time.time

CLAIMS: dict[str, tuple[str, dict[str, Any]]] = {
    "oidcc-client-test-invalid-iss": ("iss", {"iss": "https://evil.example"}),
    "issuer-with-a-slash": ("iss", {"iss": lambda p: f"{p.issuer}/"}),
    "issuer-in-capitals": ("iss", {"iss": lambda p: p.issuer.upper()}),
    "oidcc-client-test-missing-sub": ("sub", {"sub": None}),
    "empty-sub": ("sub", {"sub": ""}),
    "long-sub": ("sub", {"sub": "x" * 256}),
    "sub-that-is-a-number": ("sub", {"sub": 7}),
    "sub-with-a-zero-byte": ("sub", {"sub": "a\0b"}),
    "oidcc-client-test-invalid-aud": ("aud", {"aud": "somebody else"}),
    "missing-aud": ("aud", {"aud": None}),
    "aud-that-begins-alike": ("aud", {"aud": CLIENT_ID + "x"}),
    "aud-list-without-azp": ("azp", {"aud": [CLIENT_ID, "somebody else"]}),
    "wrong-azp": ("azp", {"azp": "somebody else"}),
    "oidcc-client-test-missing-iat": ("iat", {"iat": None}),
    "iat-in-the-future": ("iat", {"iat": lambda _: NOW() + 120}),
    "iat-that-is-a-text": ("iat", {"iat": "now"}),
    "expired": ("exp", {"exp": lambda _: NOW() - 120}),
    "missing-exp": ("exp", {"exp": None}),
    "not-before-in-the-future": ("nbf", {"nbf": lambda _: NOW() + 120}),
    "oidcc-client-test-nonce-invalid": ("nonce", {"nonce": "another one"}),
    "missing-nonce": ("nonce", {"nonce": None}),
    "wrong-at-hash": ("at_hash", {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
}


@pytest.mark.parametrize("trick", CLAIMS)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    trick: str, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    check, changes = CLAIMS[trick]

    def change(claims: dict[str, Any]) -> None:
        for name, value in changes.items():
            claims[name] = value(provider) if callable(value) else value

    provider.id_token = change
    assert await check_that_fails(front_end, provider, connection_id, refused) == check


async def test_several_audiences_are_good_if_the_token_was_made_for_us(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    provider.id_token = lambda claims: claims.update(aud=[CLIENT_ID, "x"], azp=CLIENT_ID)
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_an_id_token_without_at_hash_is_good(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    provider.id_token = lambda claims: claims.update(at_hash=None)
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    # PyJWT refuses to make what it also refuses to read.
    from jwt.utils import base64url_encode

    header = {"alg": "HS256", "typ": "JWT", "kid": KEYS[0].kid}
    head, body = (base64url_encode(json.dumps(part).encode()) for part in (header, claims))
    import hashlib
    import hmac

    signature = hmac.new(KEYS[0].public_pem, head + b"." + body, hashlib.sha256).digest()
    return b".".join((head, body, base64url_encode(signature))).decode()


def signed_by_somebody_else(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, KEYS[1].private, "RS256", headers={"kid": KEYS[0].kid})


def with_its_own_key(claims: dict[str, Any]) -> str:
    header = {"jwk": KEYS[1].public, "jku": "https://evil.example/jwks", "kid": KEYS[0].kid}
    return jwt.encode(claims, KEYS[1].private, "RS256", headers=header)


def critical(claims: dict[str, Any]) -> str:
    header = {"kid": KEYS[0].kid, "crit": ["unheard-of"], "unheard-of": 1}
    return jwt.encode(claims, KEYS[0].private, "RS256", headers=header)


SIGNATURES = {
    "oidcc-client-test-idtoken-sig-none": ("alg", unsigned),
    "hs256-with-the-public-key": ("alg", signed_with_the_public_key),
    "oidcc-client-test-invalid-sig-rs256": ("signature", signed_by_somebody_else),
    "key-in-the-header": ("signature", with_its_own_key),
    "unknown-critical-header": ("token_format", critical),
    "no-token-at-all": ("token_format", lambda _: "a.b"),
    "not-ascii": ("token_format", lambda _: "é.é.é"),
}


@pytest.mark.parametrize("trick", SIGNATURES)
async def test_an_id_token_with_a_wrong_signature_is_refused(
    trick: str, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    check, provider.sign = SIGNATURES[trick]
    assert await check_that_fails(front_end, provider, connection_id, refused) == check


async def test_an_algorithm_that_discovery_does_not_list_is_refused(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.sign = lambda claims: jwt.encode(
        claims, KEYS[0].private, "RS512", headers={"kid": KEYS[0].kid}
    )
    assert await check_that_fails(front_end, provider, connection_id, refused) == "alg"


async def test_an_rs256_signature_is_good(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    """oidcc-client-test-idtoken-sig-rs256"""
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


def without_kid(claims: dict[str, Any], key: Key = KEYS[0]) -> str:
    return jwt.encode(claims, key.private, "RS256")


async def test_a_token_without_kid_is_good_if_there_is_one_key(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    """oidcc-client-test-kid-absent-single-jwks"""
    provider.sign = without_kid
    assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_a_token_without_kid_is_refused_if_there_are_several_keys(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    """oidcc-client-test-kid-absent-multiple-jwks"""
    provider.sign, provider.keys = without_kid, [*KEYS]
    assert await check_that_fails(front_end, provider, connection_id, refused) == "kid"


@pytest.mark.parametrize("named", [True, False])
async def test_a_new_key_is_fetched_but_not_for_each_unknown_one(
    named: bool,
    world: World,
    front_end: FrontEnd,
    provider: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    """oidcc-client-test-signing-key-rotation, -signing-key-rotation-just-before-signing"""
    signed = provider.signed if named else lambda claims: without_kid(claims, provider.keys[0])
    provider.sign = signed
    await front_end.sign_in_at(provider, connection_id)
    provider.keys = [Key.make("three")]
    assert signed_in(await front_end.sign_in_at(provider, connection_id))
    fetched = provider.asked.count("/jwks")
    provider.sign = lambda claims: provider.signed(claims, kid="made up")
    for _ in range(5):
        assert await check_that_fails(front_end, provider, connection_id, refused) == "kid"
    assert provider.asked.count("/jwks") == fetched
    provider.keys, provider.sign = [Key.make("four")], signed
    with world.clock.later(timedelta(seconds=31)):
        assert signed_in(await front_end.sign_in_at(provider, connection_id))


async def test_however_many_wait_for_keys_they_are_fetched_once(
    world: World, provider: Provider, connection_id: str
) -> None:
    import asyncio

    await FrontEnd(world).begin(connection_id)
    provider.asked.clear()
    browsers = [FrontEnd(world) for _ in range(10)]
    await asyncio.gather(*(each.sign_in_at(provider, connection_id) for each in browsers))
    assert provider.asked.count("/jwks") == 1
    assert provider.asked.count("/.well-known/openid-configuration") == 0


async def test_the_answer_of_somebody_else_is_refused_before_the_code_is_sent(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    """RFC 9207"""
    provider.callback = lambda brought: brought.update(iss="https://evil.example")
    assert await check_that_fails(front_end, provider, connection_id, refused) == "callback_iss"
    assert provider.exchanged == []


async def test_an_announced_iss_must_be_there(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.callback = lambda brought: brought.pop("iss")
    assert await check_that_fails(front_end, provider, connection_id, refused) == "callback_iss"
    assert provider.exchanged == []


@pytest.fixture
async def other(somebody_else: Somebody) -> AsyncIterator[Provider]:
    """Another provider."""
    async with running_provider(person=somebody_else.claims()) as provider:
        yield provider


async def test_the_code_of_one_provider_is_not_sent_to_another(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    other: Provider,
    connection_id: str,
    refused: Refused,
) -> None:
    """The mix-up attack: the other provider has sent the browser on to the honest one."""
    others = await new_platform_connection(world, administrator, other.issuer)
    url = await front_end.begin(others)
    brought = provider.authorize(url)
    call = front_end.complete(brought)
    found = await refused(call, UNAUTHENTICATED, RESPONSE_INVALID)
    assert found.metadata["check"] == "callback_iss"
    assert other.exchanged == []


async def test_user_info_about_somebody_else_is_refused(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    """oidcc-client-test-userinfo-invalid-sub"""
    provider.claims_in_userinfo = True
    provider.userinfo = lambda claims: claims.update(sub="somebody else")
    found = await check_that_fails(front_end, provider, connection_id, refused)
    assert found == "userinfo_sub"


async def test_what_the_id_token_lacks_comes_from_the_user_info(
    front_end: FrontEnd, provider: Provider, connection_id: str, somebody_else: Somebody
) -> None:
    """oidcc-client-test-scope-userinfo-claims, -userinfo-bearer-header"""
    provider.claims_in_userinfo = True
    person = signed_in(await front_end.sign_in_at(provider, connection_id))
    assert person.email == somebody_else.email


async def test_a_client_secret_is_sent_as_the_provider_takes_it(
    world: World, administrator: Person, front_end: FrontEnd, provider: Provider
) -> None:
    """oidcc-client-test-client-secret-basic"""
    for way in ("client_secret_basic", "client_secret_post"):
        connection_id = await new_platform_connection(
            world, administrator, provider.issuer, client_authentication=way
        )
        assert signed_in(await front_end.sign_in_at(provider, connection_id))
        assert ("client_secret" in provider.exchanged[-1]) == (way == "client_secret_post")


async def test_a_discovery_document_of_another_issuer_is_refused(
    world: World, administrator: Person, provider: Provider, refused: Refused
) -> None:
    """oidcc-client-test-discovery-issuer-mismatch"""
    provider.discovery = lambda document: document.update(issuer="https://evil.example")
    call = new_platform_connection(world, administrator, provider.issuer)
    found = await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    assert (found.fields, found.reasons) == (("issuer",), ("ISSUER_MISMATCH",))


async def test_an_issuer_that_changes_later_is_refused_too(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.discovery = lambda document: document.update(issuer="https://evil.example")
    with world.clock.later(timedelta(hours=1, minutes=1)):
        call = front_end.begin(connection_id)
        found = await refused(call, UNAUTHENTICATED, RESPONSE_INVALID)
    assert found.metadata["check"] == "discovery_issuer"


async def test_discovery_names_all_addresses(
    front_end: FrontEnd, provider: Provider, connection_id: str
) -> None:
    """oidcc-client-test-discovery-openid-config, -discovery-jwks-uri-keys"""
    await front_end.sign_in_at(provider, connection_id)
    assert provider.asked == ["/.well-known/openid-configuration", "/token", "/jwks"]


UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE")


async def test_a_huge_answer_is_not_read(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.padding = 300_000
    await refused(front_end.sign_in_at(provider, connection_id), *UNREACHABLE)


async def test_a_redirect_is_not_followed(
    front_end: FrontEnd, provider: Provider, other: Provider, connection_id: str, refused: Refused
) -> None:
    provider.redirect_to = f"{other.base}/token"
    await refused(front_end.sign_in_at(provider, connection_id), *UNREACHABLE)
    assert other.asked == []


async def test_a_slow_provider_is_not_waited_for(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    brought = provider.authorize(await front_end.begin(connection_id))
    provider.delay = 10
    before = time.monotonic()
    await refused(front_end.complete(brought), *UNREACHABLE)
    assert time.monotonic() - before < 6


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("token_endpoint", "https://169.254.169.254/latest"),
        ("token_endpoint", "https://10.0.0.1/token"),
        ("jwks_uri", "file:///etc/passwd"),
        ("jwks_uri", "https://[::ffff:10.0.0.1]/jwks"),
        ("token_endpoint", "https://user:password@example.com/token"),
    ],
)
async def test_a_private_address_is_not_asked(
    world: World,
    administrator: Person,
    front_end: FrontEnd,
    provider: Provider,
    endpoint: str,
    address: str,
    refused: Refused,
) -> None:
    provider.discovery = lambda document: document.update({endpoint: address})
    connection_id = await new_platform_connection(world, administrator, provider.issuer)
    await refused(front_end.sign_in_at(provider, connection_id), *UNREACHABLE)


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "end_session_endpoint"])
@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(document.domain)//",
        "data:text/html,<script>alert(1)</script>",
        "http://provider.example/login",
        "https://user:password@provider.example/login",
        "//provider.example/login",
        "https://[/login",
    ],
)
async def test_a_browser_is_sent_to_no_script_and_nowhere_without_tls(
    world: World,
    administrator: Person,
    provider: Provider,
    endpoint: str,
    address: str,
    refused: Refused,
) -> None:
    """Pages and programs of others open these addresses in the window of the person."""
    provider.discovery = lambda document: document.update({endpoint: address})
    call = new_platform_connection(world, administrator, provider.issuer)
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")


async def test_an_answer_without_an_id_token_is_refused(
    front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    provider.token_answer = lambda answer: answer.pop("id_token")
    await refused(front_end.sign_in_at(provider, connection_id), *UNREACHABLE)


async def test_a_code_of_another_sign_in_is_of_no_use(
    world: World, front_end: FrontEnd, provider: Provider, connection_id: str, refused: Refused
) -> None:
    """A stolen code, put into a sign-in of the thief's own: it has another verifier."""
    stolen = provider.authorize(await FrontEnd(world).begin(connection_id))
    mine = provider.authorize(await front_end.begin(connection_id))
    await refused(front_end.complete({**mine, "code": stolen["code"]}), *UNREACHABLE)
