"""OAuth access tokens: verified, held against the method's scope, and told from all else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from jwt.algorithms import RSAAlgorithm
from portico.auth.v1.auth_service_pb2 import JsonWebKey
from portico.keys.v1.api_key_service_pb2 import ListApiKeysRequest, ListApiKeysResponse
from portico.users.v1.user_service_pb2 import GetMeRequest, GetMeResponse

from portico_kit.testing.waiting import eventually
from tests.gateway.backends import BOUND_TOKEN, GOOD_KEY, Backends, Context, refuse
from tests.gateway.gateway import START_SECONDS, Gateway, running, settings_for
from tests.gateway.tokens import APPLICATION, CHALLENGE, MINUTE, ORIGIN, Signer

ME = "/api/v1/users/me"
GET_ME = "/portico.users.v1.UserService/GetMe"
KEYS = "/api/v1/organizations/0195d1a0-0000-7000-8000-000000000001/api-keys"
LIST_KEYS = "/portico.keys.v1.ApiKeyService/ListApiKeys"
USERS = "/api/v1/users"
INSUFFICIENT = f'{CHALLENGE}, error="insufficient_scope", scope="keys:read"'


async def is_unauthenticated(gateway: Gateway, backends: Backends, token: str) -> None:
    answer = await gateway.get(KEYS, token=token)
    assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    assert backends.calls == []


async def lacks_scope(gateway: Gateway, backends: Backends, token: str) -> None:
    answer = await gateway.get(KEYS, token=token)
    assert (answer.status, answer.error["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert answer.error["message"] == "The access token lacks the scope keys:read."
    assert answer.headers["www-authenticate"] == INSUFFICIENT
    assert backends.calls == []


@pytest.mark.parametrize("kind", ["grant", "application"])
async def test_a_token_with_the_scope_reaches_the_core(
    gateway: Gateway, backends: Backends, signer: Signer, kind: str
) -> None:
    token = signer.access_token(kind=kind, sub="somebody", tier="pro", org="acme")
    assert (await gateway.get(KEYS, token=token)).status == 200
    [call] = backends.calls
    assert call.metadata["authorization"] == f"Bearer {token}"
    assert call.metadata["x-auth-subject"] == "somebody"
    assert call.metadata["x-auth-application"] == APPLICATION


async def test_the_person_and_the_application_are_charged(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.access_token(sub="somebody", tier="pro", org="acme")
    await gateway.get(KEYS, token=token)
    [charge] = backends.charges
    [descriptor] = charge.descriptors
    assert [(entry.key, entry.value) for entry in descriptor.entries] == [
        ("subject", "somebody"),
        ("tier", "pro"),
        ("organization", "acme"),
        ("application", APPLICATION),
        ("category", "read"),
    ]


@pytest.mark.parametrize(
    "scope",
    ["keys:read", "keys:read webhooks:read", "openid keys:read", "a keys:read b", " keys:read "],
)
async def test_the_scope_may_be_one_of_several(
    gateway: Gateway, signer: Signer, scope: str
) -> None:
    assert (await gateway.get(KEYS, token=signer.access_token(scope=scope))).status == 200


@pytest.mark.parametrize(
    "scope",
    [
        None,
        "",
        "keys:write",
        "keys:readx",
        "xkeys:read",
        "keys:read,webhooks:read",
        "KEYS:READ",
        "keys:*",
        "keys",
        "*",
        "keys.read",
        "openid\tkeys:read",
        "keys:read\nwebhooks:read",
        ["keys:read"],
        {"keys:read": True},
        True,
    ],
    ids=repr,
)
async def test_a_token_without_the_scope_is_refused_at_the_edge(
    gateway: Gateway, backends: Backends, signer: Signer, scope: object
) -> None:
    await lacks_scope(gateway, backends, signer.access_token(scope=scope))


async def test_a_long_list_of_scopes_is_read_to_its_end(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    others = " ".join(f"a{number}:read" for number in range(700))
    last = signer.access_token(scope=f"{others} keys:read")
    assert (await gateway.get(KEYS, token=last)).status == 200
    backends.reset()
    await lacks_scope(gateway, backends, signer.access_token(scope=f"{others} {others[:900]}"))


async def test_a_missing_scope_is_told_over_grpc(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.access_token(scope="webhooks:read")
    refusal = await native_refusal(
        gateway, LIST_KEYS, ListApiKeysRequest(), ListApiKeysResponse, token
    )
    assert refusal.code() is grpc.StatusCode.PERMISSION_DENIED
    assert refusal.details() == "The access token lacks the scope keys:read."
    assert reason_of(refusal) == "INSUFFICIENT_SCOPE"
    trailer = dict(refusal.initial_metadata() or ()) | dict(refusal.trailing_metadata() or ())
    assert trailer["www-authenticate"] == INSUFFICIENT
    answer = await gateway.web(LIST_KEYS, ListApiKeysRequest(), token=token)
    assert answer.headers["grpc-status"] == "7"
    assert answer.headers["www-authenticate"] == INSUFFICIENT
    assert backends.calls == []


async def test_what_takes_a_person_refuses_every_oauth_token(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.access_token(scope="openid profile email keys:read users:read")
    answer = await gateway.get(ME, token=token)
    assert (answer.status, answer.error["code"]) == (403, "SESSION_REQUIRED")
    refusal = await native_refusal(gateway, GET_ME, GetMeRequest(), GetMeResponse, token)
    assert refusal.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason_of(refusal) == "SESSION_REQUIRED"
    assert backends.calls == []


async def test_rights_on_the_platform_need_their_scope(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    answer = await gateway.get(USERS, token=signer.access_token(scope="keys:read"))
    assert answer.error["code"] == "INSUFFICIENT_SCOPE"
    assert 'scope="users:read"' in answer.headers["www-authenticate"]
    assert backends.calls == []
    # Whether the person holds it says the core.
    assert (await gateway.get(USERS, token=signer.access_token(scope="users:read"))).status == 200


async def test_a_session_needs_no_scope(gateway: Gateway, signer: Signer) -> None:
    assert (await gateway.get(KEYS, token=signer.token(scope=""))).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "portico"},
        {"iss": f"{ORIGIN}/"},
        {"iss": ORIGIN.upper()},
        {"iss": ORIGIN.replace("https", "http")},
        {"iss": None},
        {"aud": "portico"},
        {"aud": "portico-internal"},
        {"aud": f"{ORIGIN}/"},
        {"aud": ORIGIN.upper()},
        {"aud": ORIGIN.replace("https", "http")},
        {"aud": f"{ORIGIN}/api"},
        {"aud": "https://other.example.com"},
        {"aud": [ORIGIN]},
        {"aud": [ORIGIN, "https://other.example.com"]},
        {"aud": APPLICATION},
        {"aud": None},
        {"exp": None},
        {"nbf": 4102444800},
        {"kind": "user"},
        {"kind": "key"},
        {"kind": "grants"},
        {"kind": None},
        {"kind": ["grant"]},
        {"client_id": None},
    ],
    ids=repr,
)
async def test_a_token_that_is_not_for_the_api_is_refused(
    gateway: Gateway, backends: Backends, signer: Signer, claims: dict[str, Any]
) -> None:
    await is_unauthenticated(gateway, backends, signer.access_token(**claims))


async def test_a_session_of_the_oauth_issuer_is_none(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """Issuer and audience belong together: those of two lines do not mix."""
    await is_unauthenticated(gateway, backends, signer.token(iss=ORIGIN))
    await is_unauthenticated(gateway, backends, signer.token(aud=ORIGIN))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "id+jwt", "AT+JWT", "logout+jwt", "dpop+jwt", ""])
async def test_no_other_type_of_token_passes(
    gateway: Gateway, backends: Backends, signer: Signer, typ: str
) -> None:
    await is_unauthenticated(gateway, backends, signer.access_token(header={"typ": typ}))


async def test_an_id_token_is_no_access_token(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """Also if a client could have the API's name, and the claims be the same."""
    for audience in (APPLICATION, ORIGIN):
        token = signer.access_token(
            header={"typ": "JWT"}, aud=audience, kind=None, nonce="n", scope=None
        )
        await is_unauthenticated(gateway, backends, token)


async def test_an_expired_token_is_named(gateway: Gateway, signer: Signer) -> None:
    token = signer.access_token(exp=int(time.time()) - MINUTE)
    answer = await gateway.get(KEYS, token=token)
    assert (answer.status, answer.error["code"]) == (401, "TOKEN_EXPIRED")
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'


async def test_what_nobody_of_ours_has_signed_is_refused(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    good = signer.access_token()
    head, body, signature = good.split(".")
    none = encoded({"alg": "none", "kid": signer.kid, "typ": "at+jwt"})
    await is_unauthenticated(gateway, backends, f"{none}.{body}.")
    await is_unauthenticated(gateway, backends, f"{none}.{body}.{signature}")
    await is_unauthenticated(gateway, backends, f"{head}.{body}.")
    await is_unauthenticated(gateway, backends, Signer(signer.kid).access_token())
    await is_unauthenticated(gateway, backends, Signer("unknown").access_token())
    await is_unauthenticated(gateway, backends, signer.access_token(header={"kid": "unknown"}))
    # HMAC with the public key as secret, in the forms in which a verifier might take it.
    public = signer.public
    for secret in (public.x, public.y, json.dumps({"x": public.x, "y": public.y})):
        symmetric = f"{encoded({'alg': 'HS256', 'kid': signer.kid, 'typ': 'at+jwt'})}.{body}"
        digest = hmac.digest(secret.encode(), symmetric.encode(), hashlib.sha256)
        await is_unauthenticated(gateway, backends, f"{symmetric}.{unpadded(digest)}")


async def test_a_token_beside_a_key_is_ambiguous(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """RFC 6750, section 3.1: one way to present a credential."""
    headers = {"X-API-Key": GOOD_KEY}
    answer = await gateway.get(KEYS, token=signer.access_token(), headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    assert backends.calls == []
    assert backends.checks == []


async def test_a_token_in_query_or_body_is_no_credential(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    token = signer.access_token(scope="keys:read keys:write")
    assert (await gateway.get(f"{KEYS}?access_token={token}")).status in {401, 422}
    answer = await gateway.call("POST", KEYS, json={"access_token": token})
    assert answer.status in {401, 422}
    assert backends.calls == []


async def test_a_token_that_is_bound_to_a_key_is_no_bearer_token(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """RFC 9449, section 7.2: also with a proof beside it, or with a form of `cnf` that is new."""
    for cnf in ({"jkt": "a" * 43}, {"x5t#S256": "a"}, {}, None, "text"):
        token = signer.access_token(cnf=cnf or [])
        answer = await gateway.get(KEYS, token=token, headers={"DPoP": "a.b.c"})
        assert (answer.status, answer.error["code"]) == (401, "TOKEN_BOUND")
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("DPoP ")
        assert challenge.endswith('error="invalid_token"')
    assert backends.calls == []


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP "])
async def test_a_token_of_the_scheme_dpop_goes_to_the_authorizer(
    gateway: Gateway, backends: Backends, scheme: str
) -> None:
    headers = {
        "Authorization": f"{scheme} {BOUND_TOKEN}",
        "DPoP": "a.b.c",
        # What only the edge itself says.
        "X-Edge-Possession": "forged",
        "X-Envoy-Original-Path": "/forged",
        "X-Envoy-Original-Method": "FORGED",
    }
    answer = await gateway.get(f"{KEYS}?limit=5", headers=headers)
    assert answer.status == 200
    assert answer.headers["dpop-nonce"] == "next"
    [check] = backends.checks
    told = check.attributes.request.http.headers
    assert told["x-edge-dpop"] == BOUND_TOKEN
    assert told["dpop"] == "a.b.c"
    assert told["x-envoy-original-method"] == "GET"
    assert told["x-envoy-original-path"] == f"{KEYS}?limit=5"
    [call] = backends.calls
    assert call.metadata["authorization"] == f"Bearer {BOUND_TOKEN}"
    assert call.metadata["x-edge-possession"] == "sealed"
    assert not {"x-edge-dpop", "dpop"} & call.metadata.keys()


async def test_what_the_core_refuses_is_refused_in_the_scheme_of_the_call(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    async def revoked(_request: Message, context: Context) -> Message:
        return await refuse(context, grpc.StatusCode.UNAUTHENTICATED, "The grant has ended.")

    backends.script(LIST_KEYS, revoked)
    answer = await gateway.get(KEYS, token=signer.access_token())
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    headers = {"Authorization": f"DPoP {BOUND_TOKEN}", "DPoP": "a.b.c"}
    answer = await gateway.get(KEYS, headers=headers)
    assert answer.status == 401
    expected = CHALLENGE.replace("Bearer", "DPoP")
    assert answer.headers["www-authenticate"] == f'{expected}, error="invalid_token"'
    assert answer.headers["dpop-nonce"] == "next"


async def test_a_proof_of_a_native_call_is_for_its_path(
    gateway: Gateway, backends: Backends
) -> None:
    method = gateway.channel.unary_unary(
        LIST_KEYS,
        request_serializer=ListApiKeysRequest.SerializeToString,
        response_deserializer=ListApiKeysResponse.FromString,
    )
    await method(
        ListApiKeysRequest(),
        metadata=[
            ("authorization", f"DPoP {BOUND_TOKEN}"),
            ("dpop", "a.b.c"),
            ("x-envoy-original-path", "/forged"),
        ],
        timeout=10,
    )
    [check] = backends.checks
    http = check.attributes.request.http
    assert (http.method, http.path) == ("POST", LIST_KEYS)
    assert "x-envoy-original-path" not in http.headers


@pytest.mark.parametrize(
    "value",
    ["DPoP {t}, DPoP {t}", "DPoP {t},Bearer {t}", "DPoP {t} more", "DPoP a b", "DPoP \u00e9"],
)
async def test_what_is_no_token_of_the_scheme_is_refused(
    gateway: Gateway, backends: Backends, value: str
) -> None:
    headers = {"Authorization": value.format(t=BOUND_TOKEN), "DPoP": "a.b.c"}
    assert (await gateway.get(KEYS, headers=headers)).status == 401
    assert backends.calls == []


async def test_a_token_of_one_scheme_is_none_of_the_other(
    gateway: Gateway, backends: Backends, signer: Signer
) -> None:
    """The authorizer has the last word about the scheme DPoP, whatever the token is."""
    for token in (signer.token(), signer.access_token(), GOOD_KEY):
        headers = {"Authorization": f"DPoP {token}", "DPoP": "a.b.c"}
        assert (await gateway.get(KEYS, headers=headers)).status == 401
    assert backends.calls == []


async def test_a_bound_token_beside_a_key_is_ambiguous(
    gateway: Gateway, backends: Backends
) -> None:
    headers = {"Authorization": f"DPoP {BOUND_TOKEN}", "DPoP": "a.b.c", "X-API-Key": GOOD_KEY}
    answer = await gateway.get(KEYS, headers=headers)
    assert (answer.status, answer.error["code"]) == (400, "MALFORMED_REQUEST")
    assert backends.checks == []


async def test_nobody_says_from_outside_that_a_token_is_bound(
    gateway: Gateway, backends: Backends
) -> None:
    answer = await gateway.get(KEYS, headers={"X-Edge-DPoP": BOUND_TOKEN, "DPoP": "a.b.c"})
    assert answer.status == 401
    assert backends.checks == []


async def test_what_is_open_to_all_takes_no_token_and_passes_none_on(
    gateway: Gateway, backends: Backends
) -> None:
    headers = {"Authorization": f"DPoP {BOUND_TOKEN}", "DPoP": "a.b.c"}
    assert (await gateway.get("/api/v1/health/ready", headers=headers)).status == 200
    [call] = backends.calls
    assert not {"x-edge-dpop", "dpop", "authorization"} & call.metadata.keys()


async def test_what_is_no_method_of_the_api_gets_its_proof(
    gateway: Gateway, backends: Backends
) -> None:
    await gateway.get("/sign-in", headers={"DPoP": "a.b.c"})
    [page] = backends.pages
    assert page.headers["dpop"] == "a.b.c"


async def test_a_key_for_id_tokens_verifies_no_access_token(
    short_folder: Path, signer: Signer
) -> None:
    """Its key is published beside the others, and everything else about the token is right."""
    folder = short_folder / "id-tokens"
    folder.mkdir()
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers: dict[str, str] = json.loads(RSAAlgorithm.to_jwk(rsa_key.public_key()))
    published = JsonWebKey(
        kty="RSA", use="sig", alg="RS256", kid="id", n=numbers["n"], e=numbers["e"]
    )
    backends = Backends(folder, keys=[signer.public, published])
    await backends.start()
    async with running(settings_for(folder)) as gateway:
        await gateway.becomes(200, KEYS, token=signer.access_token(), seconds=START_SECONDS)
        backends.reset()
        claims = jwt.decode(signer.access_token(), options={"verify_signature": False})
        for typ in ("at+jwt", "JWT"):
            token = jwt.encode(claims, rsa_key, "RS256", headers={"kid": "id", "typ": typ})
            await is_unauthenticated(gateway, backends, token)
    await backends.stop()


async def test_a_key_that_is_taken_back_verifies_no_more(
    gateway: Gateway, backends: Backends, all_backends: Backends, signer: Signer
) -> None:
    """As long as Envoy has not verified the very token before; the core refuses those."""
    former = Signer("former")
    all_backends.keys.append(former.public)
    try:
        await gateway.becomes(200, KEYS, token=former.access_token())
        all_backends.keys.remove(former.public)

        async def is_gone() -> bool:
            return (await gateway.get(KEYS, token=former.access_token())).status == 401

        await eventually(is_gone)
    finally:
        all_backends.keys[:] = [signer.public]


async def test_a_call_without_credential_says_where_to_get_one(gateway: Gateway) -> None:
    """RFC 9728, section 5.1; and with which scope, where one would do (RFC 6750, section 3)."""
    answer = await gateway.get(KEYS)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == f'{CHALLENGE}, scope="keys:read"'
    answer = await gateway.get(ME)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, CHALLENGE)


async def test_pages_of_allowed_origins_can_send_proofs_and_read_challenges(
    gateway: Gateway,
) -> None:
    page = {"Origin": "https://app.example.com"}
    preflight = await gateway.call(
        "OPTIONS",
        KEYS,
        headers={
            **page,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,dpop",
        },
    )
    assert preflight.status == 200
    assert "dpop" in preflight.headers["access-control-allow-headers"].split(", ")
    answer = await gateway.get(KEYS, headers=page)
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"www-authenticate", "dpop-nonce"} <= set(exposed)


async def native_refusal(
    gateway: Gateway, path: str, request: Message, response: type[Message], token: str
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(path, request, response, token=token)
    return refusal.value


def reason_of(refusal: grpc.aio.AioRpcError) -> str:
    fields = dict(refusal.initial_metadata() or ()) | dict(refusal.trailing_metadata() or ())
    details = fields["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    info = ErrorInfo()
    assert Status.FromString(details).details[0].Unpack(info)
    return str(info.reason)


def encoded(header: dict[str, str]) -> str:
    return unpadded(json.dumps(header).encode())


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
