"""What the tests of changes of an address share: the three calls."""

from __future__ import annotations

from grpc import aio
from portico.email_changes.v1 import email_change_service_pb2 as pb
from portico.users.v1 import user_service_pb2 as users

from tests.core.users.conftest import administrator
from tests.core.world import Person, World

__all__ = ["administrator"]

NEW_PASSWORD = "a sentence of my own"


def request_change(
    world: World, person: Person, email: str, password: str | None = None
) -> aio.UnaryUnaryCall[pb.RequestEmailChangeRequest, pb.RequestEmailChangeResponse]:
    """Asks for another address."""
    request = pb.RequestEmailChangeRequest(
        new_email=email, current_password=person.password if password is None else password
    )
    return world.email_changes.RequestEmailChange(request, metadata=person.metadata)


def confirm(
    world: World, token: str
) -> aio.UnaryUnaryCall[pb.ConfirmEmailChangeRequest, pb.ConfirmEmailChangeResponse]:
    """Follows the link in the mail to the new address, and presses the button."""
    return world.email_changes.ConfirmEmailChange(pb.ConfirmEmailChangeRequest(token=token))


def revert(
    world: World, token: str
) -> aio.UnaryUnaryCall[pb.RevertEmailChangeRequest, pb.RevertEmailChangeResponse]:
    """Follows the link in the mail to the old address, and presses the button."""
    return world.email_changes.RevertEmailChange(pb.RevertEmailChangeRequest(token=token))


async def address(world: World, person: Person) -> str:
    """The address of an account now."""
    return (await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)).user.email
