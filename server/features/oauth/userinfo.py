"""What an application learns of a person (OpenID Connect Core, section 5.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from portico_kit.oauth_scopes import EMAIL, PROFILE
from server.features.users.facade import Account


def claims_of(account: Account, scopes: Collection[str]) -> Mapping[str, Any]:
    """The claims that scopes give, beside `sub`; each that a scope gives is there."""
    claims: dict[str, Any] = {}
    if PROFILE in scopes:
        claims["name"] = account.display_name
        claims["updated_at"] = int(account.view.updated_at.timestamp())
    if EMAIL in scopes:
        claims["email"] = account.email
        claims["email_verified"] = account.verified
    return claims
