"""How an application says who it is (RFC 6749, section 2.3; RFC 7521, section 4.2).

What is presented is read here; whether it is good, and whether the application may use this
method, is for the core to say.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from portico.oauth.v1 import token_service_pb2 as pb

from edge.web.oauth.errors import INVALID_CLIENT, OAuthError, invalid_request
from edge.web.oauth.parameters import Parameters, decode

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BASIC = "client_secret_basic"
POST = "client_secret_post"
ASSERTION = "private_key_jwt"
NONE = "none"


def read_client(headers: Mapping[str, str], parameters: Parameters) -> pb.ClientCredentials:
    """What the application presents.

    Raises:
        OAuthError: if it presents nothing, something malformed, or more than one thing.
    """
    authorization = headers.get("Authorization")
    _check_one_method(authorization, parameters)
    client_id = parameters.get("client_id")
    if authorization is not None:
        return _same(_basic(authorization), client_id)
    if "client_assertion" in parameters or "client_assertion_type" in parameters:
        return _assertion(parameters)
    if not client_id:
        raise OAuthError(INVALID_CLIENT, "The application does not say who it is.")
    secret = parameters.get("client_secret")
    method = POST if secret else NONE
    return pb.ClientCredentials(client_id=client_id, method=method, client_secret=secret)


def _check_one_method(authorization: str | None, parameters: Parameters) -> None:
    """RFC 6749, section 2.3: one method in each request."""
    used = (
        authorization is not None,
        "client_secret" in parameters,
        "client_assertion" in parameters or "client_assertion_type" in parameters,
    )
    if sum(used) > 1:
        raise invalid_request("The application authenticates in more than one way.")


def _basic(authorization: str) -> pb.ClientCredentials:
    """RFC 6749, section 2.3.1: both parts are form-encoded before base64."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError(INVALID_CLIENT, "The authentication scheme must be Basic.")
    try:
        plain = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = plain.partition(":")
        client_id, secret = decode(client_id), decode(secret)
    except (binascii.Error, UnicodeError, ValueError, OAuthError):
        raise OAuthError(INVALID_CLIENT, "The credentials are malformed.") from None
    if not colon or not client_id:
        raise OAuthError(INVALID_CLIENT, "The credentials are malformed.")
    # Some libraries name public applications so.
    method = BASIC if secret else NONE
    return pb.ClientCredentials(client_id=client_id, method=method, client_secret=secret)


def _same(client: pb.ClientCredentials, client_id: str) -> pb.ClientCredentials:
    """Many clients name themselves in the form, too."""
    if client_id and client_id != client.client_id:
        raise invalid_request("The client_id is not the one of the Authorization header.")
    return client


def _assertion(parameters: Parameters) -> pb.ClientCredentials:
    assertion = parameters.get("client_assertion")
    if not assertion or parameters.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError(INVALID_CLIENT, f"The client_assertion_type must be {ASSERTION_TYPE}.")
    return pb.ClientCredentials(
        client_id=parameters.get("client_id") or _subject(assertion),
        method=ASSERTION,
        client_assertion=assertion,
        client_assertion_type=ASSERTION_TYPE,
    )


def _subject(assertion: str) -> str:
    """Whom an assertion is about; the core verifies it (RFC 7521: the client_id is optional)."""
    try:
        payload = assertion.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        subject = claims["sub"]
    except (IndexError, ValueError, KeyError, TypeError, RecursionError):
        raise OAuthError(INVALID_CLIENT, "The assertion is malformed.") from None
    if not isinstance(subject, str) or not subject:
        raise OAuthError(INVALID_CLIENT, "The assertion is malformed.")
    return subject
