"""What sign-in with others needs of the feature below it that starts sessions."""

from __future__ import annotations

from typing import Protocol

from portico_kit.assurance import Authentication
from portico_kit.call import Call
from server.features.auth.devices import Device
from server.features.auth.sign_in_completion import Completed
from server.features.users.facade import Account


class SignInCompletion(Protocol):
    """Starts sessions, or asks for a second factor; the auth feature does."""

    async def complete(
        self, account: Account, shown: Authentication, device: Device, call: Call
    ) -> Completed:
        """What follows for a person who has shown a first factor."""
        ...
