"""How the slugs of organizations are made, and which ones nobody can choose."""

from __future__ import annotations

import re
import secrets
import string
import unicodedata
from collections.abc import Iterator

from portico_kit.errors import FieldViolation, InvalidRequestError

SLUG_LENGTH = 50
SLUG_SHORTEST = 2
SLUG_CANDIDATES = 5
SUFFIX_LENGTH = 6
SUFFIX_ALPHABET = string.ascii_lowercase + string.digits
# What has a meaning of its own where slugs stand in addresses: below a domain or in a path.
RESERVED_SLUGS = frozenset(
    {
        "about", "abuse", "account", "accounts", "admin", "administrator", "all", "api",
        "api-keys", "app", "apps", "assets", "auth", "autoconfig", "autodiscover", "billing",
        "blog", "callback", "cdn", "contact", "dashboard", "dev", "developer", "developers",
        "docs", "download", "edit", "email", "events", "favicon", "ftp", "git", "graphql", "grpc",
        "health", "healthz", "help", "home", "hostmaster", "http", "https", "imap", "info",
        "internal", "invitations", "invite", "join", "legal", "localhost", "login", "logout",
        "mail", "me", "members", "metrics", "my", "new", "noreply", "no-reply", "ns1", "ns2",
        "null", "oauth", "openapi", "organization", "organizations", "orgs", "pop", "portico",
        "postmaster", "pricing", "privacy", "public", "register", "root", "security", "self",
        "settings", "signin", "sign-in", "signup", "sign-up", "sitemap", "smtp", "sso", "staff",
        "static", "status", "support", "system", "team", "teams", "terms", "test", "undefined",
        "user", "users", "v1", "v2", "webhooks", "webmaster", "well-known", "wpad", "www",
    }
)  # fmt: skip
# For a name with nothing in it that an address can hold.
SLUG_OF_NAMELESS = "organization"


def require_free_to_choose(slug: str) -> None:
    """Lets nobody choose a slug that has a meaning of its own.

    Raises:
        InvalidRequestError: if it has.
    """
    if slug in RESERVED_SLUGS:
        violation = FieldViolation("slug", "SLUG_RESERVED", "is a reserved word")
        raise InvalidRequestError(violations=(violation,))


def slug_candidates(name: str) -> Iterator[str]:
    """Slugs for a name, the best first: the name itself, then with random suffixes."""
    slug = _slug(name)
    if slug not in RESERVED_SLUGS:
        yield slug
    for _ in range(SLUG_CANDIDATES - 1):
        suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
        yield f"{slug[: SLUG_LENGTH - SUFFIX_LENGTH - 1].rstrip('-')}-{suffix}"


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-")
    return slug if len(slug) >= SLUG_SHORTEST else SLUG_OF_NAMELESS
