"""A service of the contract, as a process declares that it serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor
    from sqlalchemy.ext.asyncio import AsyncSession

# The largest message, in either direction; gRPC's own default.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

# Whether an organization agrees, besides the permission, to what a call did there.
Consent = Callable[["AsyncSession", UUID], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Service:
    """A service and the object that serves it.

    Attributes:
        servicer: has a coroutine method for each method of the service, by its name.
    """

    descriptor: ServiceDescriptor
    servicer: object
