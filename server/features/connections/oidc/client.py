"""Our side of the authorization code flow: what is sent, and how a client shows who it is."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote_plus
from uuid import uuid4

from yarl import URL

from server.features.connections.oidc.checks import ProviderFailedError
from server.features.connections.oidc.client_keys import ClientKey

ASSERTION_LIFETIME = timedelta(minutes=1)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# How a provider is asked: by parameters in the address, by a request object in their place, or by
# the address of one.
PARAMETERS, REQUEST, REQUEST_URI = "parameters", "request", "request_uri"


@dataclass(frozen=True, slots=True)
class Client:
    """Us, as a provider knows us.

    Attributes:
        secret: the client secret; "" for none.
        authentication: how the client shows who it is; "" as the provider says.
        tenants: those of Microsoft that may sign in; any if there are none.
        key: the private key with which it signs, as PEM; "" for none.
        request_mode: how the provider is asked.
        userinfo_algorithm: with which the provider signs user info; "" if it does not.
    """

    preset: str
    issuer: str
    client_id: str
    secret: str = field(repr=False)
    authentication: str
    scopes: Sequence[str]
    tenants: frozenset[str]
    redirect_uri: str
    key: str = field(default="", repr=False)
    request_mode: str = PARAMETERS
    userinfo_algorithm: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one sign-in is bound to."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """The hash of the verifier (RFC 7636, section 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider has sent back through the browser."""

    code: str = field(repr=False)
    iss: str


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """Somebody's account at a provider, as it has just signed in.

    Attributes:
        subject: tells it from all others of the issuer, for ever.
        email: "" if the provider says none.
        email_verified: whether the provider says that the address is theirs.
        hosted_domain: the domain for which Google manages the account, or "".
        session: the provider's own session, or "".
        token_subject: the subject as tokens have it, if another one tells accounts apart.
        auth_time: when the provider asked who it is, in seconds since 1970; None if it does not
            say.
        id_token: by which the provider recognizes the session when the person signs out.
    """

    issuer: str
    subject: str
    email: str = field(default="", repr=False)
    email_verified: bool = False
    name: str = field(default="", repr=False)
    hosted_domain: str = ""
    amr: Sequence[str] = ()
    acr: str = ""
    session: str = field(default="", repr=False)
    token_subject: str = ""
    auth_time: float | None = None
    id_token: str = field(default="", repr=False)


def authorization_url(
    endpoint: str,
    client: Client,
    attempt: Attempt,
    scopes: Sequence[str],
    hint: str,
    max_age: timedelta | None = None,
) -> str:
    """Where to send the browser; see `authorization_request`."""
    asked = authorization_request(client, attempt, scopes, hint, max_age)
    return str(URL(endpoint).update_query(asked))


def authorization_request(
    client: Client,
    attempt: Attempt,
    scopes: Sequence[str],
    hint: str,
    max_age: timedelta | None = None,
) -> dict[str, str]:
    """What a provider is asked for.

    Args:
        max_age: within which the provider must have asked the person who they are; it is to
            ask in any case. None for a sign-in, which is as the provider likes.
    """
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": " ".join(dict.fromkeys([*scopes, *client.scopes])),
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": attempt.challenge,
        "code_challenge_method": "S256",
    }
    if hint:
        asked["login_hint"] = hint
    if max_age is not None:
        # Some know one and some the other (OpenID Connect Core, section 3.1.2.1).
        asked |= {"prompt": "login", "max_age": str(int(max_age.total_seconds()))}
    return asked


def code_form(client: Client, attempt: Attempt, code: str) -> dict[str, str]:
    """What the token endpoint is asked for."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": attempt.verifier,
    }


def authenticated(
    client: Client,
    form: Mapping[str, str],
    supported: Sequence[str],
    audience: str,
    now: datetime,
) -> tuple[dict[str, str], dict[str, str]]:
    """The form and the headers of a request with which the client shows who it is.

    Args:
        supported: the ways that the provider knows.
        audience: whom an assertion is for.
    """
    sent = {**form, "client_id": client.client_id}
    match client.authentication or _chosen(client, supported):
        case "client_secret_post":
            return {**sent, "client_secret": client.secret}, {}
        case "private_key_jwt":
            assertion = _assertion(client, audience, now)
            more = {"client_assertion": assertion, "client_assertion_type": ASSERTION_TYPE}
            return {**sent, **more}, {}
        case "none":
            return sent, {}
    # Each half is encoded as in a form first (RFC 6749, section 2.3.1).
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
    basic = base64.b64encode(pair.encode()).decode()
    return dict(form), {"authorization": f"Basic {basic}"}


def _chosen(client: Client, supported: Sequence[str]) -> str:
    if not client.secret:
        return "none"
    known = [name for name in ("client_secret_basic", "client_secret_post") if name in supported]
    return known[0] if known else "client_secret_basic"


def _assertion(client: Client, audience: str, now: datetime) -> str:
    """A token of ours that shows who the client is (RFC 7523, section 3)."""
    try:
        key = ClientKey.read(client.key)
    except ValueError as error:
        raise ProviderFailedError("the client's private key cannot be read") from error
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "jti": str(uuid4()),
        "iat": int(now.timestamp()),
        "exp": int((now + ASSERTION_LIFETIME).timestamp()),
    }
    return key.sign(claims)
