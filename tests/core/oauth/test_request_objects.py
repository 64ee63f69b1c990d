"""RFC 9101: a request that the application has signed; what stands beside it counts for nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.oauth.v1 import authorization_service_pb2 as pb
from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.applications.keys import ClientKey, assertion, ec_key
from tests.core.conftest import Refused
from tests.core.oauth.conftest import INTERNAL, App, Parameters, new_app, said
from tests.core.world import Person

INVALID = grpc.StatusCode.INVALID_ARGUMENT
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


def authenticated(app: App, shown: str = "") -> token_pb.ClientCredentials:
    """What the application authenticates with, or something else that it has signed."""
    return token_pb.ClientCredentials(
        client_id=app.client_id,
        method="private_key_jwt",
        client_assertion=shown or assertion(KEY, app.client_id, app.world.clock()),
        client_assertion_type=ASSERTION_TYPE,
    )


async def pushed(app: App, parameters: Parameters) -> token_pb.PushAuthorizationResponse:
    """What the endpoint for pushed requests answers."""
    request = token_pb.PushAuthorizationRequest(
        client=authenticated(app),
        parameters=[pb.Parameter(name=name, value=value) for name, value in parameters],
    )
    return await app.tokens.PushAuthorization(request, metadata=INTERNAL)


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
        {"sub": "{client_id}"},
        {"jti": ""},
        {"iat": 1_000_000_000},
        {"nbf": 1_000_000_000},
        {"exp": 10**400},
        {"exp": "4000000000"},
        {"exp": True},
        {"claims": ["email"]},
        {"request": "a.b.c"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"scope": ["openid"]},
        {"state": True},
        {"headers": {"typ": "client-authentication+jwt"}},
        {"headers": {"typ": "logout+jwt"}},
        {"headers": {"crit": ["x"]}},
        {"headers": {"kid": "another"}},
    ],
)
async def test_a_request_object_that_is_wrong_leads_nowhere(
    signer: App, wrong: dict[str, Any]
) -> None:
    if wrong.get("sub"):
        wrong = {"sub": signer.client_id}
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
    beside = [("scope", "openid email"), ("redirect_uri", "https://evil.example/")]
    right = [("request", signed(signer, scope="openid")), *beside]
    request_uri = (await pushed(signer, right)).request_uri
    given = [("client_id", signer.client_id), ("request_uri", request_uri)]
    begun = await signer.begin_with(given)
    assert [each.name for each in begun.authorization.scopes] == ["openid"]
    for wrong in (signed(signer, OTHER), signed(signer, client_id="somebody"), "a.b.c"):
        call = pushed(signer, [("request", wrong)])
        await refused(call, INVALID, "OAUTH_INVALID_REQUEST_OBJECT")


async def test_a_request_object_is_no_assertion_of_the_client(
    signer: App, refused: Refused
) -> None:
    shown = signed(signer, sub=signer.client_id, jti="one")
    attempt = signer.exchange("a code", client=authenticated(signer, shown))
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")


async def test_an_application_can_be_held_to_signing(
    application_client: ApplicationClient, signer: App, refused: Refused
) -> None:
    changed = await application_client.update(signer.client_id, require_signed_request_object=True)
    assert changed.require_signed_request_object
    assert said((await signer.begin()).response)["error"] == "invalid_request"
    await refused(pushed(signer, signer.parameters()), INVALID, "OAUTH_INVALID_REQUEST")
    elsewhere = await signer.begin(request_uri="https://app.example.com/request")
    assert said(elsewhere.response)["error"] == "request_uri_not_supported"
    assert (await begin(signer, signed(signer))).HasField("authorization")
    request_uri = (await pushed(signer, [("request", signed(signer))])).request_uri
    given = [("client_id", signer.client_id), ("request_uri", request_uri)]
    assert (await signer.begin_with(given)).HasField("authorization")


async def test_who_is_held_to_signing_has_a_key(
    application_client: ApplicationClient, signer: App, refused: Refused
) -> None:
    call = application_client.create(require_signed_request_object=True)
    assert (await refused(call, INVALID, "VALIDATION_ERROR")).fields == ("jwks",)
    call = application_client.create("machine", require_signed_request_object=True)
    found = await refused(call, INVALID, "VALIDATION_ERROR")
    assert found.fields == ("require_signed_request_object", "jwks")


async def test_an_application_may_name_its_algorithm(
    application_client: ApplicationClient, signer: App
) -> None:
    update = application_client.update
    await update(signer.client_id, request_object_signing_alg="PS256")
    assert (await begin(signer, signed(signer))).error.error == "invalid_request_object"
    await update(signer.client_id, request_object_signing_alg="ES256")
    assert (await begin(signer, signed(signer))).HasField("authorization")
    await update(signer.client_id, request_object_signing_alg="")
    assert (await begin(signer, signed(signer))).HasField("authorization")


async def test_the_key_of_another_application_signs_nothing(
    application_client: ApplicationClient, signer: App
) -> None:
    jwks = ParseDict({"keys": [OTHER.public]}, Struct())
    other = await new_app(
        application_client, token_endpoint_auth_method="private_key_jwt", jwks=jwks
    )
    own = other.client_id
    wrong: list[dict[str, Any]] = [{}, {"iss": own}, {"client_id": own}]
    for changed in wrong:
        begun = await begin(signer, signed(signer, OTHER, **changed))
        assert begun.error.error == "invalid_request_object"
    # Presented by its own application it is another's request.
    assert (await begin(other, signed(signer))).error.error == "invalid_request_object"


async def test_a_shared_secret_signs_no_request(app: App) -> None:
    for secret in (app.secret, "x" * 32):
        by_secret = jwt.PyJWS().encode(b"{}", secret, "HS256", headers=JAR)
        assert (await begin(app, by_secret)).error.error == "invalid_request_object"


async def test_an_encrypted_request_is_refused_by_name(signer: App) -> None:
    begun = await begin(signer, "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d")
    assert begun.error.error == "invalid_request_object"
    assert "encrypted" in begun.error.error_description


async def test_a_wrong_request_object_is_answered_where_a_request_without_one_would_be(
    signer: App,
) -> None:
    outside = {"redirect_uri": signer.redirect_uri, "state": "outside"}
    begun = await begin(signer, signed(signer, OTHER), **outside)
    assert begun.response.redirect_uri == signer.redirect_uri
    answer = said(begun.response)
    assert (answer["error"], answer["state"]) == ("invalid_request_object", "outside")
    hostile = await begin(signer, signed(signer, OTHER), redirect_uri="https://evil.example/")
    assert hostile.WhichOneof("outcome") == "error"


@pytest.mark.parametrize("uri", ["https://app.example.com/request", "urn:example:a"])
async def test_nobody_fetches_a_request_from_elsewhere(signer: App, uri: str) -> None:
    alone = await signer.begin_with([("client_id", signer.client_id), ("request_uri", uri)])
    assert alone.error.error == "request_uri_not_supported"
    both = await begin(signer, signed(signer), request_uri=uri)
    assert both.error.error == "invalid_request"


async def test_a_pushed_request_and_a_signed_one_are_not_used_together(signer: App) -> None:
    request_uri = (await pushed(signer, [("request", signed(signer))])).request_uri
    both = await begin(signer, signed(signer), request_uri=request_uri)
    assert both.error.error == "invalid_request"


async def test_claims_that_are_no_parameters_are_ignored(signer: App) -> None:
    more: dict[str, Any] = {
        "nothing": True,
        "authorization_details": [{}],
        "prompt": None,
        "max_age": None,
    }
    headers = {"typ": "application/OAuth-Authz-Req+JWT"}
    begun = await begin(signer, signed(signer, headers=headers, resource=[ISSUER], **more))
    assert begun.HasField("authorization")


async def test_one_that_comes_once_more_gives_one_good_code(owner: Person, signer: App) -> None:
    """People reload and go back: the request may come again, and the later code counts."""
    request, codes = signed(signer), []
    for _ in range(2):
        begun = await begin(signer, request)
        answer = await signer.approve(owner, begun.authorization.request_id)
        codes.append(answer["code"])
    with pytest.raises(grpc.aio.AioRpcError):
        await signer.exchange(codes[0], client=authenticated(signer))
    assert (await signer.exchange(codes[1], client=authenticated(signer))).id_token


async def test_one_that_has_a_name_is_pushed_once(signer: App, refused: Refused) -> None:
    named, other = signed(signer, jti="a name"), signed(signer, jti="another")
    for request in (named, other):
        await pushed(signer, [("request", request)])
    again = pushed(signer, [("request", named)])
    await refused(again, INVALID, "OAUTH_INVALID_REQUEST_OBJECT")
    # A browser brings what was never pushed as often as it likes.
    for _ in range(2):
        assert (await begin(signer, named)).HasField("authorization")


async def test_of_many_pushes_at_once_one_is_taken(signer: App) -> None:
    request = signed(signer, jti="a name")
    pushes = [pushed(signer, [("request", request)]) for _ in range(20)]
    done = await asyncio.gather(*pushes, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1


async def test_a_public_client_may_sign_as_well(application_client: ApplicationClient) -> None:
    jwks = ParseDict({"keys": [KEY.public]}, Struct())
    app = await new_app(
        application_client, "single_page", jwks=jwks, require_signed_request_object=True
    )
    assert said((await app.begin()).response)["error"] == "invalid_request"
    assert (await begin(app, signed(app))).HasField("authorization")


async def test_a_refusal_of_a_signed_request_goes_to_the_application(signer: App) -> None:
    begun = await begin(signer, signed(signer, scope="everything"))
    assert said(begun.response)["error"] == "invalid_scope"


def test_the_server_says_that_it_takes_signed_requests() -> None:
    document = openid_configuration(ISSUER)
    assert document["request_parameter_supported"] is True
    assert document["request_uri_parameter_supported"] is False
    assert document["require_signed_request_object"] is False
    assert "none" not in document["request_object_signing_alg_values_supported"]
