"""gRPC and gRPC-Web: plain messages, the same policy, errors with their details."""

from __future__ import annotations

import base64
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User

from tests.gateway.backends import GOOD_KEY, Backends, Context, refuse, refused
from tests.gateway.gateway import Gateway, unframed

GET_ME = "/portico.users.v1.UserService/GetMe"
GET_USER = "/portico.users.v1.UserService/GetUser"


async def test_grpc_passes_plainly(gateway: Gateway, backends: Backends, token: str) -> None:
    backends.script(GET_ME, users.GetMeResponse(user=User(id="1")))
    answer = await gateway.native(GET_ME, users.GetMeRequest(), users.GetMeResponse, token=token)
    assert answer == users.GetMeResponse(user=User(id="1"))


async def test_grpc_web_passes_plainly(gateway: Gateway, backends: Backends, token: str) -> None:
    backends.script(GET_ME, users.GetMeResponse(user=User(id="1")))
    answer = await gateway.web(GET_ME, users.GetMeRequest(), token=token)
    assert answer.grpc_status == 0
    assert users.GetMeResponse.FromString(unframed(answer.body)).user.id == "1"


async def test_a_key_opens_grpc(gateway: Gateway, backends: Backends) -> None:
    await gateway.native(GET_ME, users.GetMeRequest(), users.GetMeResponse, token=GOOD_KEY)
    [call] = backends.calls
    assert "x-api-key" not in call.metadata
    assert len(backends.charges) == 1


async def test_grpc_errors_keep_their_details(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    async def refusal(_request: Any, context: Context) -> Message:
        reason = ErrorInfo(reason="USER_NOT_FOUND", domain="portico")
        return await refuse(context, grpc.StatusCode.NOT_FOUND, "No such user.", reason)

    backends.script(GET_USER, refusal)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.native(GET_USER, users.GetUserRequest(), users.GetUserResponse, token=token)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert details(raised.value) == {"ErrorInfo": {"reason": "USER_NOT_FOUND", "domain": "portico"}}


async def test_a_caller_may_ask_for_less_time(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    left: list[float] = []

    async def note(_request: Any, context: Context) -> Message:
        left.append(context.time_remaining())
        return users.GetMeResponse()

    backends.script(GET_ME, note)
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = gateway.channel.unary_unary(GET_ME)
    metadata = (("authorization", f"Bearer {token}"),)
    await call(b"", metadata=metadata, timeout=0.5)
    await call(b"", metadata=metadata, timeout=60)
    assert 0 < left[0] < 0.6
    assert 0.6 < left[1] <= 1


@pytest.mark.parametrize(
    ("credential", "reason"),
    [
        (None, "UNAUTHENTICATED"),
        ("eyJ.not.one", "UNAUTHENTICATED"),
        ("pk_test_bad", "UNAUTHENTICATED"),
    ],
)
async def test_what_the_gateway_refuses_itself_has_details_too(
    gateway: Gateway, credential: str | None, reason: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.native(GET_ME, users.GetMeRequest(), users.GetMeResponse, token=credential)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert details(raised.value) == {"ErrorInfo": {"reason": reason, "domain": "portico"}}


async def test_who_asks_too_often_is_told_when_to_come_back(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.limit_decision = refused
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.native(GET_ME, users.GetMeRequest(), users.GetMeResponse, token=token)
    expected = {
        "ErrorInfo": {"reason": "RATE_LIMIT_EXCEEDED", "domain": "portico"},
        "RetryInfo": {"retryDelay": "7s"},
    }
    assert details(raised.value) == expected
    answer = await gateway.web(GET_ME, users.GetMeRequest(), token=token)
    packed = base64.b64decode(answer.headers["grpc-status-details-bin"])
    assert unpacked(Status.FromString(packed)) == expected


def details(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """The details of a failed call, which also say what its status says."""
    [packed] = [
        value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"
    ]
    assert isinstance(packed, bytes)
    status = Status.FromString(packed)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return unpacked(status)


def unpacked(status: Status) -> dict[str, Any]:
    """The details by their type, as JSON has them."""
    found = [MessageToDict(detail) for detail in status.details]
    return {detail.pop("@type").rpartition(".")[2]: detail for detail in found}
