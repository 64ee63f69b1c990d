"""Steps of the tour that go straight to the core: typed stubs, and buf curl with reflection."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from portico.organizations.v1.organization_service_pb2 import ListMembersRequest
from portico.organizations.v1.organization_service_pb2_grpc import OrganizationServiceStub
from portico.users.v1.user_service_pb2 import GetMeRequest
from portico.users.v1.user_service_pb2_grpc import UserServiceStub

from cli.demo.people import Person, Stage

CALL_SECONDS = 10


async def call_with_stubs(stage: Stage, address: str, person: Person, organization: str) -> None:
    """The same questions as over REST, by gRPC."""
    stage.console.step(f"The same over gRPC ({address})")
    metadata = (("authorization", person.credential["Authorization"]),)
    async with grpc.aio.insecure_channel(address) as channel:
        users: Any = UserServiceStub(channel)
        organizations: Any = OrganizationServiceStub(channel)
        me = await shown(stage, "UserService.GetMe", users.GetMe(GetMeRequest(), metadata=metadata))
        stage.console.check(me["user"]["id"] == person.user["id"], "the same account")
        request = ListMembersRequest(organization_id=organization)
        call = organizations.ListMembers(request, metadata=metadata)
        members = await shown(stage, "OrganizationService.ListMembers", call)
        stage.console.check(len(members["members"]) == 2, "the same two members")
        await refused(stage, users.GetMe(GetMeRequest()))


async def shown(stage: Stage, name: str, call: Awaitable[Message]) -> dict[str, Any]:
    """Makes a call and shows its answer."""
    stage.console.sent(name)
    answer = MessageToDict(await call)
    stage.console.received("OK", answer)
    return answer


async def refused(stage: Stage, call: Awaitable[Message]) -> None:
    """Makes a call without a credential, which must be refused."""
    stage.console.sent("UserService.GetMe, without a credential")
    try:
        await call
        code = grpc.StatusCode.OK
    except grpc.aio.AioRpcError as error:
        code = error.code()
        stage.console.received(code.name, {"message": error.details()})
    stage.console.check(code is grpc.StatusCode.UNAUTHENTICATED, "refused: UNAUTHENTICATED")


async def call_with_buf(stage: Stage, address: str, person: Person) -> None:
    """The same once more with buf curl, which asks the core for its schema by reflection."""
    buf = Path(sys.executable).parent / "buf"
    if not buf.exists():
        stage.console.note("buf is not installed: no buf curl")
        return
    stage.console.step("buf curl, with no schema but what reflection tells")
    options = ("--protocol", "grpc", "--http2-prior-knowledge")
    method = f"http://{address}/portico.users.v1.UserService/GetMe"
    header = f"Authorization: {person.credential['Authorization']}"
    stage.console.sent(" ".join(("buf curl", *options, "-H", "'Authorization: ...'", method)))
    process = await asyncio.create_subprocess_exec(
        buf, "curl", *options, "--header", header, method,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(CALL_SECONDS):
        out, err = await process.communicate()
    stage.console.check(process.returncode == 0, f"buf curl ends well {err.decode().strip()}")
    answer = json.loads(out)
    stage.console.received("OK", answer)
    stage.console.check(answer["user"]["id"] == person.user["id"], "the same account")
