"""What a sign-in would do, for tests of connections: looked up, and nothing of it done."""

from __future__ import annotations

from dataclasses import dataclass, replace

from portico_kit.call import Call
from server.common.email_addresses import is_writable, normal_email
from server.features.connections.oidc.checks import Checks
from server.features.connections.oidc.client import ProviderAccount
from server.features.connections.read_models import ConnectionView
from server.features.connections.repository import IdentityRepository
from server.features.connections.trust import domain_of, is_trusted, says_verified
from server.features.domains.facade import Domains


@dataclass(frozen=True, slots=True)
class Preview:
    """Says how a connection would treat somebody who has signed in at the provider.

    Of other people's accounts it says nothing: who tests may not know of them.
    """

    domains: Domains

    async def note(
        self, connection: ConnectionView, found: ProviderAccount, checks: Checks, call: Call
    ) -> None:
        """Adds the checks of the account to those of the tokens."""
        email = normal_email(found.email)
        found = replace(found, email=email)
        checks.note("email", is_writable(email), f"the email address is {email!r}")
        verified = says_verified(connection, found)
        checks.note("email_verified", verified, "the provider vouches for the address")
        proven = await self._is_proven(connection, email)
        if connection.organization_id is not None:
            domain = domain_of(email)
            checks.note("domain", proven, f"{domain!r} is a domain of the organization")
        trusted = is_trusted(connection, found, proven=proven)
        checks.note("trusted", trusted, "the provider is trusted for this address")
        second = connection.shows_second_factor(found.amr, found.acr)
        said = f"amr is {list(found.amr)}, acr is {found.acr!r}"
        if connection.trusts_second_factor:
            checks.note("second_factor", second, said)
        repository = IdentityRepository(call.db)
        known = await repository.find(connection.organization_id, found.issuer, found.subject)
        linked = "is linked" if known else "is not linked yet"
        checks.note("identity", True, f"the subject {found.subject!r} {linked}")

    async def _is_proven(self, connection: ConnectionView, email: str) -> bool:
        if connection.organization_id is None:
            return False
        return await self.domains.owner(domain_of(email)) == connection.organization_id
