"""Applications that show a certificate: who they are, and what their tokens are bound to."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit.client_certificates import thumbprint
from tests.core.applications.conftest import ApplicationClient
from tests.core.applications.keys import ec_key
from tests.core.conftest import Refused
from tests.core.oauth.bound import proof, user_info
from tests.core.oauth.conftest import App, claims, get_organization, new_app
from tests.core.world import Person, World
from tests.support.certificates import Certificate, new_certificate
from tests.support.proofs import ProofKey

KEY = ec_key()
MINE = new_certificate(KEY.private)
OTHER = new_certificate()
INVALID = grpc.StatusCode.INVALID_ARGUMENT
WRONG_CLIENT = (grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
WRONG_TOKEN = (grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_TOKEN")
BOUND: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
SELF_SIGNED: dict[str, Any] = {
    "token_endpoint_auth_method": "self_signed_tls_client_auth",
    "jwks": ParseDict({"keys": [KEY.public]}, Struct()),
}


def showing(app: App, certificate: Certificate | bytes) -> token_pb.ClientCredentials:
    """What an application presents, and what its connection has shown."""
    credentials = app.credentials
    der = certificate if isinstance(certificate, bytes) else certificate.der
    credentials.client_certificate = der
    return credentials


async def machine(application_client: ApplicationClient, **fields: Any) -> App:
    return await new_app(application_client, "machine", scopes=["organization:read"], **fields)


async def test_an_application_is_known_by_the_key_of_its_certificate(
    world: World, application_client: ApplicationClient, organization_id: str
) -> None:
    app = await machine(application_client, **SELF_SIGNED)
    issued = await app.issue("client_credentials", client=showing(app, MINE))
    assert "cnf" not in claims(issued.access_token)
    assert await get_organization(world, organization_id, issued.access_token)
    # Another certificate of the same key: it was renewed.
    again = new_certificate(KEY.private)
    assert (await app.issue("client_credentials", client=showing(app, again))).access_token
    active = await app.introspect(issued.access_token, client=showing(app, MINE))
    assert active.active


@pytest.mark.parametrize("certificate", [b"", b"x", OTHER.der, MINE.der[:-1], MINE.der * 2])
async def test_no_certificate_and_another_are_the_wrong_one(
    application_client: ApplicationClient, refused: Refused, certificate: bytes
) -> None:
    app = await machine(application_client, **SELF_SIGNED)
    attempt = app.issue("client_credentials", client=showing(app, certificate))
    await refused(attempt, *WRONG_CLIENT)


async def test_a_certificate_is_no_credential_of_others(
    application_client: ApplicationClient, refused: Refused
) -> None:
    app = await machine(application_client)
    credentials = showing(app, MINE)
    credentials.method, credentials.client_secret = "none", ""
    await refused(app.issue("client_credentials", client=credentials), *WRONG_CLIENT)


async def test_a_key_must_be_registered(
    application_client: ApplicationClient, refused: Refused
) -> None:
    method: dict[str, Any] = {"token_endpoint_auth_method": "self_signed_tls_client_auth"}
    found = await refused(
        application_client.create("machine", **method), INVALID, "VALIDATION_ERROR"
    )
    assert list(found.fields) == ["jwks"]


async def test_a_token_is_bound_to_the_certificate(
    world: World,
    application_client: ApplicationClient,
    owner: Person,
    organization_id: str,
    refused: Refused,
) -> None:
    app = await new_app(application_client, **BOUND)
    code = await app.code(owner, scope="openid projects:read organization:read")
    issued = await app.exchange(code, client=showing(app, MINE))
    token = issued.access_token
    assert (issued.token_type, claims(token)["cnf"]) == ("Bearer", MINE.cnf)
    said = await app.introspect(token)
    assert (said.cnf.x5t_s256, said.cnf.jkt) == (thumbprint(MINE.der), "")
    assert said.token_type == "Bearer"
    assert (await user_info(app, token, client_certificate=MINE.der)).sub
    for other in (b"", OTHER.der):
        await refused(user_info(app, token, client_certificate=other), *WRONG_TOKEN)
    shown = proof(world, ProofKey(), "userinfo", htm="GET", token=token)
    fields = {"token_type": "DPoP", "dpop_proof": shown, "client_certificate": MINE.der}
    await refused(user_info(app, token, **fields), *WRONG_TOKEN)
    # What has not passed the edge has shown no certificate.
    attempt = get_organization(world, organization_id, token)
    await refused(attempt, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_BOUND")


async def test_without_a_certificate_an_application_that_wants_one_gets_no_token(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    app = await new_app(application_client, **BOUND)
    code = await app.code(owner)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_REQUEST")
    # The code is as good as before.
    assert (await app.exchange(code, client=showing(app, MINE))).access_token


async def test_who_wants_no_binding_gets_a_bearer_token(
    application_client: ApplicationClient,
) -> None:
    app = await machine(application_client)
    issued = await app.issue("client_credentials", client=showing(app, MINE))
    assert "cnf" not in claims(issued.access_token)


async def test_the_refresh_token_of_an_application_without_a_credential_is_bound(
    application_client: ApplicationClient, owner: Person, refused: Refused
) -> None:
    app = await new_app(
        application_client, "native", redirect_uris=["http://127.0.0.1/cb"], **BOUND
    )
    code = await app.code(owner, scope="openid offline_access projects:read")
    issued = await app.exchange(code, client=showing(app, MINE))
    stolen = app.refresh(issued.refresh_token, client=showing(app, OTHER))
    await refused(stolen, INVALID, "OAUTH_INVALID_GRANT")
    renewed = await app.refresh(issued.refresh_token, client=showing(app, MINE))
    assert claims(renewed.access_token)["cnf"] == MINE.cnf


async def test_an_application_that_authenticates_may_have_another_certificate_by_now(
    application_client: ApplicationClient, owner: Person
) -> None:
    app = await new_app(application_client, **BOUND)
    issued = await app.exchange(await app.code(owner), client=showing(app, MINE))
    renewed = await app.refresh(issued.refresh_token, client=showing(app, OTHER))
    assert claims(renewed.access_token)["cnf"] == OTHER.cnf


async def test_a_proof_goes_before_a_certificate(
    world: World, application_client: ApplicationClient
) -> None:
    app, key = await machine(application_client, **BOUND), ProofKey()
    issued = await app.issue(
        "client_credentials", client=showing(app, MINE), dpop_proof=proof(world, key)
    )
    assert (issued.token_type, claims(issued.access_token)["cnf"]) == ("DPoP", {"jkt": key.jkt})
