"""What the tests of factors share: somebody with an authenticator app, and how to sign in then."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.factors.v1 import factor_service_pb2 as pb

from server.features.factors.totp import STEP_SECONDS, Totp
from tests.core.world import Person, World

Completion = aio.UnaryUnaryCall[
    challenges.CompleteChallengeRequest, challenges.CompleteChallengeResponse
]


@dataclass
class App:
    """An authenticator app, as another implementation would be one."""

    world: World
    totp: Totp

    def code(self, steps: int = 0) -> str:
        """The code that it shows, now or so many steps later."""
        return self.totp.code(int(self.world.clock().timestamp()) // STEP_SECONDS + steps)

    def wrong_code(self) -> str:
        """One that it shows at no time near now."""
        near = {self.code(steps) for steps in range(-5, 6)}
        return next(code for code in (f"{n:06}" for n in range(20)) if code not in near)


@dataclass
class Protected:
    """Somebody who has an authenticator app."""

    world: World
    person: Person
    app: App
    factor_id: str
    recovery_codes: Sequence[str]

    def login(
        self, code: str = "", device_token: str = ""
    ) -> aio.UnaryUnaryCall[auth.LoginRequest, auth.LoginResponse]:
        """Shows the password, and perhaps a code with it."""
        return self.world.auth.Login(
            auth.LoginRequest(
                email=self.person.email,
                password=self.person.password,
                mfa_code=code,
                device_token=device_token,
            )
        )

    def complete(
        self, begun: auth.LoginResponse, code: str, method: str = "totp", device_token: str = ""
    ) -> Completion:
        """Answers the challenge of a sign-in."""
        return self.world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=begun.challenge,
                method=method,
                code=code,
                device_token=device_token or begun.device_token,
            )
        )

    def next_code(self) -> str:
        """A code that was not used yet; it is half a minute later from now on."""
        self.world.clock.advance(timedelta(seconds=STEP_SECONDS))
        return self.app.code()


async def enroll_app(world: World, person: Person) -> Protected:
    """Gives somebody an authenticator app."""
    begun = await world.factors.BeginTotpEnrollment(
        pb.BeginTotpEnrollmentRequest(), metadata=person.metadata
    )
    padding = "=" * (-len(begun.secret) % 8)
    app = App(world, Totp(base64.b32decode(begun.secret + padding)))
    done = await world.factors.ConfirmTotpEnrollment(
        pb.ConfirmTotpEnrollmentRequest(code=app.code(), name="Phone"), metadata=person.metadata
    )
    return Protected(world, person, app, done.factor.id, list(done.recovery_codes))


@pytest.fixture
async def protected(world: World, owner: Person) -> Protected:
    """Somebody new with an authenticator app."""
    return await enroll_app(world, owner)
