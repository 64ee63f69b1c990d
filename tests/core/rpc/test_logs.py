"""Logs: what went wrong, and neither whom it happened to nor all that was sent."""

from __future__ import annotations

from pathlib import Path

import grpc
import structlog
from portico.auth.v1 import auth_service_pb2 as auth
from portico.users.v1 import user_service_pb2 as users
from prometheus_client import REGISTRY

from tests.core.conftest import Refused
from tests.core.world import PASSWORD, Person, World


async def test_a_refused_request_is_logged_as_it_came(
    world: World, owner: Person, refused: Refused
) -> None:
    assert await _logged(world, owner, refused, "a" * 501) == {"bio": "a" * 501}


async def test_of_a_long_request_only_the_size_is_logged(
    world: World, owner: Person, refused: Refused
) -> None:
    text = "a" * 900_000
    size = users.UpdateMeRequest(bio=text).ByteSize()
    assert await _logged(world, owner, refused, text) == {"bytes": size}


async def test_an_address_that_is_taken_does_not_get_into_the_log_of_the_database(
    world: World, owner: Person, refused: Refused, short_folder: Path
) -> None:
    request = auth.RegisterRequest(
        email=owner.email, password=PASSWORD, display_name="Ada", accepted_terms=True
    )
    await refused(world.auth.Register(request), grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    log = (short_folder / "pg" / "postgres.log").read_text()
    assert "duplicate key value violates unique constraint" in log
    assert owner.email not in log


async def test_what_only_the_database_refuses_is_counted_as_what_the_caller_is_told(
    world: World, owner: Person, refused: Refused
) -> None:
    request = auth.RegisterRequest(
        email=owner.email, password=PASSWORD, display_name="Ada", accepted_terms=True
    )
    rpc = "/portico.auth.v1.AuthService/Register"
    before = _counted(rpc, "EMAIL_TAKEN"), _counted(rpc, "INTERNAL")
    with structlog.testing.capture_logs() as lines:
        await refused(world.auth.Register(request), grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    assert (_counted(rpc, "EMAIL_TAKEN"), _counted(rpc, "INTERNAL")) == (before[0] + 1, before[1])
    assert [line["reason"] for line in lines if line["event"] == "call"] == ["EMAIL_TAKEN"]


def _counted(rpc: str, reason: str) -> float:
    labels = {"rpc": rpc, "reason": reason}
    return REGISTRY.get_sample_value("portico_rpc_calls_total", labels) or 0


async def _logged(world: World, owner: Person, refused: Refused, bio: str) -> object:
    """What the log shows of a request that is refused for its bio."""
    request = users.UpdateMeRequest(bio=bio)
    with structlog.testing.capture_logs() as lines:
        call = world.users.UpdateMe(request, metadata=owner.metadata)
        await refused(call, grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
    (line,) = [line for line in lines if line["event"] == "call"]
    return line["request"]
