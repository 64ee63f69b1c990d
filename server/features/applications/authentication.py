"""How a client proves who it is (RFC 6749, section 2.3; RFC 7523, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from server.features.applications.errors import InvalidClientError
from server.features.applications.kinds import NO_AUTHENTICATION, SECRET_METHODS
from server.features.applications.read_models import Client

PURPOSE = "application-secret"
# Longer ones are none of ours.
LONGEST_SECRET = 512  # characters

Method = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """What a client presents.

    Attributes:
        client_id: as it calls itself; "" if only an assertion says so.
        method: how it presents it.
        secret: of the two methods with a secret.
        assertion: of "private_key_jwt".
        audiences: what an assertion may be for: the issuer, and the address that it was sent to.
        certificate: of the TLS connection (DER); b"" if none is known.
    """

    client_id: str
    method: Method
    secret: str = field(default="", repr=False)
    assertion: str = field(default="", repr=False)
    audiences: tuple[str, ...] = ()
    certificate: bytes = field(default=b"", repr=False)

    @property
    def presents_nothing(self) -> bool:
        """Whether there is nothing but its name: an empty secret is none (RFC 6749, 2.3.1)."""
        return self.method == NO_AUTHENTICATION or (
            self.method in SECRET_METHODS and not self.secret
        )


@dataclass(frozen=True, slots=True)
class ClientSecrets:
    """Makes what is kept of client secrets, and holds presented ones against it."""

    secrets: Secrets
    clock: Clock

    def hash(self, secret: str) -> bytes:
        """What is kept of a secret. It is random, so a fast keyed hash is as good as a slow one."""
        return self.secrets.mac(PURPOSE, secret)

    def check(self, client: Client | None, request: ClientAuthentication) -> Client:
        """The client, with the secret that it presented; as much is done if there is none.

        Raises:
            InvalidClientError: if the secret is not good, or was not presented as agreed.
        """
        if len(request.secret) > LONGEST_SECRET or not request.secret.isascii():
            raise InvalidClientError
        presented = self.hash(request.secret)
        if client is None or not client.accepts_secret(presented, self.clock()):
            raise InvalidClientError
        if request.method != client.token_endpoint_auth_method:
            # Only who has the secret hears how it is to be presented.
            registered = f"the client is registered for {client.token_endpoint_auth_method}"
            raise InvalidClientError(error_description=registered)
        return client.presenting(presented)
