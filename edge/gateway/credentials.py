"""Who calls: tokens are verified, API keys exchanged, and nothing else gets through.

Three filters in this order. jwt_authn verifies a token if there is one. rbac
refuses, cheaply, a call that has neither a verified token nor a credential for
edge/authorize, and an OAuth token whose scopes lack what the method needs.
ext_authz asks edge/authorize for the token that stands for an API key, or whether
a token that is bound to a key (DPoP) comes with a proof. Without a policy of its own
a route gets all three: the default is closed.
"""

from __future__ import annotations

import re

from edge.gateway import kinds
from edge.gateway.headers import (
    ADDRESS_HEADER,
    DPOP_CREDENTIAL_HEADER,
    header_matches,
    skip_when,
)
from edge.gateway.kinds import ClientToken, OAuthToken
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension, seconds, typed
from portico_contract import AccessRule, Method
from portico_kit.client_certificates import CERTIFICATE_HEADER, PROXY_SECRET_HEADER
from portico_kit.oauth_metadata import resource_metadata_url

JWT_AUTHN = "envoy.filters.http.jwt_authn"
RBAC = "envoy.filters.http.rbac"
EXT_AUTHZ = "envoy.filters.http.ext_authz"
JWKS_PATH = "/.well-known/jwks.json"
# What local replies read of a route: the scope that its method needs.
ACCESS_METADATA = "portico.access"
NEEDED_SCOPE = f"%METADATA(ROUTE:{ACCESS_METADATA}:scope)%"

_FILTERS = "extensions.filters.http."
# Longer than edge/authorize waits for the core, so that its own answer is the one that is seen.
_AUTHORIZE_TIMEOUT = 2.5
_CLOCK_SKEW_SECONDS = 15
_TOKENS_REMEMBERED = 4096

# What edge/authorize reads of a request. The transcoder keeps its first path, for which a proof
# is made.
_TOLD = (
    "x-api-key",
    "x-request-id",
    ADDRESS_HEADER,
    DPOP_CREDENTIAL_HEADER,
    "dpop",
    CERTIFICATE_HEADER,
    PROXY_SECRET_HEADER,
    "x-envoy-original-path",
    "x-envoy-original-method",
)

_DEMANDED = "demanded"
_WELCOME = "welcome"

# Where jwt_authn puts the claims of a token, by whose it is; those of an OAuth token have a
# place of their own, and so has its header.
_CLAIMS, _OAUTH_CLAIMS, _OAUTH_HEADER = "jwt", "oauth", "oauth_header"


def _claim(place: str, name: str, value: Json | None = None) -> Json:
    """Matches what jwt_authn has put somewhere; by default, that it is there at all."""
    return {
        "filter": JWT_AUTHN,
        "path": [{"key": place}, {"key": name}],
        "value": value or {"present_match": True},
    }


_VERIFIED_SUBJECT = _claim(_CLAIMS, "sub")


def challenge(settings: GatewaySettings) -> str:
    """The value of WWW-Authenticate (RFC 6750, section 3; RFC 9728, section 5.1)."""
    metadata = resource_metadata_url(settings.origin)
    return f'Bearer realm="portico", resource_metadata="{metadata}"'


def invalid_token(settings: GatewaySettings) -> str:
    """The same where a token was there."""
    return f'{challenge(settings)}, error="invalid_token"'


def credential_filters(settings: GatewaySettings) -> list[Json]:
    """The three filters, in their order."""
    return [jwt_filter(settings), rbac_filter(settings), authorize_filter()]


def jwt_filter(settings: GatewaySettings) -> Json:
    """Verifies a bearer token against the published keys.

    A route says which requirement holds: `demanded` refuses a bad token,
    `welcome` ignores it. Neither needs a token to be there; that is for rbac.
    """
    tokens = [{"provider_name": kind.provider} for kind in (*kinds.TOKENS, kinds.OAUTH)]

    def any_of(otherwise: str) -> Json:
        return {"requires_any": {"requirements": [*tokens, {otherwise: {}}]}}

    return extension(
        JWT_AUTHN,
        f"{_FILTERS}jwt_authn.v3.JwtAuthentication",
        bypass_cors_preflight=True,
        providers={
            **{kind.provider: _provider(kind, settings) for kind in kinds.TOKENS},
            kinds.OAUTH.provider: _oauth_provider(kinds.OAUTH, settings),
        },
        requirement_map={
            _DEMANDED: any_of("allow_missing"),
            _WELCOME: any_of("allow_missing_or_failed"),
        },
    )


def _provider(kind: ClientToken, settings: GatewaySettings) -> Json:
    claims = {kind.charged: "subject", "tier": "tier", "org": "organization"}
    return {
        "issuer": settings.issuer,
        "audiences": [kind.audience],
        "payload_in_metadata": _CLAIMS,
        **_verification(settings, claims),
    }


def _oauth_provider(kind: OAuthToken, settings: GatewaySettings) -> Json:
    claims = {
        kind.charged: "subject",
        "tier": "tier",
        "org": "organization",
        kind.application: "application",
    }
    return {
        "issuer": settings.origin,
        # Envoy compares without scheme and slash; rbac compares all of it.
        "audiences": [settings.origin],
        "payload_in_metadata": _OAUTH_CLAIMS,
        "header_in_metadata": _OAUTH_HEADER,
        **_verification(settings, claims),
    }


def _verification(settings: GatewaySettings, claims: dict[str, str]) -> Json:
    """How every kind of token is verified.

    Args:
        claims: by claim, the header that the filters below read it from.
    """
    return {
        "require_expiration": True,
        "clock_skew_seconds": _CLOCK_SKEW_SECONDS,
        # A verified token is not verified again, which is a third of what Envoy spends on
        # a request. So it passes here until it expires, even if its key is taken back
        # meanwhile; the core, which trusts nothing that we say of it, refuses it then.
        "jwt_cache_config": {"jwt_cache_size": _TOKENS_REMEMBERED},
        "forward": True,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "claim_to_headers": [
            {"header_name": f"x-auth-{name}", "claim_name": claim} for claim, name in claims.items()
        ],
        "remote_jwks": {
            "http_uri": {
                "uri": f"http://portico{JWKS_PATH}",
                "cluster": "jwks",
                "timeout": "1s",
            },
            "cache_duration": seconds(settings.jwks_cache),
            # Fetched ahead of time, and again when it grows old: a key that was
            # taken back must stop working, which a file of keys never notices.
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "1s"},
        },
    }


def rbac_filter(settings: GatewaySettings) -> Json:
    """Refuses what needs nobody to be asked: see `_refusals`.

    On a route without a policy of its own no OAuth token passes.
    """
    return extension(RBAC, f"{_FILTERS}rbac.v3.RBAC", rules=_refusals(settings, None))


def _refusals(settings: GatewaySettings, method: Method | None) -> Json:
    """Who is refused, and why; Envoy takes the first that fits, by name.

    A session's token meets one look-up: that there is no OAuth token. What Envoy says of a
    refusal names its policy, by which replies.py finds the words.
    """
    needs_scope = method is not None and method.permission
    policies = {
        "anonymous_scope" if needs_scope else "anonymous": [
            _without(_KEY),
            _without(_SESSION),
            _without(_OAUTH),
            _without(_BOUND),
        ],
        "bound_token": [_OAUTH, _metadata(_claim(_OAUTH_CLAIMS, "cnf"))],
        "foreign_token": [_OAUTH, {"not_id": {"and_ids": {"ids": _access_token(settings)}}}],
        "two_credentials": [_KEY, {"or_ids": {"ids": [_OAUTH, _BOUND]}}],
    }
    if method is None or method.access is AccessRule.SIGNED_IN:
        policies["session_required"] = [_OAUTH]
    elif method.permission:
        policies["scope_required"] = [_OAUTH, _without(_scope(method.permission))]
    return {
        "action": "DENY",
        "policies": {
            name: {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": ids}}]}
            for name, ids in policies.items()
        },
    }


def _metadata(matcher: Json) -> Json:
    return {"sourced_metadata": {"metadata_matcher": matcher}}


def _without(principal: Json) -> Json:
    return {"not_id": principal}


_KEY: Json = {"header": {"name": "x-api-key", "present_match": True}}
_BOUND: Json = {"header": {"name": DPOP_CREDENTIAL_HEADER, "present_match": True}}
_SESSION = _metadata(_VERIFIED_SUBJECT)
_OAUTH = _metadata(_claim(_OAUTH_CLAIMS, "sub"))


def _access_token(settings: GatewaySettings) -> list[Json]:
    """What tells an access token for the API from all else that the same keys sign.

    An ID token above all: it has the same issuer, and a client may have any name.
    """
    oauth = kinds.OAUTH
    exact = {
        (_OAUTH_CLAIMS, "aud"): settings.origin,
        (_OAUTH_HEADER, "typ"): oauth.media_type,
        (_OAUTH_HEADER, "alg"): oauth.algorithm,
    }
    kind = {"safe_regex": {"regex": "|".join(oauth.kinds)}}
    application = _claim(_OAUTH_CLAIMS, oauth.application)
    return [
        *(
            _metadata(_claim(place, name, {"string_match": {"exact": text}}))
            for (place, name), text in exact.items()
        ),
        _metadata(_claim(_OAUTH_CLAIMS, "kind", {"string_match": kind})),
        _metadata(application),
    ]


def _scope(permission: str) -> Json:
    """Whether a permission is among the scopes: words of one text (RFC 6749, section 3.3)."""
    pattern = f"(.* )?{re.escape(permission)}( .*)?"
    value = {"string_match": {"safe_regex": {"regex": pattern}}}
    return _metadata(_claim(_OAUTH_CLAIMS, "scope", value))


def access_metadata(method: Method) -> Json:
    """What the answer to a token that lacks it names as its scope."""
    return {"scope": method.permission}


def authorize_filter() -> Json:
    """Exchanges an API key for a token, and checks tokens that are bound to a key.

    Asked only when there is one of them, and no verified token.
    """
    service = typed(
        f"{_FILTERS}ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        grpc_service={
            "envoy_grpc": {"cluster_name": "authorize"},
            "timeout": seconds(_AUTHORIZE_TIMEOUT),
        },
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        # The answer's headers feed the limiter; they must not choose another route.
        clear_route_cache=False,
        validate_mutations=True,
        allowed_headers={"patterns": [{"exact": name} for name in _TOLD]},
        filter_enabled_metadata={**_VERIFIED_SUBJECT, "invert": True},
    )
    nothing_to_ask = [
        {"not_matcher": header_matches(name, ".*")}
        for name in ("x-api-key", DPOP_CREDENTIAL_HEADER)
    ]
    return skip_when(EXT_AUTHZ, {"and_matcher": {"predicate": nothing_to_ask}}, service)


def credential_policy(method: Method, settings: GatewaySettings) -> dict[str, Json]:
    """What the three filters do on a method's route.

    Only settings of the filters themselves: Envoy's general switch for a
    filter is read once, on the route before transcoding, and would open every
    REST call at once.
    """
    if method.access is AccessRule.PUBLIC:
        return {**unguarded(), JWT_AUTHN: _requirement(_WELCOME)}
    context = {
        "rpc": method.path,
        "permission": method.permission,
        "access": method.access.value,
    }
    return {
        JWT_AUTHN: _requirement(_DEMANDED),
        RBAC: typed(f"{_FILTERS}rbac.v3.RBACPerRoute", rbac={"rules": _refusals(settings, method)}),
        EXT_AUTHZ: typed(
            f"{_FILTERS}ext_authz.v3.ExtAuthzPerRoute",
            check_settings={"context_extensions": context},
        ),
    }


def optional_credential_policy(method: Method, settings: GatewaySettings) -> dict[str, Json]:
    """The same for a route that may be entered without a credential, to present one later.

    One that is there is looked at like any other.
    """
    refusals = _refusals(settings, method)
    for name in ("anonymous", "anonymous_scope"):
        refusals["policies"].pop(name, None)
    rules = typed(f"{_FILTERS}rbac.v3.RBACPerRoute", rbac={"rules": refusals})
    return {**credential_policy(method, settings), RBAC: rules}


def _requirement(name: str) -> Json:
    return typed(f"{_FILTERS}jwt_authn.v3.PerRouteConfig", requirement_name=name)


def unguarded() -> dict[str, Json]:
    """For routes that show nobody's data: no credential is looked at."""
    return {
        JWT_AUTHN: typed(f"{_FILTERS}jwt_authn.v3.PerRouteConfig", disabled=True),
        RBAC: typed(f"{_FILTERS}rbac.v3.RBACPerRoute"),
        EXT_AUTHZ: typed(f"{_FILTERS}ext_authz.v3.ExtAuthzPerRoute", disabled=True),
    }
