"""Which applications share their names for people (OpenID Connect Core, section 8.1).

A sector is a host, as the standard has it, within one organization: else an application of
another organization could learn the names by registering an address of the host, and getting
its tokens in a way that leads to no address, as devices do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from portico_kit.errors import FieldViolation, InvalidRequestError
from server.common.outbound_json import FetchFailedError, JsonClient

PUBLIC = "public"
PAIRWISE = "pairwise"


class Named(Protocol):
    """What the names depend on."""

    @property
    def id(self) -> UUID:
        """The ID of the application."""

    @property
    def organization_id(self) -> UUID:
        """Who owns it."""

    @property
    def subject_type(self) -> str:
        """ "public" or "pairwise"."""

    @property
    def sector_identifier_uri(self) -> str:
        """Whose host is the sector; "" if the redirect URIs say so."""

    @property
    def redirect_uris(self) -> Sequence[str]:
        """Where its people come back to."""


def names_of_people(application: Named) -> str:
    """Which names an application knows people by; "" for those that all have in common."""
    if application.subject_type != PAIRWISE:
        return ""
    uris = [application.sector_identifier_uri] if application.sector_identifier_uri else []
    hosts = hosts_of(uris or application.redirect_uris)
    # Of a device there is no address that others could have as well.
    return f"{application.organization_id} {min(hosts) if len(hosts) == 1 else application.id}"


def hosts_of(uris: Sequence[str]) -> frozenset[str]:
    """The hosts of addresses; of one with a scheme of its own the scheme."""
    parts = map(urlsplit, uris)
    return frozenset(each.hostname or f"{each.scheme}:" for each in parts)


@dataclass(frozen=True, slots=True)
class SectorDocument:
    """What was found at a sector identifier URI."""

    uri: str
    redirect_uris: frozenset[str]

    def require(self, application: Named) -> None:
        """Refuses an application that is not of the sector (OpenID Connect Registration, 5).

        Raises:
            InvalidRequestError: if a redirect URI is not in the document.
        """
        # Somebody else may have changed the address meanwhile.
        is_found = self.uri == application.sector_identifier_uri
        if application.sector_identifier_uri and not is_found:
            raise _wrong("has just been changed; try again")
        if not self.redirect_uris.issuperset(application.redirect_uris) and self.uri:
            raise _wrong("must be a list in which each of redirect_uris is")


NO_DOCUMENT = SectorDocument("", frozenset())


@dataclass(frozen=True, slots=True)
class SectorDocuments:
    """Fetches them."""

    client: JsonClient

    async def fetch(self, uri: str) -> SectorDocument:
        """The document at an address; an empty one if there is no address.

        Raises:
            InvalidRequestError: if there is none.
        """
        if not uri:
            return NO_DOCUMENT
        try:
            answer = await self.client.get(uri)
        except FetchFailedError as error:
            raise _wrong(f"cannot be used: {error.detail}") from error
        if answer.status != 200:
            raise _wrong(f"cannot be used: it was answered with {answer.status}")
        content = answer.content
        if not isinstance(content, list) or not all(isinstance(each, str) for each in content):
            raise _wrong("must be a JSON array of redirect URIs")
        return SectorDocument(uri, frozenset(content))


def _wrong(description: str) -> InvalidRequestError:
    violation = FieldViolation("sector_identifier_uri", "SECTOR_NOT_CONFIRMED", description)
    return InvalidRequestError(violations=(violation,))
