"""The connection as a sign-in reads it, outside of any transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection, in the order of the columns of `repository.VIEW`."""

    id: UUID
    organization_id: UUID | None
    name: str
    preset: str
    issuer: str
    client_id: str
    sealed_client_secret: bytes | None = field(repr=False)
    client_authentication: str
    scopes: Sequence[str]
    allowed_tenants: Sequence[str]
    trusted_domains: Sequence[str]
    trusts_second_factor: bool
    second_factor_acrs: Sequence[str]
    member_role: str | None
    enabled: bool
    sealed_client_key: bytes | None = field(repr=False)
    authorization_request: str
    userinfo_signed_response_alg: str

    def shows_second_factor(self, amr: Sequence[str], acr: str) -> bool:
        """Whether the provider's word for a second factor counts, and it gives it."""
        return self.trusts_second_factor and ("mfa" in amr or acr in self.second_factor_acrs)


@dataclass(frozen=True, slots=True)
class IdentityView:
    """An identity with which its person can sign in once more, as `REAUTHENTICATING` has it."""

    id: UUID
    user_id: UUID
    connection_id: UUID
    email: str = field(repr=False)
