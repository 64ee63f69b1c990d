"""Whether a webhook's host name leads anywhere, asked when the webhook is created or moved.

A courtesy to those who mistype a name, and no protection: which address may be
connected to is decided at each attempt, for a name can resolve to something else by then.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

import structlog
from yarl import URL

from portico_kit.errors import invalid
from server.common.outbound_addresses import AddressPolicy

log = structlog.get_logger("webhooks")

LOOKUP_TIMEOUT = 2.0  # seconds
# A look-up blocks a thread; the name servers of a hostile domain may take their time.
LOOKUP_THREADS = 8
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class NameNotFoundError(Exception):
    """The name servers say that there is no such name."""


class Resolver(Protocol):
    """Looks up host names."""

    async def resolve(self, host: str) -> Sequence[str]:
        """The IP addresses of a name.

        Raises:
            NameNotFoundError: if there is no such name.
            OSError: if no name server answers.
        """
        ...


class SystemResolver:
    """Looks up host names as the operating system does, on a few threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")

    async def resolve(self, host: str) -> Sequence[str]:
        """The IP addresses of a name; see `Resolver`."""
        loop = asyncio.get_running_loop()
        look_up = loop.run_in_executor(self._threads, _look_up, host)
        return await asyncio.wait_for(look_up, LOOKUP_TIMEOUT)


def _look_up(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            raise NameNotFoundError from error
        raise
    return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Destinations:
    """Says where a webhook may point to, and whether there is anything."""

    policy: AddressPolicy
    resolver: Resolver

    async def check(self, url: str) -> str:
        """Holds a webhook's URL against the policy, and looks its host up.

        If the name servers do not answer, the URL is taken: that is not the caller's
        fault, and the name may be known again when the first delivery is made.

        Returns:
            The URL as it is stored.

        Raises:
            InvalidRequestError: naming the field `url` and what is wrong with it.
        """
        normal = self.policy.check_url(url)
        host = URL(normal).host or ""
        if not _is_address(host) and not await self._leads_somewhere(host):
            # The same answer for a name that is unknown and for one that is private, so
            # that nobody learns the names of our own network here.
            raise invalid("url", "URL_NOT_RESOLVABLE", "must resolve to a public address")
        return normal

    async def _leads_somewhere(self, host: str) -> bool:
        try:
            addresses = await self.resolver.resolve(host)
        except NameNotFoundError:
            return False
        except (OSError, TimeoutError) as error:
            log.warning("lookup_failed", error=type(error).__name__)
            return True
        return any(map(self.policy.allows, addresses))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
