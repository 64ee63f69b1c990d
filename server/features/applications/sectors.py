"""Which applications share their names for people (OpenID Connect Core, section 8.1).

A sector is a host, as the standard has it, within one organization: else an application of
another organization could learn the names by registering an address of the host, and getting
its tokens in a way that leads to no address, as devices do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from portico_kit.errors import FieldViolation, InvalidRequestError
from server.common.outbound_json import FetchFailedError, JsonClient

PUBLIC = "public"
PAIRWISE = "pairwise"


def names_of_people(
    application_id: UUID,
    organization_id: UUID,
    subject_type: str,
    sector_identifier_uri: str,
    redirect_uris: Sequence[str],
) -> str:
    """Which names an application knows people by; "" for those that all have in common.

    Applications for which this is equal have the same.
    """
    if subject_type != PAIRWISE:
        return ""
    hosts = hosts_of([sector_identifier_uri] if sector_identifier_uri else redirect_uris)
    # Of a device there is no address that others could have as well.
    return f"{organization_id} {min(hosts) if len(hosts) == 1 else application_id}"


def hosts_of(uris: Sequence[str]) -> frozenset[str]:
    """The hosts of addresses; of one with a scheme of its own the scheme."""
    return frozenset(map(_host, uris))


def _host(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        return parts.hostname or f"{parts.scheme}:"
    except ValueError:
        # The host is no address, though it has the brackets of one.
        return uri


@dataclass(frozen=True, slots=True)
class SectorDocument:
    """What was found at a sector identifier URI."""

    uri: str
    redirect_uris: frozenset[str]

    def require(self, uri: str, redirect_uris: Sequence[str]) -> None:
        """Refuses an application that is not of the sector (OpenID Connect Registration, 5).

        Args:
            uri: its sector identifier URI; "" for none.

        Raises:
            InvalidRequestError: if a redirect URI is not in the document.
        """
        # Somebody else may have changed the address meanwhile.
        if uri and uri != self.uri:
            raise _wrong("has just been changed; try again")
        if uri and not self.redirect_uris.issuperset(redirect_uris):
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
