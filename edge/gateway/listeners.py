"""Listeners: the public one, and a private one from which Envoy fetches the published keys."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from edge.gateway import kinds
from edge.gateway.access_log import access_log
from edge.gateway.bodies import body_filter
from edge.gateway.credentials import (
    JWKS_PATH,
    challenge,
    credential_filters,
    invalid_token,
)
from edge.gateway.headers import (
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    edge_headers_filter,
    form_filter,
    forwarded_address,
    header_matches,
    request_id_filter,
    skip_when,
    strip_forged,
)
from edge.gateway.limits import address_filter, limiter_filters
from edge.gateway.replies import local_reply_config
from edge.gateway.routes import LUA, route_config
from edge.gateway.settings import GatewaySettings
from edge.gateway.transcoding import MAX_REQUEST_BYTES, transcoder_filter
from edge.gateway.typed import Json, extension, seconds, typed
from portico_contract import Method
from portico_kit.client_certificates import CERTIFICATE_HEADER, MEMBER

_FILTERS = "extensions.filters.http."
# A token in the form in which we issue it: "Bearer", and a header that is a JSON object.
_USUAL_CREDENTIAL = {"prefix": "Bearer ey"}
_RECEIVING_SECONDS = 30.0


def _marks(text: bytes) -> list[str]:
    """How a text looks within base64: one of three, by where it begins; whole characters only."""
    found = []
    for shift in range(3):
        whole = base64.urlsafe_b64encode(bytes(shift) + text).decode().rstrip("=")
        bits = 8 * (shift + len(text))
        found.append(whole[-(-8 * shift // 6) : bits // 6])
    return found


# Of the claims of a token that is bound to a certificate.
_CERTIFICATE_MARKS = _marks(f'"{MEMBER}"'.encode())
_COMPRESSED = ("application/json", "text/html", "text/css", "image/svg+xml")
_COMPRESSORS: dict[str, tuple[str, Json]] = {
    "gzip": ("gzip.compressor.v3.Gzip", {"compression_level": "COMPRESSION_LEVEL_4"}),
    "brotli": ("brotli.compressor.v3.Brotli", {"quality": 4}),
    "zstd": ("zstd.compressor.v3.Zstd", {"compression_level": 3}),
}


def listeners(methods: Sequence[Method], settings: GatewaySettings) -> list[Json]:
    """The public listener and the one for the keys."""
    return [public_listener(methods, settings), keys_listener(methods, settings)]


def public_listener(methods: Sequence[Method], settings: GatewaySettings) -> Json:
    """REST, gRPC and gRPC-Web on one port."""
    address = {"address": str(settings.rest_host), "port_value": settings.rest_port}
    return {
        "name": "public",
        # The one that closes first at a stop; the keys are still needed then.
        "traffic_direction": "INBOUND",
        "address": {"socket_address": address},
        # A full body has to fit, with room for its framing.
        "per_connection_buffer_limit_bytes": 2 * MAX_REQUEST_BYTES,
        "filter_chains": [_chain(**_public_connection(methods, settings))],
    }


def _public_connection(methods: Sequence[Method], settings: GatewaySettings) -> Json:
    return {
        "stat_prefix": "public",
        "route_config": route_config(methods, settings),
        "http_filters": public_filters(methods, settings),
        "local_reply_config": local_reply_config(settings),
        "access_log": [access_log(settings)],
        "early_header_mutation_extensions": _early_mutations(settings),
        "server_name": "portico",
        **_client_address(settings),
        **_request_id(),
        **_path_rules(),
        **_request_limits(settings),
    }


def _early_mutations(settings: GatewaySettings) -> list[Json]:
    hops = settings.trusted_hops
    return [strip_forged(settings), *([forwarded_address(hops)] if hops else [])]


def _client_address(settings: GatewaySettings) -> Json:
    return {"use_remote_address": True, "xff_num_trusted_hops": settings.trusted_hops}


def _request_id() -> Json:
    return {
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
    }


def _path_rules() -> Json:
    """One spelling for each path, so that nobody finds a second one around a rule."""
    return {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }


def _receiving(settings: GatewaySettings) -> float:
    """How long a request may take to arrive, in seconds.

    Less than its whole call, so that a body that is late is called so (408), and not the answer.
    """
    return min(_RECEIVING_SECONDS, settings.request_timeout * 0.9)


def _request_limits(settings: GatewaySettings) -> Json:
    """Bounds on what one client can hold: bytes, streams and time."""
    return {
        # Above our own limits by what the filters add; see form_filter.
        "max_request_headers_kb": 2 * MAX_HEADERS_BYTES // 1024,
        "request_headers_timeout": "10s",
        "request_timeout": seconds(_receiving(settings)),
        "stream_idle_timeout": "60s",
        "delayed_close_timeout": "1s",
        "drain_timeout": "5s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "max_headers_count": 2 * MAX_HEADERS,
            # x_auth_subject could pass for x-auth-subject further in.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        # An unknown verb is answered like a wrong one, with 405.
        "http_protocol_options": {
            "allow_custom_methods": True,
            # Proxies speak it to what is behind them unless they are told otherwise.
            "accept_http_10": True,
            "default_host_for_http_10": "portico",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
            # RFC 9113, section 8.1.1: a malformed request is an error of its stream alone.
            "override_stream_error_on_invalid_http_message": True,
        },
    }


def public_filters(methods: Sequence[Method], settings: GatewaySettings) -> list[Json]:
    """The chain. Requests pass it downwards, answers upwards; each place has its reason."""
    return [
        # First, so that every later answer is readable by an allowed page.
        extension("envoy.filters.http.cors", f"{_FILTERS}cors.v3.Cors"),
        # Sees every answer last, also those that Envoy makes below.
        edge_headers_filter(),
        request_id_filter(),
        # Before anything reads a header.
        form_filter(),
        # Above the compressors: what HEAD says of a body is true of the one that GET gets.
        request_filter(settings),
        # Above the envelope: what is compressed is what goes out.
        *(compressor(name) for name in _COMPRESSORS),
        # Above the transcoder: on the way back it finds JSON.
        envelope_filter(settings),
        # Before any credential is looked at: guessing them costs the guesser.
        address_filter(settings),
        # Above the transcoder, which passes over what it does not know.
        body_filter(settings),
        extension("envoy.filters.http.grpc_web", f"{_FILTERS}grpc_web.v3.GrpcWeb"),
        # Before any decision: from here on the path is the RPC's.
        transcoder_filter(methods, settings),
        *credential_filters(settings),
        # After them: it charges the caller that they found.
        *limiter_filters(settings),
        extension("envoy.filters.http.router", f"{_FILTERS}router.v3.Router"),
    ]


def request_filter(settings: GatewaySettings) -> Json:
    """Brings unusual requests into form; see envoy/request.lua. The usual ones pass beside it."""
    is_head = header_matches(":method", {"exact": "HEAD"})
    # A pattern is dear, and most paths escape nothing.
    escapes = header_matches(":path", {"contains": "%"})
    not_ascii = {
        "and_matcher": {"predicate": [escapes, header_matches(":path", ".*%[89A-Fa-f].*")]}
    }
    no_credential = {"not_matcher": header_matches("authorization", ".*")}
    # The usual one first: it is looked at once then.
    usual_credential = header_matches("authorization", _USUAL_CREDENTIAL)
    usual = {"or_matcher": {"predicate": [usual_credential, no_credential]}}
    unusual: list[Json] = [{"not_matcher": not_ascii}, {"not_matcher": is_head}]
    if settings.proxy_secret:
        unusual.append({"not_matcher": header_matches(CERTIFICATE_HEADER, ".*")})
    nothing_to_do = {"and_matcher": {"predicate": [usual, *unusual]}}
    script = typed(f"{_FILTERS}lua.v3.Lua", default_source_code=_request_script(settings))
    return skip_when("request", nothing_to_do, script)


def _request_script(settings: GatewaySettings) -> Json:
    """The script, and how the secrets start that may come as a bearer token."""
    prefixes = ", ".join(json.dumps(kind.prefix) for kind in kinds.SECRETS)
    marks = ", ".join(map(json.dumps, _CERTIFICATE_MARKS if settings.proxy_secret else ()))
    constants = f"SECRET_PREFIXES, CERTIFICATE_MARKS = {{{prefixes}}}, {{{marks}}}"
    return _script_with(settings, "request", constants)


def envelope_filter(settings: GatewaySettings) -> Json:
    """Wraps JSON answers; see envoy/envelope.lua."""
    plain, invalid = (json.dumps(text) for text in (challenge(settings), invalid_token(settings)))
    constants = f"CHALLENGE, INVALID_TOKEN = {plain}, {invalid}"
    source = _script_with(settings, "envelope", constants)
    return extension(LUA, f"{_FILTERS}lua.v3.Lua", default_source_code=source)


def _script_with(settings: GatewaySettings, name: str, constants: str) -> Json:
    """A script that is told something of the settings."""
    file = json.dumps(str(settings.lua_dir / f"{name}.lua"), ensure_ascii=False)
    return {"inline_string": f"{constants}\ndofile({file})\n"}


def compressor(name: str) -> Json:
    """One of the encodings; a client that takes several equally gets the last in the chain."""
    library, options = _COMPRESSORS[name]
    return extension(
        f"compress_{name}",
        f"{_FILTERS}compressor.v3.Compressor",
        choose_first=name == "zstd",
        response_direction_config={
            "common_config": {
                "min_content_length": 512,
                "content_type_matcher": [{"exact": kind} for kind in _COMPRESSED],
            },
            # There are no bytes, and Envoy would send those of an empty archive.
            "uncompressible_response_codes": [204, 304],
            # The bytes differ, so a strong tag would lie; without this Envoy drops the tag.
            "weaken_etag_on_compress": True,
        },
        compressor_library=extension(name, f"extensions.compression.{library}", **options),
    )


def keys_listener(methods: Sequence[Method], settings: GatewaySettings) -> Json:
    """Gives jwt_authn the core's published keys as JSON, and nothing else."""
    [method] = [m for m in methods if m.rest is not None and m.rest.template == JWKS_PATH]
    routes = [
        {"match": {"path": path}, "route": {"cluster": "core", "timeout": "1s"}}
        for path in (method.path, JWKS_PATH)
    ]
    return {
        "name": "jwks",
        "address": {"pipe": {"path": str(settings.runtime_dir / "jwks.sock"), "mode": 0o600}},
        "filter_chains": [
            _chain(
                stat_prefix="jwks",
                route_config={
                    "virtual_hosts": [{"name": "jwks", "domains": ["*"], "routes": routes}]
                },
                http_filters=[
                    transcoder_filter([method], settings),
                    extension("envoy.filters.http.router", f"{_FILTERS}router.v3.Router"),
                ],
            )
        ],
    }


def _chain(**connection: Any) -> Json:
    manager = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        **connection,
    )
    return {"filters": [manager]}
