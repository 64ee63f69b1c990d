"""The policy of organizations: what each role may do, who may grant it, and how slugs are made."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import timedelta

from server.organizations.errors import RoleNotGrantableError

OWNER = "owner"
# Who is informed of what concerns the whole organization.
MANAGERS = (OWNER, "admin")

_VIEWER = frozenset({"organization:read", "members:read", "keys:read", "webhooks:read"})
_MEMBER = _VIEWER | {"keys:write", "webhooks:write"}
_ADMIN = _MEMBER | {"organization:write", "members:write"}
_OWNER = _ADMIN | {"organization:delete"}

# The one place that says what a role may do.
ROLES: Mapping[str, frozenset[str]] = {
    OWNER: _OWNER,
    "admin": _ADMIN,
    "member": _MEMBER,
    "viewer": _VIEWER,
}

INVITATION_LIFETIME = timedelta(days=7)

SLUG_LENGTH = 50
SLUG_SHORTEST = 2
SLUG_CANDIDATES = 5
SUFFIX_LENGTH = 6
SUFFIX_ALPHABET = string.ascii_lowercase + string.digits
# For a name with nothing in it that an address can hold.
SLUG_OF_NAMELESS = "organization"


def require_grantable(role: str, held: frozenset[str]) -> None:
    """Lets a role be granted or taken only by those who may do all that it allows.

    Args:
        held: the caller's permissions in the organization.

    Raises:
        RoleNotGrantableError: if the role allows more.
    """
    if not ROLES[role] <= held:
        raise RoleNotGrantableError(role=role)


def may_invite(role: str, held: frozenset[str]) -> bool:
    """Whether who holds these permissions may invite somebody to a role."""
    return ROLES[role] | {"members:write"} <= held


def slug_candidates(name: str) -> Iterator[str]:
    """Slugs for a name, the best first: the name itself, then with random suffixes."""
    slug = _slug(name)
    yield slug
    for _ in range(SLUG_CANDIDATES - 1):
        suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
        yield f"{slug[: SLUG_LENGTH - SUFFIX_LENGTH - 1].rstrip('-')}-{suffix}"


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-")
    return slug if len(slug) >= SLUG_SHORTEST else SLUG_OF_NAMELESS
