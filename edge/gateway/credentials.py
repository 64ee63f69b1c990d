"""Who calls: tokens are verified, API keys exchanged, and nothing else gets through.

Three filters in this order. jwt_authn verifies a token if there is one. rbac
refuses, cheaply, a call that has neither a verified token nor an API key.
ext_authz asks edge/authorize for the token that stands for an API key. Without
a policy of its own a route gets all three: the default is closed.
"""

from __future__ import annotations

from edge.gateway import kinds
from edge.gateway.headers import ADDRESS_HEADER, header_matches, skip_when
from edge.gateway.kinds import ClientToken
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension, seconds, typed
from portico_contract import AccessRule, Method

JWT_AUTHN = "envoy.filters.http.jwt_authn"
RBAC = "envoy.filters.http.rbac"
EXT_AUTHZ = "envoy.filters.http.ext_authz"
JWKS_PATH = "/.well-known/jwks.json"

_FILTERS = "extensions.filters.http."
# Longer than edge/authorize waits for the core, so that its own answer is the one that is seen.
_AUTHORIZE_TIMEOUT = 2.5
_CLOCK_SKEW_SECONDS = 15
_TOKENS_REMEMBERED = 4096

# What edge/authorize reads of a request.
_TOLD = ("x-api-key", "x-request-id", ADDRESS_HEADER)

_DEMANDED = "demanded"
_WELCOME = "welcome"

_VERIFIED_SUBJECT = {
    "filter": JWT_AUTHN,
    "path": [{"key": "jwt"}, {"key": "sub"}],
    "value": {"present_match": True},
}


def credential_filters(settings: GatewaySettings) -> list[Json]:
    """The three filters, in their order."""
    return [jwt_filter(settings), rbac_filter(), authorize_filter()]


def jwt_filter(settings: GatewaySettings) -> Json:
    """Verifies a bearer token against the published keys.

    A route says which requirement holds: `demanded` refuses a bad token,
    `welcome` ignores it. Neither needs a token to be there; that is for rbac.
    """
    tokens = [{"provider_name": kind.provider} for kind in kinds.TOKENS]

    def any_of(otherwise: str) -> Json:
        return {"requires_any": {"requirements": [*tokens, {otherwise: {}}]}}

    return extension(
        JWT_AUTHN,
        f"{_FILTERS}jwt_authn.v3.JwtAuthentication",
        bypass_cors_preflight=True,
        providers={kind.provider: _provider(kind, settings) for kind in kinds.TOKENS},
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
        "require_expiration": True,
        "clock_skew_seconds": _CLOCK_SKEW_SECONDS,
        # A verified token is not verified again, which is a third of what Envoy spends on
        # a request. So it passes here until it expires, even if its key is taken back
        # meanwhile; the core, which trusts nothing that we say of it, refuses it then.
        "jwt_cache_config": {"jwt_cache_size": _TOKENS_REMEMBERED},
        "forward": True,
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "payload_in_metadata": "jwt",
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


def rbac_filter() -> Json:
    """Refuses a call without any credential, without asking anybody."""
    no_key = {"not_id": {"header": {"name": "x-api-key", "present_match": True}}}
    no_token = {"not_id": {"sourced_metadata": {"metadata_matcher": _VERIFIED_SUBJECT}}}
    anonymous = {
        "permissions": [{"any": True}],
        "principals": [{"and_ids": {"ids": [no_key, no_token]}}],
    }
    return extension(
        RBAC,
        f"{_FILTERS}rbac.v3.RBAC",
        rules={"action": "DENY", "policies": {"anonymous": anonymous}},
    )


def authorize_filter() -> Json:
    """Exchanges an API key for a token; asked only when there is a key and no verified token."""
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
    no_key = {"not_matcher": header_matches("x-api-key", ".*")}
    return skip_when(EXT_AUTHZ, no_key, service)


def credential_policy(method: Method) -> dict[str, Json]:
    """What the three filters do on a method's route.

    Only settings of the filters themselves: Envoy's general switch for a
    filter is read once, on the route before transcoding, and would open every
    REST call at once.
    """
    if method.access is AccessRule.PUBLIC:
        return {**unguarded(), JWT_AUTHN: _requirement(_WELCOME)}
    context = {"rpc": method.path, "permission": method.permission}
    return {
        JWT_AUTHN: _requirement(_DEMANDED),
        EXT_AUTHZ: typed(
            f"{_FILTERS}ext_authz.v3.ExtAuthzPerRoute",
            check_settings={"context_extensions": context},
        ),
    }


def _requirement(name: str) -> Json:
    return typed(f"{_FILTERS}jwt_authn.v3.PerRouteConfig", requirement_name=name)


def unguarded() -> dict[str, Json]:
    """For routes that show nobody's data: no credential is looked at."""
    return {
        JWT_AUTHN: typed(f"{_FILTERS}jwt_authn.v3.PerRouteConfig", disabled=True),
        RBAC: typed(f"{_FILTERS}rbac.v3.RBACPerRoute"),
        EXT_AUTHZ: typed(f"{_FILTERS}ext_authz.v3.ExtAuthzPerRoute", disabled=True),
    }
