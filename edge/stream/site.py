"""What the connections of the process share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.stream.core_client import CoreClient
from edge.stream.registry import Registry

if TYPE_CHECKING:
    from edge.stream.connection import Connection


@dataclass(frozen=True, slots=True)
class Site:
    """Who has a stream, and by which rules.

    Attributes:
        origins: the origins whose pages may open a WebSocket.
        challenge: what WWW-Authenticate says to a token that is not good.
        connections: all that are open.
        paused: those whose clients do not keep up.
    """

    core: CoreClient
    registry: Registry
    origins: frozenset[str]
    challenge: str
    connections: set[Connection] = field(default_factory=set)
    paused: set[Connection] = field(default_factory=set)
