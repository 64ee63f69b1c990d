"""Pure rules about accounts."""

from __future__ import annotations

from collections.abc import Mapping

# What each part on the platform allows, beyond what everyone may do.
ROLE_PERMISSIONS: Mapping[str, frozenset[str]] = {
    "user": frozenset(),
    "administrator": frozenset(
        {
            *("users:read", "users:write", "limits:read", "limits:write"),
            *("keys:import", "organizations:write"),
            *("connections:read", "connections:write"),
            "applications:trust",
        }
    ),
}
