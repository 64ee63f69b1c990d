"""What carries text messages: the port, and what can go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message.

    Attributes:
        id: of its row; the same at each attempt.
        number: E.164.
    """

    id: UUID
    number: str = field(repr=False)
    body: str = field(repr=False)


class SmsError(Exception):
    """A text message was not sent. Its text is safe to keep: it names neither number nor code.

    Attributes:
        retry_after: how long the provider asks to wait.
    """

    def __init__(self, description: str, retry_after: timedelta | None = None) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class SmsRefusedError(SmsError):
    """The provider will never take this message."""


class SmsProviderError(SmsError):
    """The provider cannot be used for now, for whatever message."""


class SmsTransport(Protocol):
    """Hands text messages to whoever carries them."""

    async def send(self, message: Sms) -> str:
        """Sends one, and returns the name that the provider has for it.

        Raises:
            SmsRefusedError: if there is no point in trying again.
            SmsError: if it failed for now.
        """
        ...

    async def close(self) -> None:
        """Lets its connections go."""
        ...
