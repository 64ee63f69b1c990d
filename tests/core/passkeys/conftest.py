"""What the tests of passkeys share: somebody with a passkey, and how they sign in by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1 import challenge_service_pb2 as challenges
from portico.passkeys.v1 import passkey_service_pb2 as pb
from portico.passkeys.v1 import passkey_sign_in_service_pb2 as sign_in
from portico.passkeys.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from portico.passkeys.v1.passkey_sign_in_service_pb2_grpc import PasskeySignInServiceStub

from tests.core.world import Person, World
from tests.support.authenticator import RIGHT, Authenticator, Json, Key, Wrong

Registration = aio.UnaryUnaryCall[
    pb.FinishPasskeyRegistrationRequest, pb.FinishPasskeyRegistrationResponse
]
SignIn = aio.UnaryUnaryCall[sign_in.SignInWithPasskeyRequest, sign_in.SignInWithPasskeyResponse]
Completion = aio.UnaryUnaryCall[
    challenges.CompleteChallengeRequest, challenges.CompleteChallengeResponse
]


def as_struct(json: Json) -> Struct:
    """JSON as the contract carries it."""
    struct = Struct()
    struct.update(json)
    return struct


@dataclass
class Visitor:
    """Somebody in front of a browser that has an authenticator."""

    world: World
    person: Person
    authenticator: Authenticator = field(default_factory=Authenticator)

    @property
    def passkeys(self) -> PasskeyServiceStub:
        return PasskeyServiceStub(self.world.channel)

    @property
    def door(self) -> PasskeySignInServiceStub:
        return PasskeySignInServiceStub(self.world.channel)

    async def creation_options(self) -> Json:
        """What the browser is asked to make."""
        request = pb.BeginPasskeyRegistrationRequest()
        begun = await self.passkeys.BeginPasskeyRegistration(request, metadata=self.person.metadata)
        return MessageToDict(begun.options, always_print_fields_with_no_presence=True)

    def finish(self, credential: Json, name: str = "") -> Registration:
        """Registers what the browser has made."""
        request = pb.FinishPasskeyRegistrationRequest(credential=as_struct(credential), name=name)
        return self.passkeys.FinishPasskeyRegistration(request, metadata=self.person.metadata)

    async def register(
        self,
        wrong: Wrong = RIGHT,
        *,
        name: str = "",
        key: Key | None = None,
        credential_id: bytes | None = None,
    ) -> pb.FinishPasskeyRegistrationResponse:
        """Registers a passkey."""
        options = await self.creation_options()
        made = self.authenticator.create(options, wrong, key=key, credential_id=credential_id)
        return await self.finish(made, name)

    async def list(self) -> pb.ListPasskeysResponse:
        """What the person has."""
        request = pb.ListPasskeysRequest()
        return await self.passkeys.ListPasskeys(request, metadata=self.person.metadata)

    async def request_options(self) -> Json:
        """What the browser of somebody is asked who is not signed in."""
        begun = await self.door.BeginPasskeySignIn(sign_in.BeginPasskeySignInRequest())
        return MessageToDict(begun.options, always_print_fields_with_no_presence=True)

    def enter(self, options: Json, credential: Json, device_token: str = "") -> SignIn:
        """Sends a passkey's answer."""
        return self.door.SignInWithPasskey(
            sign_in.SignInWithPasskeyRequest(
                challenge=options["challenge"],
                credential=as_struct(credential),
                device_token=device_token,
            )
        )

    async def sign_in(
        self, wrong: Wrong = RIGHT, **answer: Any
    ) -> sign_in.SignInWithPasskeyResponse:
        """Signs in by the newest passkey."""
        options = await self.request_options()
        return await self.enter(options, self.authenticator.get(options, wrong, **answer))

    async def login(self) -> auth.LoginResponse:
        """Shows the password; a challenge follows."""
        return await self.world.auth.Login(
            auth.LoginRequest(email=self.person.email, password=self.person.password)
        )

    async def challenge_options(self, challenge: str) -> Json:
        """What the browser is asked for a challenge."""
        request = challenges.GetChallengePasskeyOptionsRequest(challenge=challenge)
        begun = await self.world.challenges.GetChallengePasskeyOptions(request)
        return MessageToDict(begun.options, always_print_fields_with_no_presence=True)

    def complete(self, challenge: str, credential: Json, device_token: str = "") -> Completion:
        """Answers a challenge."""
        return self.world.challenges.CompleteChallenge(
            challenges.CompleteChallengeRequest(
                challenge=challenge,
                method="passkey",
                credential=as_struct(credential),
                device_token=device_token,
            )
        )


@pytest.fixture
async def visitor(world: World, owner: Person) -> Visitor:
    """Somebody new, without a passkey."""
    return Visitor(world, owner)


@pytest.fixture
async def holder(visitor: Visitor) -> Visitor:
    """Somebody new, with a passkey of a password manager."""
    await visitor.register()
    return visitor
