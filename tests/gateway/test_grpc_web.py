"""gRPC-Web refusals: HTTP 200 with a status and its details, as native gRPC has them.

The protocol: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md. A client
that finds another HTTP status guesses a gRPC status from it and reads no details.
"""

from __future__ import annotations

import base64

import pytest
from google.rpc.status_pb2 import Status

from tests.gateway.backends import Backends, refused
from tests.gateway.gateway import Gateway
from tests.gateway.test_native import GET_ME, unpacked
from tests.support.http import HttpResponse

TYPES = [
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
]
UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED = 16, 7, 8, 12


async def call(
    gateway: Gateway, content_type: str, token: str | None, path: str = GET_ME
) -> HttpResponse:
    """A call as a browser sends it; the text form is base64."""
    frame = b"\0" + bytes(4)
    if "text" in content_type:
        frame = base64.b64encode(frame)
    headers = {"content-type": content_type, "accept": content_type, "x-grpc-web": "1"}
    return await gateway.call("POST", path, token=token, headers=headers, data=frame)


def refusal(answer: HttpResponse, content_type: str) -> Status:
    """The status of a refusal, which all three headers agree on."""
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type.removesuffix("+proto"))
    assert answer.body == b""
    status = Status.FromString(base64.b64decode(answer.headers["grpc-status-details-bin"] + "=="))
    assert status.code == int(answer.headers["grpc-status"])
    assert status.message == answer.headers["grpc-message"]
    return status


@pytest.mark.parametrize("content_type", TYPES)
async def test_a_missing_credential_is_a_status_with_details(
    gateway: Gateway, content_type: str
) -> None:
    status = refusal(await call(gateway, content_type, None), content_type)
    assert status.code == UNAUTHENTICATED
    assert unpacked(status)["ErrorInfo"]["reason"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("credential", ["eyJ.not.one", "pk_test_bad"])
async def test_a_wrong_credential_is_a_status_with_details(
    gateway: Gateway, content_type: str, credential: str
) -> None:
    status = refusal(await call(gateway, content_type, credential), content_type)
    assert status.code == UNAUTHENTICATED
    assert unpacked(status)["ErrorInfo"]["reason"] == "UNAUTHENTICATED"


async def test_the_authorizers_words_arrive(gateway: Gateway) -> None:
    status = refusal(await call(gateway, TYPES[0], "pk_test_bad"), TYPES[0])
    assert status.message == "The API key is not valid."


@pytest.mark.parametrize("content_type", TYPES)
async def test_the_limiters_refusal_says_when_to_come_back(
    gateway: Gateway, backends: Backends, token: str, content_type: str
) -> None:
    backends.limit_decision = refused
    answer = await call(gateway, content_type, token)
    status = refusal(answer, content_type)
    assert status.code == RESOURCE_EXHAUSTED
    assert unpacked(status)["ErrorInfo"]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert unpacked(status)["RetryInfo"] == {"retryDelay": "7s"}
    assert answer.headers["x-ratelimit-remaining"] == "0"


@pytest.mark.parametrize("content_type", TYPES)
async def test_an_unknown_method_is_unimplemented(gateway: Gateway, content_type: str) -> None:
    answer = await call(gateway, content_type, None, "/portico.users.v1.UserService/Nope")
    assert refusal(answer, content_type).code == UNIMPLEMENTED
