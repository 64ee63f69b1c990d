"""No route stands open by mistake: the one promise that everything else rests on."""

from __future__ import annotations

import grpc
import pytest

from edge.gateway.bodies import body_fields
from edge.gateway.paths import variables
from portico_contract import CONTRACT_FILE, AccessRule, Method, load
from tests.gateway.backends import Backends
from tests.gateway.gateway import Gateway
from tests.support.cells import Cells

CONTRACT = load(CONTRACT_FILE)
GUARDED = [m for m in CONTRACT.routed if m.access is not AccessRule.PUBLIC]
PUBLIC = [m for m in CONTRACT.routed if m.access is AccessRule.PUBLIC]
INTERNAL = [m for m in CONTRACT.methods if m.access is AccessRule.INTERNAL]

UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED.value[0]
UUID = "0195d1a0-0000-7000-8000-000000000001"


def rest_path(method: Method) -> str:
    assert method.rest is not None
    path = method.rest.template
    for name in variables(path):
        path = path.replace(f"{{{name}}}", UUID)
    return path


def least_body(method: Method) -> dict[str, None] | None:
    """A body that the gateway lets pass: a field that is null says no more than none."""
    assert method.rest is not None
    fields = body_fields(method.input, variables(method.rest.template))
    return {fields[0].json_name: None} if method.rest.has_body and fields else None


async def test_rest_demands_a_credential(gateway: Gateway, backends: Backends) -> None:
    cells = Cells()
    for method in GUARDED:
        with cells.cell(method.name):
            assert method.rest is not None
            answer = await gateway.call(method.rest.verb, rest_path(method))
            assert answer.status == 401
            assert answer.error["code"] == "UNAUTHENTICATED"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert backends.calls == []
    cells.hold()


async def test_head_demands_a_credential(gateway: Gateway, backends: Backends) -> None:
    cells = Cells()
    for method in GUARDED:
        # A stream has no headers without being opened: 405, see test_streams.py.
        if method.rest is not None and method.rest.verb == "GET" and not method.streaming:
            with cells.cell(method.name):
                answer = await gateway.call("HEAD", rest_path(method))
                assert answer.status == 401
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert backends.calls == []
    cells.hold()


async def test_grpc_demands_a_credential(gateway: Gateway, backends: Backends) -> None:
    cells = Cells()
    for method in GUARDED:
        with cells.cell(method.name):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await gateway.native(method.path, method.request(), method.response)
            assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert backends.calls == []
    cells.hold()


async def test_grpc_web_demands_a_credential(gateway: Gateway, backends: Backends) -> None:
    cells = Cells()
    for method in GUARDED:
        with cells.cell(method.name):
            answer = await gateway.web(method.path, method.request())
            assert answer.grpc_status == grpc.StatusCode.UNAUTHENTICATED.value[0]
            assert backends.calls == []
    cells.hold()


async def test_rest_opens_with_a_token(gateway: Gateway, backends: Backends, token: str) -> None:
    cells = Cells()
    # Over REST streams are served by a process of their own, see tests/stream.
    for method in (each for each in GUARDED if not each.streaming):
        with cells.cell(method.name):
            assert method.rest is not None
            backends.calls.clear()
            answer = await gateway.call(
                method.rest.verb, rest_path(method), token=token, json=least_body(method)
            )
            assert answer.status == method.status
            [call] = backends.calls
            assert call.path == method.path
    cells.hold()


async def test_public_methods_ignore_a_bad_credential(gateway: Gateway) -> None:
    cells = Cells()
    headers = {"Authorization": "Bearer not-a-token", "X-API-Key": "pk_test_wrong"}
    for method in PUBLIC:
        with cells.cell(method.name):
            assert method.rest is not None
            answer = await gateway.call(
                method.rest.verb, rest_path(method), headers=headers, json=least_body(method)
            )
            assert answer.status == method.status
    cells.hold()


async def test_internal_methods_are_not_there(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    cells = Cells()
    for method in INTERNAL:
        with cells.cell(method.name):
            request, response = method.request(), method.response
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await gateway.native(method.path, request, response, token=token)
            assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
            over_web = await gateway.web(method.path, request, token=token)
            assert over_web.grpc_status == UNIMPLEMENTED
            assert (await gateway.call("POST", method.path, token=token, json={})).status == 404
            assert backends.calls == []
    cells.hold()


@pytest.mark.parametrize("service", ["grpc.health.v1.Health/Check", "grpc.reflection.v1.S/X"])
async def test_the_cores_own_services_are_not_there(
    gateway: Gateway, token: str, service: str
) -> None:
    method = PUBLIC[0]
    request, response = method.request(), method.response
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(f"/{service}", request, response, token=token)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_grpc_cannot_slip_through_under_a_rest_path(
    gateway: Gateway, backends: Backends
) -> None:
    method = GUARDED[0]
    request, response = method.request(), method.response
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await gateway.native(rest_path(method), request, response)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert backends.calls == []


async def test_json_cannot_name_an_rpc_by_its_grpc_path(
    gateway: Gateway, backends: Backends, token: str
) -> None:
    for method in GUARDED[:3]:
        answer = await gateway.call("POST", method.path, token=token, json={})
        assert answer.status == 415
        assert answer.error["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert backends.calls == []
