"""How many calls: a coarse limit for each address, then the limiter's exact one."""

from __future__ import annotations

from edge.gateway.headers import CLIENT_ADDRESS, header_matches, skip_when
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension, seconds, set_header, typed
from portico_contract import Method
from portico_contract.limit_categories import BY_ADDRESS, BY_CORE, LimitCategory

# The limiter's filter, once for what fails open and once for what fails closed.
OPEN = "ratelimit.open"
CLOSED = "ratelimit.closed"
# Tells callers that nothing was counted.
NOTICE = "ratelimit.notice"
STATUS_HEADER = "x-ratelimit-status"
DOMAIN = "portico"

# The limiter sets it on a request that it has admitted; clients cannot.
_DECIDED_HEADER = "x-edge-limits"
_UNCOUNTED_HEADER = "x-edge-uncounted"

_FILTERS = "extensions.filters.http."
_ADDRESSES_REMEMBERED = 10_000
_NEVER_EMPTY = 1_000_000_000

# Nothing is counted, or the core charges it.
_NOT_HERE = frozenset({LimitCategory.UNLIMITED, *BY_CORE})


def address_filter(settings: GatewaySettings) -> Json:
    """Keeps one address from flooding what comes after it with guessed credentials.

    An IPv6 client counts as its /64 network, which one subscriber usually owns.
    """
    return extension(
        "envoy.filters.http.local_ratelimit",
        f"{_FILTERS}local_ratelimit.v3.LocalRateLimit",
        stat_prefix="address",
        filter_enabled=_always("address_limit_enabled"),
        filter_enforced=_always("address_limit_enforced"),
        # The bucket that all addresses share must never be the one that runs dry.
        token_bucket=_bucket(_NEVER_EMPTY, _NEVER_EMPTY),
        max_dynamic_descriptors=_ADDRESSES_REMEMBERED,
        rate_limits=[
            {"actions": [{"masked_remote_address": {"v6_prefix_mask_len": 64}}]},
        ],
        descriptors=[
            {
                # No value: each address gets a bucket of its own.
                "entries": [{"key": "masked_remote_address"}],
                "token_bucket": _bucket(2 * settings.address_rate, settings.address_rate),
            }
        ],
        rate_limited_as_resource_exhausted=True,
        response_headers_to_add=[set_header("retry-after", "1")],
    )


def _always(key: str) -> Json:
    return {"runtime_key": key, "default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def _bucket(size: int, per_second: int) -> Json:
    return {"max_tokens": size, "tokens_per_fill": per_second, "fill_interval": "1s"}


def limiter_filters(settings: GatewaySettings) -> list[Json]:
    """Asks edge/ratelimit; it counts, and sets the rate-limit headers of the answer itself.

    The same filter twice: a route uses the one whose way of failing suits it.
    What strangers guess at is refused when nothing can be counted; the rest is
    let through, and the last filter says so on the answer.
    """
    return [
        _limiter_filter(OPEN, settings, deny=False),
        _limiter_filter(CLOSED, settings, deny=True),
        _notice(),
    ]


def _limiter_filter(name: str, settings: GatewaySettings, *, deny: bool) -> Json:
    return extension(
        name,
        f"{_FILTERS}ratelimit.v3.RateLimit",
        domain=DOMAIN,
        timeout=seconds(settings.limiter_timeout),
        failure_mode_deny=deny,
        status_on_error={"code": "ServiceUnavailable"},
        rate_limited_as_resource_exhausted=True,
        disable_x_envoy_ratelimited_header=True,
        # Counted by Envoy as ratelimit_open.failure_mode_allowed, ratelimit_closed.error, ...
        stat_prefix=name.replace(".", "_"),
        rate_limit_service={
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "ratelimit"}},
        },
    )


def _notice() -> Json:
    """Steps aside once the limiter has marked a request; routes say what it adds otherwise."""
    nothing = typed(f"{_FILTERS}header_mutation.v3.HeaderMutation")
    return skip_when(NOTICE, header_matches(_DECIDED_HEADER, ".+"), nothing)


def _notice_policy() -> Json:
    """Answers pass the filter even if their request never came this far; it leaves a mark then."""
    mark = set_header(_UNCOUNTED_HEADER, "unavailable")
    told = set_header(STATUS_HEADER, f"%REQ({_UNCOUNTED_HEADER})%")
    return typed(
        f"{_FILTERS}header_mutation.v3.HeaderMutationPerRoute",
        mutations={
            "request_mutations": [{"append": mark}],
            "response_mutations": [{"append": told}],
        },
    )


def limit_policy(method: Method) -> dict[str, Json]:
    """The one descriptor that a call of this method sends, and how much it takes."""
    if method.category in _NOT_HERE:
        return {}
    cost = {"hits_addend": {"number": method.cost}}
    category = _charged(method.category)
    by_address = {"actions": [_address_of(anyone=_charges_address(method)), category]}
    descriptors = [{**by_address, **cost}]
    if not _charges_address(method):
        descriptors.insert(0, {"actions": [*_caller(), category], **cost})
    policy = typed(f"{_FILTERS}ratelimit.v3.RateLimitPerRoute", rate_limits=descriptors)
    if _charges_address(method):
        return {CLOSED: policy}
    return {OPEN: policy, NOTICE: _notice_policy()}


def form_limit_policy(category: LimitCategory) -> dict[str, Json]:
    """What a form on a page costs the client's address: what the API takes for the same thing."""
    actions = [_address_of(anyone=True), _charged(category)]
    descriptor = {"actions": actions, "hits_addend": {"number": 1}}
    policy = typed(f"{_FILTERS}ratelimit.v3.RateLimitPerRoute", rate_limits=[descriptor])
    if category in BY_ADDRESS:
        return {CLOSED: policy}
    return {OPEN: policy, NOTICE: _notice_policy()}


def _charges_address(method: Method) -> bool:
    return method.category in BY_ADDRESS


def _caller() -> list[Json]:
    """The verified caller. Without a subject there is no descriptor; the rest may be absent."""
    optional = {"skip_if_absent": True}
    return [
        _header("subject"),
        _header("tier"),
        *(
            {"request_headers": {**_header(name)["request_headers"], **optional}}
            for name in ("organization", "application", "limits")
        ),
    ]


def _header(name: str) -> Json:
    return {"request_headers": {"header_name": f"x-auth-{name}", "descriptor_key": name}}


def _address_of(*, anyone: bool) -> Json:
    """The client's address: of a caller without a verified name, or of anyone."""
    if anyone:
        return {"generic_key": {"descriptor_key": "address", "descriptor_value": CLIENT_ADDRESS}}
    return {
        "header_value_match": {
            "descriptor_key": "address",
            "descriptor_value": CLIENT_ADDRESS,
            "expect_match": False,
            "headers": [{"name": "x-auth-subject", "present_match": True}],
        }
    }


def _charged(category: LimitCategory) -> Json:
    """The budget. The core itself limits password resets, by email; the address pays a write."""
    charged = LimitCategory.WRITE if category is LimitCategory.PASSWORD_RESET else category
    return {"generic_key": {"descriptor_key": "category", "descriptor_value": charged.value}}
