"""Logout requests of applications (OpenID Connect RP-Initiated Logout 1.0, sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import jwt
import pytest
from portico.oauth.v1 import logout_service_pb2 as pb
from portico.oauth.v1.logout_service_pb2_grpc import LogoutServiceStub

from tests.core.applications.conftest import ApplicationClient
from tests.core.conftest import Refused
from tests.core.oauth.conftest import App, new_app
from tests.core.world import Person, World

LEFT = "https://app.example.com/left"
WITH_QUERY = "https://app.example.com/left?from=portico"


@dataclass(frozen=True)
class LogoutClient:
    """An application that asks for the end of a session."""

    app: App

    @property
    def stub(self) -> LogoutServiceStub:
        return LogoutServiceStub(self.app.world.channel)

    async def ask(self, person: Person, **parameters: str) -> pb.GetLogoutResponse:
        """What is to be done in somebody's session."""
        request = pb.GetLogoutRequest(parameters=pb.LogoutParameters(**parameters))
        return await self.stub.GetLogout(request, metadata=person.metadata)

    async def begin(self, **parameters: str) -> pb.BeginLogoutResponse:
        """What is to be done where nobody is signed in."""
        request = pb.BeginLogoutRequest(parameters=pb.LogoutParameters(**parameters))
        return await self.stub.BeginLogout(request)

    async def refused(self, because: str, **parameters: str) -> None:
        """Asserts that nothing is trusted of a request."""
        begun = await self.begin(**parameters)
        assert begun.WhichOneof("outcome") == "error", begun
        assert because in begun.error.error_description


@pytest.fixture
async def client(application_client: ApplicationClient) -> LogoutClient:
    """A web application that says where people go when they have left."""
    uris = [LEFT, WITH_QUERY]
    return LogoutClient(await new_app(application_client, post_logout_redirect_uris=uris))


@pytest.fixture
async def id_token(client: LogoutClient, owner: Person) -> str:
    """The ID token of the owner's session."""
    return (await client.app.signed_in(owner)).id_token


async def test_with_the_id_token_of_the_session_nobody_is_asked(
    client: LogoutClient, owner: Person, id_token: str
) -> None:
    answer = await client.ask(
        owner, id_token_hint=id_token, post_logout_redirect_uri=LEFT, state="a state & more"
    )
    assert answer.logout == pb.Logout(
        client_id=client.app.client_id,
        application_name="an application",
        redirect_uri=f"{LEFT}?state=a+state+%26+more",
    )


async def test_an_id_token_whose_time_is_over_is_as_good(
    world: World, client: LogoutClient, owner: Person, id_token: str
) -> None:
    with world.clock.later(timedelta(hours=6)):
        again = await client.begin(id_token_hint=id_token, post_logout_redirect_uri=LEFT)
    assert again.logout.redirect_uri == LEFT
    assert not again.logout.confirmation_needed


async def test_a_state_is_added_to_an_address_that_has_a_query(
    client: LogoutClient, owner: Person, id_token: str
) -> None:
    answer = await client.ask(
        owner, id_token_hint=id_token, post_logout_redirect_uri=WITH_QUERY, state="1"
    )
    assert answer.logout.redirect_uri == f"{WITH_QUERY}&state=1"


async def test_without_a_hint_or_with_that_of_another_session_the_person_is_asked(
    world: World, client: LogoutClient, owner: Person, id_token: str
) -> None:
    assert (await client.ask(owner)).logout.confirmation_needed
    named = await client.ask(owner, client_id=client.app.client_id, post_logout_redirect_uri=LEFT)
    assert named.logout.confirmation_needed
    assert named.logout.redirect_uri == LEFT
    for person in (await world.sign_in(owner.email), await world.new_person()):
        assert (await client.ask(person, id_token_hint=id_token)).logout.confirmation_needed


async def test_people_are_sent_nowhere_but_to_an_address_of_the_application(
    client: LogoutClient, application_client: ApplicationClient, id_token: str
) -> None:
    for uri in (
        "https://elsewhere.example.com/",
        f"{LEFT}/",
        f"{LEFT}?a=b",
        LEFT.upper(),
        LEFT.replace("https", "http"),
        "https://app.example.com/callback",
        "javascript:alert(1)",
    ):
        await client.refused("not registered", id_token_hint=id_token, post_logout_redirect_uri=uri)
    await client.refused("needs an id_token_hint", post_logout_redirect_uri=LEFT)
    other = await new_app(application_client)
    await client.refused("not registered", client_id=other.client_id, post_logout_redirect_uri=LEFT)


async def test_the_hint_and_the_client_id_name_the_same_client(
    client: LogoutClient, application_client: ApplicationClient, id_token: str
) -> None:
    same = await client.begin(id_token_hint=id_token, client_id=client.app.client_id)
    assert same.WhichOneof("outcome") == "logout"
    other = await new_app(application_client)
    await client.refused("another client", id_token_hint=id_token, client_id=other.client_id)
    await client.refused("unknown", client_id="nobody")


async def test_what_is_no_id_token_of_ours_is_no_hint(
    client: LogoutClient, owner: Person, id_token: str
) -> None:
    tokens = await client.app.signed_in(owner)
    head, body, signature = id_token.split(".")
    claims: dict[str, Any] = jwt.decode(id_token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none")
    kid = jwt.get_unverified_header(id_token)["kid"]
    forged = jwt.encode(claims, "x" * 32, "HS256", headers={"kid": kid})
    for token in (
        "nonsense",
        "a.b.c",
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body}.",
        unsigned,
        forged,
        tokens.access_token,
        owner.access_token,
    ):
        await client.refused("not valid", id_token_hint=token, post_logout_redirect_uri=LEFT)


async def test_only_people_in_a_session_of_their_own_ask_about_it(
    client: LogoutClient, refused: Refused
) -> None:
    call = client.stub.GetLogout(pb.GetLogoutRequest(parameters=pb.LogoutParameters()))
    await refused(call, grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_hint_of_a_deleted_application_leads_nowhere(
    client: LogoutClient, application_client: ApplicationClient, id_token: str
) -> None:
    await application_client.delete(client.app.client_id)
    await client.refused("unknown", id_token_hint=id_token)
