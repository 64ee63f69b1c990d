"""RFC 9700, the best practice for the security of OAuth 2.0: a test for each that the core keeps.

| section | recommendation | test |
|---|---|---|
| 2.1 | redirect URIs are compared exactly | `test_2_1_redirect_uris_are_compared_exactly` |
| 2.1 | the server redirects nobody at will | `test_4_11_the_server_is_no_open_redirector` |
| 2.1.1 | PKCE for every client, with S256 | `test_2_1_1_every_client_uses_pkce` |
| 2.1.1 | the challenge is bound to the code | `test_2_1_1_a_code_is_bound_to_its_challenge` |
| 2.1.2 | no implicit grant | `test_2_1_2_no_token_is_given_by_the_browser` |
| 2.2.1 | tokens are bound to their sender | tests/core/oauth/test_dpop.py |
| 2.2.2 | refresh tokens of public clients are rotated | `test_2_2_2_refresh_tokens_are_rotated` |
| 2.3 | tokens are for one audience and few scopes | `test_2_3_tokens_are_restricted` |
| 2.4 | no password grant | `test_2_4_no_password_is_taken` |
| 2.5 | clients authenticate, by keys if they can | `test_2_5_clients_authenticate` |
| 2.6 | the server has metadata | `test_2_6_the_server_describes_itself` |
| 4.1.3 | only loopback ports are free | `test_4_1_3_only_a_loopback_port_is_free` |
| 4.2.4 | a leaked code is of no use | `test_4_2_4_a_code_is_good_once_and_its_reuse_ends_all` |
| 4.3 | no token stands in an address | `test_4_3_no_token_stands_in_an_address` |
| 4.4.2 | the answer names the issuer, against mix-up | `test_4_4_2_the_answer_names_the_issuer` |
| 4.5.3 | an injected code is refused | `test_4_5_3_an_injected_code_is_refused` |
| 4.6 | an injected access token is of no use | `test_4_6_an_id_token_names_its_application` |
| 4.7.1 | a forged request is noticed | `test_4_7_1_the_state_comes_back_as_it_was` |
| 4.8.2 | PKCE cannot be left out on the way | `test_4_8_2_pkce_cannot_be_left_out` |
| 4.9 | a token is of no use elsewhere | `test_4_9_a_token_is_for_one_audience` |
| 4.11.2 | errors of untrusted requests go nowhere | `test_4_11_the_server_is_no_open_redirector` |
| 4.12 to 4.13, 4.16 | status 303, proxies, framing | kept by the pages and the gateway |
| 4.14.2 | a stolen refresh token is noticed | `test_4_14_2_a_stolen_refresh_token_is_noticed` |
| 4.14.2 | refresh tokens end | `test_4_14_2_refresh_tokens_end_if_they_are_not_used` |
| 4.15.1 | no client passes for a person | `test_4_15_1_no_client_passes_for_a_person` |
| 4.17 | no answer by postMessage | `test_4_17_no_answer_by_post_message` |
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
from portico.projects.v1 import project_service_pb2 as projects
from portico.users.v1 import user_service_pb2 as users

from portico_kit.oauth_metadata import authorization_server_metadata
from tests.core.applications.conftest import ISSUER, REDIRECT, ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, claims, new_app, public, said
from tests.core.world import Person, World, bearer

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def spa(application_client: ApplicationClient) -> App:
    """An application that can keep no secret."""
    return await new_app(application_client, "single_page")


async def test_2_1_redirect_uris_are_compared_exactly(app: App) -> None:
    for other in (f"{REDIRECT}/", f"{REDIRECT}?x=1", f"{REDIRECT}%20", REDIRECT.upper()):
        assert (await app.begin(redirect_uri=other)).HasField("error")


async def test_2_1_1_every_client_uses_pkce(app: App, spa: App) -> None:
    for client in (app, spa):
        for missing in ({"code_challenge": None}, {"code_challenge_method": "plain"}):
            answer = said((await client.begin(**missing)).response)
            assert answer["error"] == "invalid_request"


async def test_2_1_1_a_code_is_bound_to_its_challenge(
    owner: Person, spa: App, refused: Refused
) -> None:
    attempt = spa.exchange(await spa.code(owner), code_verifier="x" * 43)
    await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")


async def test_2_1_2_no_token_is_given_by_the_browser(app: App) -> None:
    for response_type in ("token", "id_token", "id_token token", "code token", "code id_token"):
        answer = said((await app.begin(response_type=response_type)).response)
        assert answer["error"] == "unsupported_response_type"


async def test_2_2_2_refresh_tokens_are_rotated(owner: Person, spa: App) -> None:
    first = await spa.signed_in(owner)
    second = await spa.refresh(first.refresh_token)
    assert first.refresh_token != second.refresh_token


async def test_2_3_tokens_are_restricted(owner: Person, app: App, organization_id: str) -> None:
    said_of = claims((await app.signed_in(owner, scope="projects:read")).access_token)
    assert (said_of["aud"], said_of["scope"]) == (ISSUER, "projects:read")
    assert said_of["org"] == organization_id


async def test_2_4_no_password_is_taken(owner: Person, app: App, refused: Refused) -> None:
    await refused(app.issue("password"), INVALID, "OAUTH_UNSUPPORTED_GRANT_TYPE")


async def test_2_5_clients_authenticate(owner: Person, app: App, refused: Refused) -> None:
    code = await app.code(owner)
    wrong = replace(app, secret="wrong")
    posted = replace(app, method="client_secret_post")
    for client in (public(app), wrong, posted):
        attempt = client.exchange(code)
        await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
    metadata = authorization_server_metadata(ISSUER)
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]


async def test_2_6_the_server_describes_itself() -> None:
    metadata = authorization_server_metadata(ISSUER)
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]


async def test_4_1_3_only_a_loopback_port_is_free(
    application_client: ApplicationClient,
) -> None:
    uris = ["http://127.0.0.1/callback", "https://app.example.com/callback"]
    app = await new_app(application_client, "native", redirect_uris=uris)
    assert (await app.begin(redirect_uri="http://127.0.0.1:4711/callback")).HasField(
        "authorization"
    )
    for other in ("https://app.example.com:4711/callback", "http://localhost:4711/callback"):
        assert (await app.begin(redirect_uri=other)).HasField("error")


async def test_4_2_4_a_code_is_good_once_and_its_reuse_ends_all(
    owner: Person, app: App, refused: Refused
) -> None:
    code = await app.code(owner)
    issued = await app.exchange(code)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
    assert not await app.is_active(issued.access_token)
    await refused(app.refresh(issued.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_4_3_no_token_stands_in_an_address(owner: Person, app: App) -> None:
    response = await app.approve(owner, await app.request_id())
    assert set(response) == {"code", "state", "iss"}
    # Not even the code has to.
    assert (await app.begin(response_mode="form_post")).HasField("authorization")


async def test_4_4_2_the_answer_names_the_issuer(owner: Person, app: App) -> None:
    assert said((await app.ask(owner, prompt="none")).response)["iss"] == ISSUER
    assert (await app.approve(owner, await app.request_id()))["iss"] == ISSUER
    assert said((await app.begin(scope="made-up")).response)["iss"] == ISSUER
    metadata = authorization_server_metadata(ISSUER)
    assert metadata["authorization_response_iss_parameter_supported"] is True


async def test_4_5_3_an_injected_code_is_refused(
    owner: Person, spa: App, stranger: Person, refused: Refused
) -> None:
    """A code of one browser, put into the session of another: its verifier is another one."""
    code = await spa.code(owner)
    attempt = spa.exchange(code, code_verifier="the-verifier-of-the-attackers-own-session-here")
    await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")
    assert claims((await spa.exchange(code)).id_token)["nonce"] == "a nonce"


async def test_4_6_an_id_token_names_its_application(owner: Person, app: App) -> None:
    issued = await app.signed_in(owner)
    assert claims(issued.id_token)["aud"] == app.client_id
    assert claims(issued.access_token)["client_id"] == app.client_id


async def test_4_7_1_the_state_comes_back_as_it_was(owner: Person, app: App) -> None:
    state = "ünïcode & <script> \"'%00 " + "s" * 1000
    request_id = await app.request_id(state=state)
    assert (await app.approve(owner, request_id))["state"] == state
    assert "state" not in await app.approve(owner, await app.request_id(state=None))


async def test_4_8_2_pkce_cannot_be_left_out(owner: Person, app: App, refused: Refused) -> None:
    assert (await app.begin(code_challenge=None)).HasField("response")
    attempt = app.exchange(await app.code(owner), code_verifier="")
    await refused(attempt, INVALID, "OAUTH_INVALID_REQUEST")


async def test_4_9_a_token_is_for_one_audience(owner: Person, app: App, refused: Refused) -> None:
    answer = said((await app.begin(resource="https://other.example")).response)
    assert answer["error"] == "invalid_target"
    code = await app.code(owner)
    attempt = app.exchange(code, resource=["https://other.example"])
    await refused(attempt, INVALID, "OAUTH_INVALID_TARGET")
    # Nothing was used up by that.
    assert claims((await app.exchange(code)).access_token)["aud"] == ISSUER


@pytest.mark.parametrize("to", ["https://attacker.example/", "javascript:alert(1)", "//x", "data:"])
async def test_4_11_the_server_is_no_open_redirector(app: App, to: str) -> None:
    for wrong in ({}, {"scope": "made-up"}, {"response_type": "token"}, {"prompt": "none"}):
        begun = await app.begin(**{**wrong, "redirect_uri": to})
        assert begun.WhichOneof("outcome") == "error"


async def test_4_14_2_a_stolen_refresh_token_is_noticed(
    owner: Person, spa: App, refused: Refused
) -> None:
    stolen = (await spa.signed_in(owner)).refresh_token
    second = await spa.refresh(stolen)
    third = await spa.refresh(second.refresh_token)
    await refused(spa.refresh(stolen), INVALID, "OAUTH_INVALID_GRANT")
    await refused(spa.refresh(third.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_4_14_2_refresh_tokens_end_if_they_are_not_used(
    world: World, owner: Person, spa: App, refused: Refused
) -> None:
    issued = await spa.signed_in(owner, scope="openid offline_access")
    with world.clock.later(timedelta(days=31)):
        await refused(spa.refresh(issued.refresh_token), INVALID, "OAUTH_INVALID_GRANT")


async def test_4_15_1_no_client_passes_for_a_person(
    world: World, machine: App, refused: Refused
) -> None:
    """Its subject is its own client_id, which it does not choose; its kind is another one."""
    token = (await machine.issue("client_credentials")).access_token
    assert claims(token)["sub"] == machine.client_id
    attempt = world.users.GetMe(users.GetMeRequest(), metadata=bearer(token))
    await refused(attempt, grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    listed = world.projects.ListProjects(projects.ListProjectsRequest(), metadata=bearer(token))
    with pytest.raises(grpc.aio.AioRpcError):
        await listed


async def test_4_17_no_answer_by_post_message(app: App) -> None:
    answer = await app.begin(response_mode="web_message")
    assert said(answer.response)["error"] == "invalid_request"
