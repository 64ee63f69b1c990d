# ruff: noqa: RUF001 (letters that look like others)
"""Wherever an address comes in: one that our mailer cannot write is refused, with its field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.email_changes.v1 import email_change_service_pb2 as email_changes
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as pb

from tests.core.conftest import Refused
from tests.core.world import PASSWORD, Person, World, new_email

REFUSED = {
    "SMTPUTF8": "дмитрий@example.com",
    "quoted": '"ada lovelace"@example.com',
    "full stop at the end": "ada@example.com.",
    "full stop of another script": "ada@example。com",
    "fullwidth letters": "ａｄａ@example.com",
    "sign of Kelvin": "\u212aada@example.com",
    "zero width in the name": "ad\u200ba@example.com",
    "zero width in the domain": "ada@exam\u200bple.com",
    "soft hyphen": "ada@ex\u00adample.com",
    "65 characters in the name": f"{'a' * 65}@example.com",
    "255 characters": f"{'a' * 64}@{'.'.join(['b' * 47] * 4)}",
    "255 octets in the form that is written": f"{'a' * 40}@{'.'.join(['ü' * 30] * 6)}.example",
    "a label that is no IDNA": "ada@xn--a.example",
    "an address of a host": "ada@127.0.0.1",
    "a header": "ada@example.com\r\nBcc: eve@example.com",
}

Door = Callable[[str], Awaitable[Any]]


def doors(world: World, administrator: Person, organization_id: str) -> dict[str, Door]:
    """Every call that takes an address which a mail shall be sent to, by the name of its field."""
    who = administrator.metadata
    return {
        "Register.email": lambda email: world.auth.Register(
            auth.RegisterRequest(
                email=email, password=PASSWORD, display_name="Ada", accepted_terms=True
            )
        ),
        "ForgotPassword.email": lambda email: world.auth.ForgotPassword(
            auth.ForgotPasswordRequest(email=email)
        ),
        "ResendVerification.email": lambda email: world.auth.ResendVerification(
            auth.ResendVerificationRequest(email=email)
        ),
        "CreateUser.email": lambda email: world.users.CreateUser(
            pb.CreateUserRequest(email=email, display_name="Ada"), metadata=who
        ),
        "RequestEmailChange.new_email": lambda email: world.email_changes.RequestEmailChange(
            email_changes.RequestEmailChangeRequest(new_email=email, current_password=PASSWORD),
            metadata=who,
        ),
        "CreateInvitation.email": lambda email: world.organizations.CreateInvitation(
            organizations.CreateInvitationRequest(
                organization_id=organization_id, email=email, role="viewer"
            ),
            metadata=who,
        ),
    }


@pytest.mark.parametrize("email", REFUSED.values(), ids=REFUSED.keys())
async def test_what_cannot_be_written_is_refused_at_every_door(
    world: World, administrator: Person, refused: Refused, email: str
) -> None:
    organization_id = await world.new_organization(administrator)
    for name, door in doors(world, administrator, organization_id).items():
        found = await refused(door(email), grpc.StatusCode.INVALID_ARGUMENT, "VALIDATION_ERROR")
        assert (name, set(found.fields)) == (name, {name.partition(".")[2]})


async def test_an_international_domain_is_taken_at_every_door_in_the_form_that_is_written(
    world: World, administrator: Person
) -> None:
    organization_id = await world.new_organization(administrator)
    mails = {
        "Register": "verify_email",
        "CreateUser": "choose_password",
        "RequestEmailChange": "confirm_email_change",
        "CreateInvitation": "invitation",
    }
    for name, door in doors(world, administrator, organization_id).items():
        local = new_email().partition("@")[0]
        await door(f"{local.upper()}@MÜNCHEN.example")
        mail = mails.get(name.partition(".")[0])
        if mail is not None:
            assert await world.mails(f"{local}@xn--mnchen-3ya.example", mail)
