"""Passkeys over REST: the JSON is the one that browsers read and write, in both directions."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from portico.passkeys.v1 import passkey_pb2
from portico.passkeys.v1 import passkey_service_pb2 as passkeys
from portico.passkeys.v1 import passkey_sign_in_service_pb2 as sign_in

from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway

SERVICE = "/portico.passkeys.v1.PasskeyService"
DOOR = "/portico.passkeys.v1.PasskeySignInService"
REGISTER = "/api/v1/users/me/factors/passkeys"
SIGN_IN = "/api/v1/auth/passkey"

CREDENTIAL: dict[str, Any] = {
    "id": "AAAA",
    "rawId": "AAAA",
    "type": "public-key",
    "authenticatorAttachment": None,
    "clientExtensionResults": {"credProps": {"rk": True}, "prf": {"results": {"first": [1, 2.5]}}},
    "response": {"clientDataJSON": "e30", "attestationObject": "oA", "transports": ["usb", "nfc"]},
}


async def test_the_options_are_those_of_webauthn(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    options = passkey_pb2.PasskeyCreationOptions(
        rp=passkey_pb2.PasskeyRelyingParty(id="example.com", name="Portico"),
        user=passkey_pb2.PasskeyUser(id="AAAA", name="ada@example.com", display_name="Ada"),
        challenge="AAAA",
        pub_key_cred_params=[passkey_pb2.PasskeyAlgorithm(type="public-key", alg=-257)],
        timeout=300_000,
        exclude_credentials=[passkey_pb2.PasskeyDescriptor(type="public-key", id="AAAA")],
        authenticator_selection=passkey_pb2.PasskeyAuthenticatorSelection(
            resident_key="required", require_resident_key=True, user_verification="required"
        ),
        attestation="none",
        extensions=passkey_pb2.PasskeyExtensions(cred_props=True),
    )
    backends.script(
        f"{SERVICE}/BeginPasskeyRegistration",
        passkeys.BeginPasskeyRegistrationResponse(options=options),
    )
    answer = await gateway.call("POST", f"{REGISTER}/begin", token=token, json={})
    assert answer.status == 200
    assert answer.json["data"]["options"] == {
        "rp": {"id": "example.com", "name": "Portico"},
        "user": {"id": "AAAA", "name": "ada@example.com", "displayName": "Ada"},
        "challenge": "AAAA",
        "pubKeyCredParams": [{"type": "public-key", "alg": -257}],
        "timeout": 300_000,
        "excludeCredentials": [{"type": "public-key", "id": "AAAA", "transports": []}],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


async def test_options_for_any_passkey_have_an_empty_list(
    gateway: Gateway, backends: Backends
) -> None:
    options = passkey_pb2.PasskeyRequestOptions(challenge="AAAA", rp_id="example.com")
    backends.script(
        f"{DOOR}/BeginPasskeySignIn", sign_in.BeginPasskeySignInResponse(options=options)
    )
    answer = await gateway.call("POST", f"{SIGN_IN}/begin", json={})
    assert answer.json["data"]["options"]["allowCredentials"] == []
    assert answer.json["data"]["options"]["rpId"] == "example.com"


@pytest.mark.parametrize("path", [REGISTER, SIGN_IN])
async def test_a_credential_arrives_as_the_browser_wrote_it(
    gateway: Gateway, backends: Backends, token: str, path: str
) -> None:
    """With whatever browsers will add: its members are no fields of ours."""
    body = {"credential": CREDENTIAL}
    if path == SIGN_IN:
        body["challenge"] = "AAAA"  # type: ignore[assignment]
    answer = await gateway.call("POST", path, token=token, json=body)
    assert answer.status in {200, 201}
    (call,) = backends.calls
    assert MessageToDict(call.request.credential) == CREDENTIAL


@pytest.mark.parametrize("credential", ["x", 7, [], True])
async def test_a_credential_is_an_object(
    gateway: Gateway, backends: Backends, credential: object
) -> None:
    body = {"credential": credential, "challenge": "AAAA"}
    answer = await gateway.call("POST", SIGN_IN, json=body)
    assert answer.status == 422
    (detail,) = answer.error["details"]
    assert (detail["field"], detail["code"]) == ("credential", "INVALID_TYPE")
    assert backends.calls == []


async def test_the_two_well_known_places_are_as_their_standards_say(
    gateway: Gateway, backends: Backends
) -> None:
    backends.script(
        f"{SERVICE}/GetRelatedOrigins",
        passkeys.GetRelatedOriginsResponse(origins=["https://example.com"]),
    )
    backends.script(
        f"{SERVICE}/GetPasskeyEndpoints",
        passkeys.GetPasskeyEndpointsResponse(
            enroll="https://a.example", manage="https://b.example"
        ),
    )
    related = await gateway.get("/.well-known/webauthn")
    assert related.json == {"origins": ["https://example.com"]}
    assert related.headers["content-type"] == "application/json"
    endpoints = await gateway.get("/.well-known/passkey-endpoints")
    assert endpoints.json == {"enroll": "https://a.example", "manage": "https://b.example"}
    assert endpoints.headers["content-type"] == "application/json"
