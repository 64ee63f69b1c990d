"""Looks up TXT records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.rdatatype import TXT
from dns.resolver import NXDOMAIN, NoAnswer, NoResolverConfiguration

from portico_kit.errors import UnavailableError

TIMEOUT = 5.0  # seconds, for everything
MOST_RECORDS = 100


class TextRecords(Protocol):
    """Knows the TXT records of names."""

    async def texts(self, name: str) -> Sequence[str]:
        """The records of a name; none if there is no such name.

        Raises:
            UnavailableError: if no name server answers.
        """
        ...


class DnsTextRecords:
    """Asks name servers."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        """Takes the addresses of name servers; those of the operating system if none is given."""
        self._servers = servers
        self._port = port

    async def texts(self, name: str) -> Sequence[str]:
        """The records of a name; see `TextRecords`."""
        try:
            # Without the search list of this machine: a name is what it says.
            answer = await self._resolver().resolve(f"{name}.", TXT, search=False)
        except (NXDOMAIN, NoAnswer):
            return ()
        except (DNSException, OSError) as error:
            raise UnavailableError from error
        records = list(answer)[:MOST_RECORDS]
        return [b"".join(record.strings).decode(errors="replace") for record in records]

    def _resolver(self) -> Resolver:
        try:
            resolver = Resolver(configure=not self._servers)
        except NoResolverConfiguration as error:
            raise UnavailableError from error
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        resolver.lifetime = TIMEOUT
        return resolver
