"""Whether a provider's word for an email address counts. Pure rules."""

from __future__ import annotations

from server.features.connections.oidc.client import ProviderAccount
from server.features.connections.presets import PRESETS
from server.features.connections.read_models import ConnectionView

ANY_DOMAIN = "*"


def domain_of(email: str) -> str:
    """What stands behind the @."""
    return email.rpartition("@")[2]


def says_verified(connection: ConnectionView, found: ProviderAccount) -> bool:
    """Whether the provider vouches for the address.

    Entra ID has no such claim. For an organization that has proven the domain its own
    directory is the authority all the same; for everybody else an address of Entra's is what
    an administrator of any tenant has typed in.
    """
    if PRESETS[connection.preset].never_trusted:
        return connection.organization_id is not None
    return found.email_verified


def is_trusted(connection: ConnectionView, found: ProviderAccount, *, proven: bool) -> bool:
    """Whether an account may be opened or joined by the address alone.

    Args:
        found: with the address in its normal form.
        proven: whether the connection's organization has proven the domain.
    """
    if not says_verified(connection, found):
        return False
    if connection.organization_id is not None:
        return proven
    preset, domain = PRESETS[connection.preset], domain_of(found.email)
    if preset.never_trusted:
        return False
    if preset.confirms_hosted_domain and found.hosted_domain.lower() == domain:
        return True
    if domain in preset.own_domains or domain in connection.trusted_domains:
        return True
    return ANY_DOMAIN in connection.trusted_domains
