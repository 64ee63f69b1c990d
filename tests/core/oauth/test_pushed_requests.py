"""RFC 9126: an application sends its authorization request itself, and the browser a name of it.

| section | test |
|---|---|
| 2 | `test_only_the_application_itself_pushes` |
| 2.1 | `test_a_request_that_is_wrong_is_refused_at_once` |
| 2.2 | `test_a_pushed_request_*` |
| 2.3 | `test_a_request_that_is_wrong_is_refused_at_once` |
| 4 | `test_the_parameters_beside_it_count_for_nothing` |
| 5 | `test_the_server_says_where_requests_are_pushed` |
| 6 | `test_an_application_can_be_held_to_pushing` |
| RFC 9449, 10.1 | `test_a_proof_binds_the_code_to_its_key` |
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from portico.oauth.v1 import authorization_service_pb2 as pb
from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit.oauth_metadata import authorization_server_metadata
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.bound import proof
from tests.core.oauth.conftest import INTERNAL, App, Parameters, new_app, said
from tests.core.world import Person, World
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT
PREFIX = "urn:ietf:params:oauth:request_uri:"
KEY, OTHER = ProofKey(), ProofKey()


async def push_all(
    app: App, parameters: Parameters, **fields: Any
) -> token_pb.PushAuthorizationResponse:
    given = [pb.Parameter(name=name, value=value) for name, value in parameters]
    values = {"client": app.credentials, **fields}
    request = token_pb.PushAuthorizationRequest(parameters=given, **values)
    return await app.tokens.PushAuthorization(request, metadata=INTERNAL)


async def push(app: App, proven: str = "", **changes: str | None) -> str:
    """The request_uri of a request that is right but for what is given.

    Args:
        proven: the proof that comes with it.
    """
    pushed = await push_all(app, app.parameters(**changes), dpop_proof=proven)
    return pushed.request_uri


async def begin(app: App, request_uri: str, **more: str) -> pb.BeginAuthorizationResponse:
    """What becomes of a request that the browser brings the name of."""
    given = {"client_id": app.client_id, "request_uri": request_uri, **more}
    return await app.begin_with(list(given.items()))


def is_unknown(begun: pb.BeginAuthorizationResponse) -> bool:
    """Whether the browser is sent nowhere, since there is no such request."""
    return begun.error.error == "invalid_request_uri"


async def deny(app: App, person: Person, request_id: str) -> dict[str, str]:
    """The response to a request that a person has refused."""
    denied = pb.DenyAuthorizationRequest(request_id=request_id)
    answer = await app.authorizations.DenyAuthorization(denied, metadata=person.metadata)
    return said(answer.response)


async def code_of(app: App, person: Person, request_uri: str) -> str:
    begun = await begin(app, request_uri)
    return (await app.approve(person, begun.authorization.request_id))["code"]


async def test_a_pushed_request_leads_to_tokens(owner: Person, app: App) -> None:
    pushed = await push_all(app, app.parameters(state="mine"))
    assert pushed.expires_in == 60
    assert pushed.request_uri.startswith(PREFIX)
    assert len(pushed.request_uri) >= len(PREFIX) + 43
    begun = await begin(app, pushed.request_uri)
    answer = await app.approve(owner, begun.authorization.request_id)
    assert answer["state"] == "mine"
    assert (await app.exchange(answer["code"])).access_token


async def test_a_pushed_request_is_good_for_one_decision(owner: Person, app: App) -> None:
    """Not for one page: browsers load an address ahead of the person, and people reload it.

    FAPI 2.0 Security Profile, section 5.3.2.2, note 3.
    """
    for denied in (False, True):
        request_uri = await push(app)
        begun = await asyncio.gather(*(begin(app, request_uri) for _ in range(5)))
        pages = [each.authorization.request_id for each in begun]
        assert all(pages)
        if denied:
            await deny(app, owner, pages[0])
        else:
            await app.approve(owner, pages[0])
        assert is_unknown(await begin(app, request_uri))


async def test_of_a_pushed_request_that_is_approved_twice_one_code_is_good(
    owner: Person, app: App, refused: Refused
) -> None:
    request_uri = await push(app)
    first, second = await begin(app, request_uri), await begin(app, request_uri)
    codes = [
        (await app.approve(owner, each.authorization.request_id))["code"]
        for each in (first, second)
    ]
    await refused(app.exchange(codes[0]), INVALID, "OAUTH_INVALID_GRANT")
    assert (await app.exchange(codes[1])).access_token


async def test_a_pushed_request_is_decided_by_one_person(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    """Whoever is sent the address of somebody else's request does not answer it as well."""
    request_uri = await push(app, scope="openid")
    first, second = await begin(app, request_uri), await begin(app, request_uri)
    other = await world.new_person()
    await app.approve(owner, first.authorization.request_id)
    for attempt in (
        app.approve(other, second.authorization.request_id),
        deny(app, other, second.authorization.request_id),
    ):
        await refused(attempt, grpc.StatusCode.FAILED_PRECONDITION, "AUTHORIZATION_EXPIRED")


async def test_a_pushed_request_is_good_for_a_minute(world: World, app: App) -> None:
    first, second = await push(app), await push(app)
    world.clock.advance(timedelta(seconds=55))
    assert (await begin(app, first)).HasField("authorization")
    world.clock.advance(timedelta(seconds=6))
    assert is_unknown(await begin(app, second))


async def test_a_pushed_request_is_for_its_own_application(
    application_client: ApplicationClient, app: App
) -> None:
    other = await new_app(application_client)
    request_uri = await push(app)
    assert is_unknown(await begin(other, request_uri))
    # It took nothing away.
    assert (await begin(app, request_uri)).HasField("authorization")


@pytest.mark.parametrize("name", ["", "x", "A" * 43, "\u00e9", "x" * 16_000])
async def test_a_name_that_is_made_up_is_unknown(app: App, name: str) -> None:
    assert is_unknown(await begin(app, PREFIX + name))


async def test_a_pushed_request_needs_its_client_id(app: App) -> None:
    begun = await app.begin_with([("request_uri", await push(app))])
    assert begun.error.error == "invalid_client"


async def test_the_address_of_a_request_is_not_followed(app: App) -> None:
    begun = await app.begin(request_uri="https://app.example.com/request")
    assert said(begun.response)["error"] == "request_uri_not_supported"


async def test_the_parameters_beside_it_count_for_nothing(app: App) -> None:
    request_uri = await push(app, scope="openid", state="mine")
    more = {"scope": "openid email", "state": "theirs", "redirect_uri": "https://evil.example/"}
    begun = await begin(app, request_uri, **more)
    assert [each.name for each in begun.authorization.scopes] == ["openid"]
    refused = await app.authorizations.RefuseAuthorization(
        pb.RefuseAuthorizationRequest(
            request_id=begun.authorization.request_id, error="login_required"
        )
    )
    assert said(refused.response)["state"] == "mine"
    assert refused.response.redirect_uri == app.redirect_uri


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uri": "https://evil.example/"}, "OAUTH_INVALID_REQUEST"),
        ({"redirect_uri": None}, "OAUTH_INVALID_REQUEST"),
        ({"request_uri": f"{PREFIX}x"}, "OAUTH_INVALID_REQUEST"),
        ({"request": "a.b.c"}, "OAUTH_INVALID_REQUEST_OBJECT"),
        ({"client_id": "somebody"}, "OAUTH_INVALID_REQUEST"),
        ({"code_challenge": None}, "OAUTH_INVALID_REQUEST"),
        ({"code_challenge_method": "plain"}, "OAUTH_INVALID_REQUEST"),
        ({"response_type": "token"}, "OAUTH_UNSUPPORTED_RESPONSE_TYPE"),
        ({"response_type": None}, "OAUTH_INVALID_REQUEST"),
        ({"scope": "everything"}, "OAUTH_INVALID_SCOPE"),
        ({"resource": "https://other.example"}, "OAUTH_INVALID_TARGET"),
        ({"prompt": "none login"}, "OAUTH_INVALID_REQUEST"),
        ({"id_token_hint": "x"}, "OAUTH_INVALID_REQUEST"),
        ({"dpop_jkt": "x"}, "OAUTH_INVALID_REQUEST"),
    ],
)
async def test_a_request_that_is_wrong_is_refused_at_once(
    app: App, refused: Refused, changes: dict[str, str | None], reason: str
) -> None:
    await refused(push(app, "", **changes), INVALID, reason)


async def test_a_parameter_that_is_there_twice_is_refused(app: App, refused: Refused) -> None:
    twice = [*app.parameters(), ("client_id", app.client_id)]
    await refused(push_all(app, twice), INVALID, "OAUTH_INVALID_REQUEST")


async def test_the_client_id_is_known_from_the_credential(app: App) -> None:
    assert (await begin(app, await push(app, client_id=None))).HasField("authorization")


async def test_only_the_application_itself_pushes(app: App, refused: Refused) -> None:
    wrong = token_pb.ClientCredentials(
        client_id=app.client_id, method="client_secret_basic", client_secret="wrong"
    )
    alone = token_pb.ClientCredentials(client_id=app.client_id, method="none")
    for client in (wrong, alone):
        attempt = push_all(app, app.parameters(), client=client)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_an_application_without_a_secret_pushes_in_its_name(
    application_client: ApplicationClient, owner: Person
) -> None:
    spa = await new_app(application_client, "single_page")
    code = await code_of(spa, owner, await push(spa))
    assert (await spa.exchange(code)).access_token


async def test_a_machine_has_nothing_to_push(machine: App, refused: Refused) -> None:
    attempt = push(machine, redirect_uri="https://app.example.com/callback")
    await refused(attempt, INVALID, "OAUTH_INVALID_REQUEST")


async def test_an_application_can_be_held_to_pushing(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client, require_pushed_authorization_requests=True)
    begun = await app.begin()
    assert said(begun.response)["error"] == "invalid_request"
    assert said(begun.response)["state"] == "a state"
    code = await code_of(app, owner, await push(app))
    assert (await app.exchange(code)).access_token


async def test_a_redirect_uri_that_was_taken_away_is_not_gone_to(
    application_client: ApplicationClient, app: App
) -> None:
    request_uri = await push(app)
    await application_client.update(app.client_id, redirect_uris=["https://app.example.com/new"])
    assert is_unknown(await begin(app, request_uri))


async def test_a_proof_binds_the_code_to_its_key(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    code = await code_of(app, owner, await push(app, proof(world, KEY, "par")))
    for shown in ("", proof(world, OTHER)):
        attempt = app.exchange(code, dpop_proof=shown)
        await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")
    assert (await app.exchange(code, dpop_proof=proof(world, KEY))).token_type == "DPoP"


async def test_a_proof_is_by_the_key_that_the_request_names(
    world: World, app: App, refused: Refused
) -> None:
    shown = proof(world, KEY, "par")
    attempt = push(app, shown, dpop_jkt=OTHER.jkt)
    await refused(attempt, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    assert await push(app, proof(world, KEY, "par"), dpop_jkt=KEY.jkt)
    at_token = push(app, proof(world, KEY, "token"))
    await refused(at_token, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    twice = push(app, shown)
    await refused(twice, INVALID, "OAUTH_INVALID_DPOP_PROOF")
    without = push(app, proof(world, KEY, "par", nonce=None))
    await refused(without, INVALID, "OAUTH_USE_DPOP_NONCE")


def test_the_server_says_where_requests_are_pushed() -> None:
    document = authorization_server_metadata(ISSUER)
    assert document["pushed_authorization_request_endpoint"] == f"{ISSUER}/oauth/par"
    assert document["require_pushed_authorization_requests"] is False


async def test_a_person_may_take_longer_than_the_request_uri_lasts(
    world: World, owner: Person, app: App
) -> None:
    """Once the browser is here, the request is one like any other."""
    begun = await begin(app, await push(app))
    world.clock.advance(timedelta(minutes=5))
    answer = await app.approve(owner, begun.authorization.request_id)
    assert (await app.exchange(answer["code"])).access_token
