"""gRPC-Web as its real client sees it: connect-web, with the TypeScript of the contract."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_pb2 import User

from edge.gateway.settings import ROOT
from tests.gateway.backends import GOOD_KEY, Backends, Context, refuse, refused
from tests.gateway.gateway import Gateway
from tests.gateway.test_native import GET_ME
from tests.node import build, requires_node, run

PACKAGE = Path(__file__).parent / "connect_web"
CALL_SECONDS = 30

Detail = TypeVar("Detail", ErrorInfo, RetryInfo)

pytestmark = requires_node


@pytest.fixture(scope="module")
async def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled client."""
    out = tmp_path_factory.mktemp("connect-web")
    sources = ROOT / "generated" / "typescript" / "src"
    return await asyncio.to_thread(build, PACKAGE, sources, out)


async def get_me(program: Path, gateway: Gateway, credential: str | None) -> Any:
    """Has the client call GetMe and gives what it made of the answer."""
    call = {
        "url": f"http://127.0.0.1:{gateway.settings.rest_port}",
        "headers": {} if credential is None else {"authorization": f"Bearer {credential}"},
    }
    command = ["node", str(program / "client.js"), json.dumps([call])]
    return json.loads(await asyncio.to_thread(run, command, program.parent, CALL_SECONDS))


def reason(outcome: Any) -> str:
    return str(detail(outcome, ErrorInfo()).reason)


def detail(outcome: Any, message: Detail) -> Detail:
    """The detail of this type that the client was given."""
    name = message.DESCRIPTOR.full_name
    [value] = [part["value"] for part in outcome["details"] if part["type"] == name]
    message.ParseFromString(base64.b64decode(value))
    return message


async def test_an_answer_is_a_message(
    program: Path, gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.script(GET_ME, users.GetMeResponse(user=User(id="1", display_name="Ä 😀")))
    for credential in (token, GOOD_KEY):
        outcome = await get_me(program, gateway, credential)
        assert outcome["message"]["user"]["displayName"] == "Ä 😀"


@pytest.mark.parametrize("credential", [None, "eyJ.not.one", "pk_test_bad"])
async def test_a_refused_credential_is_unauthenticated_with_its_reason(
    program: Path, gateway: Gateway, credential: str | None
) -> None:
    outcome = await get_me(program, gateway, credential)
    assert outcome["code"] == "Unauthenticated"
    assert outcome["text"]
    assert reason(outcome) == "UNAUTHENTICATED"


async def test_a_used_up_budget_is_resource_exhausted_and_says_when_to_come_back(
    program: Path, gateway: Gateway, backends: Backends, token: str
) -> None:
    backends.limit_decision = refused
    outcome = await get_me(program, gateway, token)
    assert outcome["code"] == "ResourceExhausted"
    assert reason(outcome) == "RATE_LIMIT_EXCEEDED"
    assert detail(outcome, RetryInfo()).retry_delay.seconds == 7


async def test_the_cores_refusal_keeps_its_details(
    program: Path, gateway: Gateway, backends: Backends, token: str
) -> None:
    async def refusal(_request: Any, context: Context) -> Message:
        known = ErrorInfo(reason="USER_NOT_FOUND", domain="portico")
        return await refuse(context, grpc.StatusCode.NOT_FOUND, "Näh: 100 %.", known)

    backends.script(GET_ME, refusal)
    outcome = await get_me(program, gateway, token)
    assert (outcome["code"], outcome["text"]) == ("NotFound", "Näh: 100 %.")
    assert reason(outcome) == "USER_NOT_FOUND"


async def test_a_core_that_takes_too_long_is_deadline_exceeded(
    program: Path, gateway: Gateway, backends: Backends, token: str
) -> None:
    async def never(_request: Any, _context: Context) -> Message:
        await asyncio.sleep(60)
        return users.GetMeResponse()

    backends.script(GET_ME, never)
    assert (await get_me(program, gateway, token))["code"] == "DeadlineExceeded"
