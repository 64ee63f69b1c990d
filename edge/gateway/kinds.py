"""The kinds of credentials that clients present; one line each.

The core has a table of its own, of those who know what a credential allows: the
authenticators of its features.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientToken:
    """Tokens that clients hold, and that Envoy verifies.

    Kinds that share an audience share a line. The core tells them apart.

    Attributes:
        provider: Envoy's name for them.
        audience: whom they are for; a token for anybody else is refused.
        charged: the claim that names whose budgets a request is charged to.
    """

    provider: str
    audience: str
    charged: str = "sub"


@dataclass(frozen=True, slots=True)
class OAuthToken:
    """Access tokens of the OAuth server (RFC 9068). Envoy verifies them, and holds their scopes
    against the method.

    Their issuer is the platform's public URL, and so is their audience: the API is the resource.

    Attributes:
        provider: Envoy's name for them.
        kinds: the values of the claim `kind`.
        media_type: the header `typ`, which ID tokens and other JWTs of the server do not have.
        algorithm: what signs them, and nothing else.
        charged: the claim that names whose budgets a request is charged to.
        application: the claim that names the application.
    """

    provider: str
    kinds: tuple[str, ...]
    media_type: str = "at+jwt"
    algorithm: str = "ES256"
    charged: str = "sub"
    application: str = "client_id"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Secrets that edge/authorize exchanges for a token of ours.

    Attributes:
        prefix: how those start that may come as a bearer token, besides in X-API-Key.
    """

    prefix: str


# Never the audience of the tokens that our edge gets in exchange for a secret: nobody
# outside presents those.
TOKENS = (ClientToken("portico", audience="portico"),)
OAUTH = OAuthToken("oauth", kinds=("application", "grant"))
SECRETS = (ClientSecret("pk_"),)
