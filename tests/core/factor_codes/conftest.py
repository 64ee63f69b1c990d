"""What the tests of codes share: people who enroll, sign in and read what is sent to them."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address

import phonenumbers
import pytest
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.auth.v1.challenge_service_pb2_grpc import ChallengeServiceStub
from portico.factor_codes.v1 import factor_code_service_pb2 as pb
from portico.factor_codes.v1.factor_code_service_pb2_grpc import FactorCodeServiceStub

from tests.core.world import Person, World

MINUTE = timedelta(seconds=61)

_addresses = itertools.count(int(IPv4Address("10.1.0.0")))
_subscribers = itertools.count(1_000_001)


def new_address() -> str:
    """The address of a client that has done nothing yet."""
    return str(IPv4Address(next(_addresses)))


def new_number() -> str:
    """A mobile number in Germany that nobody has."""
    return f"+491512{next(_subscribers)}"


def example(country: str, kind: int = phonenumbers.PhoneNumberType.MOBILE) -> str:
    """Some number of a country."""
    number = phonenumbers.example_number_for_type(country, kind)
    assert number is not None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def digits(text: str) -> str:
    """The code in a text."""
    found = re.search(r"\b[0-9]{6}\b", text)
    assert found, text
    return found[0]


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06}"


@dataclass
class Member:
    """Somebody in front of the platform.

    Attributes:
        edge: a channel as the gateway has one.
        address: where they are.
    """

    world: World
    edge: aio.Channel
    person: Person
    address: str

    @property
    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (*self.person.metadata, ("x-edge-address", self.address))

    def begin_email(
        self,
    ) -> aio.UnaryUnaryCall[pb.BeginEmailEnrollmentRequest, pb.BeginEmailEnrollmentResponse]:
        return FactorCodeServiceStub(self.edge).BeginEmailEnrollment(
            pb.BeginEmailEnrollmentRequest(), metadata=self._metadata
        )

    def confirm_email(
        self, code: str, name: str = ""
    ) -> aio.UnaryUnaryCall[pb.ConfirmEmailEnrollmentRequest, pb.ConfirmEmailEnrollmentResponse]:
        return FactorCodeServiceStub(self.edge).ConfirmEmailEnrollment(
            pb.ConfirmEmailEnrollmentRequest(code=code, name=name), metadata=self._metadata
        )

    def begin_sms(
        self, number: str
    ) -> aio.UnaryUnaryCall[pb.BeginSmsEnrollmentRequest, pb.BeginSmsEnrollmentResponse]:
        return FactorCodeServiceStub(self.edge).BeginSmsEnrollment(
            pb.BeginSmsEnrollmentRequest(phone_number=number), metadata=self._metadata
        )

    def confirm_sms(
        self, code: str, name: str = ""
    ) -> aio.UnaryUnaryCall[pb.ConfirmSmsEnrollmentRequest, pb.ConfirmSmsEnrollmentResponse]:
        return FactorCodeServiceStub(self.edge).ConfirmSmsEnrollment(
            pb.ConfirmSmsEnrollmentRequest(code=code, name=name), metadata=self._metadata
        )

    async def enroll_email(self) -> pb.ConfirmEmailEnrollmentResponse:
        """Has codes mailed from now on."""
        await self.begin_email()
        return await self.confirm_email(await self.mailed("enrollment_code"))

    async def enroll_sms(self, number: str) -> pb.ConfirmSmsEnrollmentResponse:
        """Has codes sent to a number from now on."""
        await self.begin_sms(number)
        return await self.confirm_sms(await self.texted(number))

    async def mailed(self, template: str = "challenge_code") -> str:
        """The code of the newest mail."""
        return (await self.world.mail(self.person.email, template))["code"]

    async def texted(self, number: str) -> str:
        """The code of the newest text message to a number."""
        return digits((await self.world.texts(number))[-1])

    async def step_up(self) -> None:
        """Shows the password once more, as who has nothing else."""
        begun = await self.world.challenges.BeginStepUp(
            challenges.BeginStepUpRequest(), metadata=self.person.metadata
        )
        await self.world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=begun.challenge, method="password", password=self.person.password
            )
        )

    async def renew(self) -> None:
        """Signs in again: the session of before is too old."""
        self.person = await self.world.sign_in(self.person.email)

    async def login(self) -> auth.LoginResponse:
        """Shows the password."""
        request = auth.LoginRequest(email=self.person.email, password=self.person.password)
        return await self.world.auth.Login(request)

    def send(
        self, challenge: str, method: str = "email"
    ) -> aio.UnaryUnaryCall[
        challenges.SendChallengeCodeRequest, challenges.SendChallengeCodeResponse
    ]:
        """Has a code sent for a challenge."""
        return ChallengeServiceStub(self.edge).SendChallengeCode(
            challenges.SendChallengeCodeRequest(challenge=challenge, method=method),
            metadata=(("x-edge-address", self.address),),
        )

    def complete(
        self, begun: auth.LoginResponse, code: str, method: str = "email"
    ) -> aio.UnaryUnaryCall[
        challenges.CompleteChallengeRequest, challenges.CompleteChallengeResponse
    ]:
        """Answers the challenge of a sign-in."""
        return self.world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=begun.challenge,
                method=method,
                code=code,
                device_token=begun.device_token,
            )
        )


@dataclass(frozen=True)
class Members:
    """Makes people, each at an address of their own."""

    world: World
    edge: aio.Channel

    async def new(self, address: str = "", person: Person | None = None) -> Member:
        person = person or await self.world.new_person()
        return Member(self.world, self.edge, person, address or new_address())


@pytest.fixture(autouse=True)
def clock_of_its_own(world: World) -> Iterator[None]:
    """What a test moves the clock by, it is moved back by afterwards."""
    with world.clock.later(timedelta(0)):
        yield


@pytest.fixture
async def members(world: World) -> AsyncIterator[Members]:
    """People who come by way of the gateway."""
    async with aio.insecure_channel(f"unix:{world.runtime_dir / 'core.sock'}") as edge:
        yield Members(world, edge)


@pytest.fixture
async def ada(members: Members, owner: Person) -> Member:
    """Somebody without a factor."""
    return await members.new(person=owner)
