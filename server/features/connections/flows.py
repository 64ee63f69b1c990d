"""Connections as clients of their providers, and the flow that each of them speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from portico_kit.secrets import Secrets
from server.features.connections.oidc.checks import Checks
from server.features.connections.oidc.client import Attempt, Callback, Client, ProviderAccount
from server.features.connections.oidc.github import GitHubFlow
from server.features.connections.oidc.openid import OpenIdFlow
from server.features.connections.oidc.registration import KEY_JWT
from server.features.connections.read_models import ConnectionView

SECRET_PURPOSE = "connection-client-secret"  # noqa: S105 - the name of a purpose
KEY_PURPOSE = "connection-client-key"
HINT_PURPOSE = "connection-id-token"
LONGEST_HINT = 4096  # characters
CALLBACK_PATH = "/sign-in/callback"
LOGOUT_PATH = "/sign-in/backchannel-logout"
KEYS_PATH = "/api/v1/auth/federated/{connection_id}/jwks.json"
GITHUB = "github"


class HasKey(Protocol):
    """A connection, as a row or as it is read."""

    @property
    def client_authentication(self) -> str:
        """How the client shows who it is."""
        ...

    @property
    def sealed_client_secret(self) -> bytes | None:
        """The secret, or a private key that was brought along."""
        ...

    @property
    def sealed_client_key(self) -> bytes | None:
        """A private key that was made here."""
        ...


class Flow(Protocol):
    """Signs somebody in at a provider."""

    async def begin(
        self, client: Client, attempt: Attempt, hint: str, max_age: timedelta | None = None
    ) -> str:
        """Where to send the browser; see `authorization_url`."""
        ...

    async def complete(
        self, client: Client, attempt: Attempt, callback: Callback, now: datetime, checks: Checks
    ) -> ProviderAccount:
        """Who has signed in there."""
        ...


@dataclass(frozen=True, slots=True)
class Flows:
    """Knows how each connection signs in."""

    openid: OpenIdFlow
    github: GitHubFlow
    secrets: Secrets
    public_url: str

    def of(self, connection: ConnectionView) -> Flow:
        """The flow of a connection."""
        return self.github if connection.preset == GITHUB else self.openid

    def sealed_hint(self, id_token: str) -> bytes | None:
        """What is kept of an ID token; None if it is too long to stand in an address."""
        if not id_token or len(id_token) > LONGEST_HINT:
            return None
        return self.secrets.seal(HINT_PURPOSE, id_token.encode())

    def hint(self, sealed: bytes | None) -> str:
        """The ID token that was kept, or ""."""
        return self.secrets.unseal(HINT_PURPOSE, sealed).decode() if sealed else ""

    def client(self, connection: ConnectionView) -> Client:
        """Us, as the provider of a connection knows us."""
        sealed = connection.sealed_client_secret
        return Client(
            preset=connection.preset,
            issuer=connection.issuer,
            client_id=connection.client_id,
            secret=self.secrets.unseal(SECRET_PURPOSE, sealed).decode() if sealed else "",
            authentication=connection.client_authentication,
            scopes=connection.scopes,
            tenants=frozenset(connection.allowed_tenants),
            redirect_uri=self.public_url + CALLBACK_PATH,
            key=client_key(connection, self.secrets),
            request_mode=connection.authorization_request,
            userinfo_algorithm=connection.userinfo_signed_response_alg,
        )


def client_key(connection: HasKey, secrets: Secrets) -> str:
    """The private key with which a connection's client signs, as PEM, or ""."""
    brought = connection.sealed_client_secret
    if connection.client_authentication == KEY_JWT and brought is not None:
        return secrets.unseal(SECRET_PURPOSE, brought).decode()
    made = connection.sealed_client_key
    return secrets.unseal(KEY_PURPOSE, made).decode() if made is not None else ""
