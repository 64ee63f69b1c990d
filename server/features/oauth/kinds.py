"""The kinds of access tokens that the OAuth server issues (RFC 9068)."""

from __future__ import annotations

from dataclasses import dataclass

from portico_kit.jwt import TokenKind
from portico_kit.oauth_metadata import issuer_of

MEDIA_TYPE = "at+jwt"


@dataclass(frozen=True, slots=True)
class OAuthKinds:
    """The kinds, which have the issuer's name in them.

    Attributes:
        issuer: the URL by which clients know the server; also the resource that our API is.
        application: of an application that acts for itself.
        grant: of an application that acts for a person.
    """

    issuer: str
    application: TokenKind
    grant: TokenKind

    @classmethod
    def of(cls, public_url: str) -> OAuthKinds:
        """The kinds of a platform."""
        issuer = issuer_of(public_url)

        def kind(name: str, *required: str) -> TokenKind:
            return TokenKind(name, issuer, MEDIA_TYPE, ("client_id", *required), issuer)

        return cls(issuer, kind("application"), kind("grant", "gid"))
