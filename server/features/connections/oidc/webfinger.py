"""Which issuer is responsible for somebody (RFC 7033; OpenID Connect Discovery 1.0, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy
from server.features.connections.oidc.checks import ProviderFailedError
from server.features.connections.oidc.http import ProviderClient

ISSUER_RELATION = "http://openid.net/specs/connect/1.0/issuer"
WELL_KNOWN = "/.well-known/webfinger"
# As long as the issuer of a connection can be.
LONGEST_ISSUER = 500


@dataclass(frozen=True, slots=True)
class Resource:
    """Somebody or something, as WebFinger names it.

    Attributes:
        origin: of the server that is asked.
    """

    uri: str
    origin: str


@dataclass(frozen=True, slots=True)
class WebFinger:
    """Asks hosts who signs in their people."""

    http: ProviderClient
    policy: AddressPolicy

    async def issuer(self, identifier: str) -> str:
        """The issuer that an address, a host or a URL points to.

        Raises:
            ValueError: if the identifier is none of them.
            ProviderFailedError: saying why there is no issuer.
        """
        resource = self.resource(identifier)
        query = f"resource={quote(resource.uri, safe='')}&rel={quote(ISSUER_RELATION, safe='')}"
        answer = await self.http.get(f"{resource.origin}{WELL_KNOWN}?{query}")
        if answer.status != 200:
            raise ProviderFailedError(f"WebFinger was answered with {answer.status}")
        return self._checked(_issuer(answer.members))

    def resource(self, identifier: str) -> Resource:
        """What an identifier stands for (OpenID Connect Discovery 1.0, section 2.1.2).

        Raises:
            ValueError: if it stands for nothing.
        """
        text = identifier.strip().partition("#")[0]
        if text.startswith("acct:") or ("@" in text and "://" not in text):
            account = text.removeprefix("acct:")
            host = account.rpartition("@")[2]
            if not host or account == f"@{host}" or set(host) & set("/?"):
                raise ValueError("it is no email address")
            return Resource(f"acct:{account}", self._origin(host))
        url = text if "://" in text else f"{self._scheme(text)}://{text}"
        parts = urlsplit(url)
        if not parts.hostname or parts.username is not None or parts.scheme not in _SCHEMES:
            raise ValueError("it is no address of a host")
        return Resource(url, f"{parts.scheme}://{parts.netloc}")

    def _origin(self, host: str) -> str:
        return f"{self._scheme(host)}://{host}"

    def _scheme(self, host: str) -> str:
        """https; http for this machine where the policy allows that."""
        name = urlsplit(f"//{host}").hostname or ""
        local = self.policy.allow_loopback and (name == "localhost" or name.startswith("127."))
        return "http" if local else "https"

    def _checked(self, issuer: str) -> str:
        """The issuer, which may be anywhere, but not within our network."""
        try:
            self.policy.check_url(issuer)
        except InvalidRequestError as error:
            description = error.violations[0].description
            raise ProviderFailedError(f"the issuer of WebFinger {description}") from error
        if len(issuer) > LONGEST_ISSUER or set(issuer) & set("?#"):
            raise ProviderFailedError("the issuer of WebFinger is none")
        return issuer


_SCHEMES = ("https", "http")


def _issuer(descriptor: Mapping[str, Any]) -> str:
    """What a JSON Resource Descriptor links to."""
    links = descriptor.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == ISSUER_RELATION:
            found = link.get("href")
            if isinstance(found, str) and found:
                return found
    raise ProviderFailedError("WebFinger names no issuer")
