"""RFC 9101: a request that the application has signed; what stands beside it counts for nothing."""

from __future__ import annotations

from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.oauth.v1 import authorization_service_pb2 as pb
from portico.oauth.v1 import token_service_pb2 as token_pb
from sqlalchemy import text

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.applications.keys import ClientKey, assertion, ec_key
from tests.core.conftest import Refused
from tests.core.oauth.conftest import INTERNAL, App, new_app, said
from tests.core.world import Person

KEY, OTHER = ec_key(), ec_key()
JAR = {"typ": "oauth-authz-req+jwt"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture
async def signer(application_client: ApplicationClient) -> App:
    """An application with a key."""
    jwks = ParseDict({"keys": [KEY.public]}, Struct())
    return await new_app(
        application_client, token_endpoint_auth_method="private_key_jwt", jwks=jwks
    )


def key_signed(app: App, key: ClientKey, headers: Any, said: dict[str, Any]) -> str:
    now = int(app.world.clock().timestamp())
    right = {"iss": app.client_id, "aud": ISSUER, "iat": now, "exp": now + 60}
    present = {name: value for name, value in (right | said).items() if value is not None}
    return jwt.encode(present, key.private, "ES256", headers={"kid": key.kid, **headers})


def signed(app: App, key: Any = KEY, headers: Any = JAR, **changed: Any) -> str:
    """A request object that is right but for what is given; None leaves a claim out."""
    claims = {**dict(app.parameters()), "sub": None, "jti": None, **changed}
    said = {"client_id": claims.pop("client_id"), **claims}
    return key_signed(app, key, headers, said)


async def begin(app: App, request: str, **more: str) -> pb.BeginAuthorizationResponse:
    given = {"client_id": app.client_id, "request": request, **more}
    return await app.begin_with(list(given.items()))


async def test_a_signed_request_is_one_like_any_other(owner: Person, signer: App) -> None:
    begun = await begin(signer, signed(signer, max_age=3600, claims={"id_token": {"email": None}}))
    assert begun.authorization.max_age == 3600
    answer = await signer.approve(owner, begun.authorization.request_id)
    assert (answer["state"], bool(answer["code"])) == ("a state", True)


async def test_what_stands_beside_it_counts_for_nothing(signer: App) -> None:
    more = {"scope": "openid email", "redirect_uri": "https://evil.example/", "prompt": "none"}
    begun = await begin(signer, signed(signer, scope="openid"), **more)
    assert [each.name for each in begun.authorization.scopes] == ["openid"]
    assert not begun.authorization.prompt


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": OTHER},
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "https://other.example"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"exp": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"client_id": "somebody"},
        {"client_id": None},
        {"request": "a.b.c"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"scope": ["openid"]},
        {"state": True},
        {"headers": {"typ": "client-authentication+jwt"}},
        {"headers": {"crit": ["x"]}},
    ],
)
async def test_a_request_object_that_is_wrong_leads_nowhere(
    signer: App, wrong: dict[str, Any]
) -> None:
    begun = await begin(signer, signed(signer, **wrong))
    assert begun.error.error == "invalid_request_object"


@pytest.mark.parametrize("text", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\u00e9"])
async def test_what_nobody_signed_leads_nowhere(app: App, signer: App, text: str) -> None:
    for client in (app, signer):
        assert (await begin(client, text)).error.error == "invalid_request_object"


async def test_a_redirect_uri_is_held_against_the_registered_ones(signer: App) -> None:
    begun = await begin(signer, signed(signer, redirect_uri="https://evil.example/"))
    assert begun.error.error == "invalid_request"


async def test_a_signed_request_can_be_pushed(signer: App, refused: Refused) -> None:
    def push(request: str) -> Any:
        own = assertion(KEY, signer.client_id, signer.world.clock())
        client = token_pb.ClientCredentials(
            client_id=signer.client_id,
            method="private_key_jwt",
            client_assertion=own,
            client_assertion_type=ASSERTION_TYPE,
        )
        asked = token_pb.PushAuthorizationRequest(
            client=client, parameters=[pb.Parameter(name="request", value=request)]
        )
        return signer.tokens.PushAuthorization(asked, metadata=INTERNAL)

    request_uri = (await push(signed(signer))).request_uri
    given = [("client_id", signer.client_id), ("request_uri", request_uri)]
    assert (await signer.begin_with(given)).HasField("authorization")
    wrong = push(signed(signer, OTHER))
    await refused(wrong, grpc.StatusCode.INVALID_ARGUMENT, "OAUTH_INVALID_REQUEST_OBJECT")


async def test_a_request_object_is_no_assertion_of_the_client(
    signer: App, refused: Refused
) -> None:
    shown = signed(signer, sub=signer.client_id, jti="one")
    client = token_pb.ClientCredentials(
        client_id=signer.client_id,
        method="private_key_jwt",
        client_assertion=shown,
        client_assertion_type=ASSERTION_TYPE,
    )
    attempt = signer.exchange("a code", client=client)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_an_application_can_be_held_to_signing(signer: App) -> None:
    async with signer.world.engine.begin() as db:
        statement = "update applications set require_signed_request_object = true where id = :id"
        await db.execute(text(statement), {"id": signer.client_id})
    assert (await signer.begin()).error.error == "invalid_request"
    assert (await begin(signer, signed(signer))).HasField("authorization")


async def test_a_refusal_of_a_signed_request_goes_to_the_application(signer: App) -> None:
    begun = await begin(signer, signed(signer, scope="everything"))
    assert said(begun.response)["error"] == "invalid_scope"


def test_the_server_says_that_it_takes_signed_requests() -> None:
    document = openid_configuration(ISSUER)
    assert document["request_parameter_supported"] is True
    assert "none" not in document["request_object_signing_alg_values_supported"]
