"""The access log: one JSON object a line, without credentials and without query strings."""

from __future__ import annotations

from edge.gateway.headers import ANSWERED_REQUEST_ID, CLIENT_ADDRESS
from edge.gateway.settings import GatewaySettings
from edge.gateway.typed import Json, extension

# The query string is left out of the path: cursors and searches are the caller's own.
_FIELDS = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "request_id": ANSWERED_REQUEST_ID,
    "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "rpc": "%ROUTE_NAME%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "subject": "%REQ(X-AUTH-SUBJECT)%",
    "organization": "%REQ(X-AUTH-ORGANIZATION)%",
    "client_address": CLIENT_ADDRESS,
    "user_agent": "%REQ(USER-AGENT):200%",
}


def access_log(settings: GatewaySettings) -> Json:
    """Writes each finished request to the settings' access log."""
    return extension(
        "access_log",
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=str(settings.access_log),
        log_format={
            "json_format": _FIELDS,
            "json_format_options": {"sort_properties": False},
        },
    )
