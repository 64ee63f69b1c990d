"""What the modules of the OpenID conformance suite ask of the core that no other test promises.

Which module is promised by which test: docs/oauth-conformance.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import grpc
import jwt
import pytest
from google.protobuf.json_format import MessageToDict
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, new_app, said
from tests.core.world import PASSWORD, Person, World

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def now(app: App) -> float:
    """Now, as everybody here has it."""
    return app.world.clock().timestamp()


async def test_without_a_nonce_there_is_none_in_the_id_token(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner, nonce=None)
    assert "nonce" not in claims(issued.id_token)


@pytest.mark.parametrize("length", [64, 384, 1024])
async def test_a_nonce_and_a_state_may_be_long(owner: Person, app: App, length: int) -> None:
    text = "n" * length
    answer = await app.approve(owner, await app.request_id(nonce=text, state=text))
    assert answer["state"] == text
    assert claims((await app.exchange(answer["code"])).id_token)["nonce"] == text


async def test_the_order_of_scopes_says_nothing(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner, scope="projects:read email openid")
    assert set(issued.scope.split()) == {"openid", "email", "projects:read"}
    assert issued.id_token
    assert (await app.user_info(issued.access_token)).email == owner.email


@pytest.mark.parametrize(
    "wish",
    [
        {"display": "page"},
        {"display": "popup"},
        {"claims_locales": "se"},
        {"ui_locales": "se de"},
        {"acr_values": "1 2"},
        {"login_hint": "buffy@example.com"},
        {"extra": "foobar"},
        {"id_token_hint": ""},
        {"max_age": "10000"},
    ],
    ids=lambda wish: next(iter(wish)),
)
async def test_a_wish_that_cannot_be_granted_stops_nobody(
    owner: Person, app: App, wish: dict[str, str]
) -> None:
    issued = await app.signed_in(owner, **wish)
    # What a client that named a max_age holds against its clock (OpenID Connect Core, 3.1.3.7).
    assert {"sub", "auth_time"} <= set(claims(issued.id_token))


async def test_who_is_signed_in_is_the_same_next_time_without_a_page(
    world: World, owner: Person, app: App
) -> None:
    issued = await app.signed_in(owner)
    hint, first = issued.id_token, claims(issued.id_token)
    with world.clock.later(timedelta(minutes=5)):
        # thunder-id/thunderid#5105, authts/oidc-client-ts#1111: it was when the token was made.
        refreshed = claims((await app.refresh(issued.refresh_token)).id_token)
        assert refreshed["auth_time"] == first["auth_time"] < refreshed["iat"]
        for silent in ({"prompt": "none"}, {"prompt": "none", "id_token_hint": hint}):
            request_id = await app.request_id(**silent)
            assert (await app.ask_again(owner, request_id)).next == "approve"
            issued = await app.exchange((await app.approve(owner, request_id))["code"])
            again = claims(issued.id_token)
            assert (again["sub"], again["auth_time"]) == (first["sub"], first["auth_time"])


async def test_a_sign_in_that_is_older_than_a_second_is_made_once_more(
    world: World, owner: Person, app: App
) -> None:
    first = claims((await app.signed_in(owner)).id_token)
    with world.clock.later(timedelta(seconds=10)):
        request_id = await app.request_id(max_age="1")
        assert (await app.ask_again(owner, request_id)).next == "sign_in"
        person = await world.sign_in(owner.email)
        issued = await app.exchange((await app.approve(person, request_id))["code"])
    again = claims(issued.id_token)
    assert again["auth_time"] > first["auth_time"]
    assert again["sub"] == first["sub"]


async def test_who_shows_once_more_who_they_are_stays_signed_in_elsewhere(
    world: World, owner: Person, app: App, application_client: ApplicationClient
) -> None:
    """better-auth/better-auth#9936: to ask once more ended the session, and all that hung on it."""
    other = await new_app(application_client)
    elsewhere = await other.signed_in(owner)
    first = claims((await app.signed_in(owner)).id_token)
    with world.clock.later(timedelta(minutes=1)):
        request_id = await app.request_id(prompt="login")
        begun = await world.challenges.BeginStepUp(
            challenges.BeginStepUpRequest(), metadata=owner.metadata
        )
        await world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=begun.challenge, method="password", password=PASSWORD
            )
        )
        issued = await app.exchange((await app.approve(owner, request_id))["code"])
        again = claims(issued.id_token)
        assert again["sid"] == first["sid"]
        assert again["auth_time"] >= first["auth_time"] + 60
        assert await other.is_active(elsewhere.access_token)
        assert (await other.refresh(elsewhere.refresh_token)).access_token


async def test_a_secret_may_stand_in_the_form(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    app = await new_app(application_client, token_endpoint_auth_method="client_secret_post")
    issued = await app.signed_in(owner)
    assert (await app.refresh(issued.refresh_token)).access_token
    elsewhere = replace(app, method="client_secret_basic")
    attempt = elsewhere.exchange(await app.code(owner))
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_a_claim_that_is_essential_for_userinfo_is_there_and_only_there(
    owner: Person, app: App
) -> None:
    asked = '{"userinfo": {"name": {"essential": true}}}'
    issued = await app.signed_in(owner, scope="openid", claims=asked)
    assert (await app.user_info(issued.access_token)).name == "Ada"
    assert "name" not in claims(issued.id_token)


async def test_every_claim_that_is_announced_is_given_and_what_is_unknown_is_ignored(
    owner: Person, app: App
) -> None:
    forms = (None, {"essential": True}, {"essential": False})
    names = ("name", "updated_at", "email", "email_verified")
    wanted = {name: forms[at % 3] for at, name in enumerate(names)} | {"shoe_size": None}
    asked = json.dumps({"id_token": wanted, "userinfo": wanted, "elsewhere": wanted})
    issued = await app.signed_in(owner, scope="openid", claims=asked)
    told = MessageToDict(await app.user_info(issued.access_token), preserving_proto_field_name=True)
    assert set(names) <= set(claims(issued.id_token))
    assert set(names) <= set(told)
    # wso2/product-is#11317: seconds, no milliseconds.
    assert abs(claims(issued.id_token)["updated_at"] - now(app)) < 86_400
    assert "shoe_size" not in {*claims(issued.id_token), *told}
    assert set(names) <= set(openid_configuration(ISSUER)["claims_supported"])


async def test_an_id_token_is_signed_by_a_published_key_that_it_names(
    world: World, owner: Person, application_client: ApplicationClient
) -> None:
    keys = await world.auth.GetJsonWebKeySet(auth.GetJsonWebKeySetRequest())
    published = MessageToDict(keys)["keys"]
    # A client that looks for a key by its name finds one.
    names = [key["kid"] for key in published]
    assert len(names) == len(set(names))
    for algorithm in ("RS256", "ES256"):
        app = await new_app(application_client, id_token_signed_response_alg=algorithm)
        header = jwt.get_unverified_header((await app.signed_in(owner)).id_token)
        [key] = [key for key in published if key["kid"] == header["kid"]]
        assert (header["alg"], key["alg"], key["use"]) == (algorithm, algorithm, "sig")


async def test_no_application_gets_id_tokens_that_nobody_signed(
    application_client: ApplicationClient, refused: Refused
) -> None:
    for algorithm in ("none", "HS256"):
        attempt = application_client.create("web", id_token_signed_response_alg=algorithm)
        await refused(attempt, INVALID, "VALIDATION_ERROR")
    supported = openid_configuration(ISSUER)["id_token_signing_alg_values_supported"]
    assert not {"none", "HS256"} & set(supported)


async def test_scopes_that_are_not_announced_are_refused_by_name(app: App) -> None:
    """We know neither an address nor a telephone number: `scopes_supported` has neither."""
    for scope in ("address", "phone"):
        assert scope not in openid_configuration(ISSUER)["scopes_supported"]
        answer = said((await app.begin(scope=f"openid {scope}")).response)
        assert answer["error"] == "invalid_scope"


async def test_a_request_whose_address_is_in_a_request_object_is_not_guessed_at(app: App) -> None:
    """`redirect_uri` is required outside, too: without it there is nobody to answer."""
    unsigned = jwt.encode({"redirect_uri": app.redirect_uri}, "", algorithm="none")
    assert (await app.begin(request=unsigned, redirect_uri=None)).HasField("error")
