"""What the tests of signing in share."""

from __future__ import annotations

import jwt
import pytest
from portico.auth.v1 import auth_service_pb2 as pb

from tests.core.world import PASSWORD, World, new_email


def claims(access_token: str) -> dict[str, object]:
    """What a token says; whether it may is not the question here."""
    return dict(jwt.decode(access_token, options={"verify_signature": False}))


def registration(email: str, password: str = PASSWORD) -> pb.RegisterRequest:
    """A request of somebody new."""
    return pb.RegisterRequest(
        email=email, password=password, display_name="Ada", accepted_terms=True
    )


@pytest.fixture
async def unverified(world: World) -> pb.RegisterResponse:
    """Somebody who has registered and not yet followed the link."""
    return await world.auth.Register(registration(new_email()))
