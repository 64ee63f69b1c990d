"""The pages' client of the core: any other client's methods, and what it refuses as an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from portico.applications.v1.logo_service_pb2_grpc import LogoServiceStub
from portico.applications.v1.registration_service_pb2_grpc import RegistrationServiceStub
from portico.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from portico.auth.v1.browser_session_service_pb2_grpc import BrowserSessionServiceStub
from portico.auth.v1.challenge_service_pb2_grpc import ChallengeServiceStub
from portico.auth.v1.remembered_device_service_pb2_grpc import RememberedDeviceServiceStub
from portico.connections.v1.federated_sign_in_service_pb2_grpc import FederatedSignInServiceStub
from portico.connections.v1.identity_service_pb2_grpc import IdentityServiceStub
from portico.email_changes.v1.email_change_service_pb2_grpc import EmailChangeServiceStub
from portico.factor_codes.v1.factor_code_service_pb2_grpc import FactorCodeServiceStub
from portico.factor_resets.v1.factor_reset_service_pb2_grpc import FactorResetServiceStub
from portico.factors.v1.factor_service_pb2_grpc import FactorServiceStub
from portico.oauth.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from portico.oauth.v1.device_service_pb2_grpc import DeviceServiceStub
from portico.oauth.v1.grant_service_pb2_grpc import GrantServiceStub
from portico.oauth.v1.logout_service_pb2_grpc import LogoutServiceStub
from portico.oauth.v1.token_service_pb2_grpc import TokenServiceStub
from portico.organizations.v1.organization_service_pb2_grpc import OrganizationServiceStub
from portico.passkeys.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from portico.passkeys.v1.passkey_sign_in_service_pb2_grpc import PasskeySignInServiceStub
from portico.users.v1.user_service_pb2_grpc import UserServiceStub

# Less than the gateway waits for a page (PORTICO_REQUEST_TIMEOUT), so that the page can say
# what happened; more than the core keeps a sign-in waiting for its turn.
TIMEOUT_SECONDS = 6.0
# Where the core has to ask somebody else first, who may be slow: it takes 8 seconds for that
# at the most.
PROVIDER_SECONDS = 9.0
# What is kept of a browser's name, as in the rows of sessions.
MAX_USER_AGENT = 400
RETRY_AFTER = timedelta(seconds=5)

# A restarted core is connected again within a second instead of minutes.
OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)

_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

log = structlog.get_logger("web")

Answer = TypeVar("Answer")
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom the core is asked: what it would know of them had they called themselves."""

    address: str
    user_agent: str
    request_id: str

    def metadata(self, token: str | None) -> Metadata:
        """What goes with a call.

        Args:
            token: an access token, or the internal token; None for a stranger.
        """
        agent = self.user_agent
        if not (agent.isascii() and agent.isprintable()):
            agent = "".join(c for c in agent if " " <= c <= "~")
        facts = {
            "authorization": f"Bearer {token}" if token else "",
            "x-edge-address": self.address,
            "x-edge-user-agent": agent[:MAX_USER_AGENT],
            "x-request-id": self.request_id,
        }
        return tuple((name, value) for name, value in facts.items() if value)


@dataclass(frozen=True)
class CoreError(Exception):
    """The core refused a call, or did not answer.

    Attributes:
        reason: as docs/errors.md lists them; "UNAVAILABLE" if the core did not answer.
        violations: for each field that is to blame the rule that it breaks.
        retry_after: when it makes sense to try again, if the core says so.
        metadata: facts that belong to the reason.
    """

    code: grpc.StatusCode
    reason: str
    violations: Mapping[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_about_credential(self) -> bool:
        """Whether the token that came with the call is no longer good."""
        return self.reason in ("UNAUTHENTICATED", "TOKEN_EXPIRED", "BROWSER_TOKEN_INVALID")

    @property
    def is_outage(self) -> bool:
        """Whether nothing is wrong with the request."""
        return self.code in _AWAY


class CoreClient:
    """The stubs, and how they are called."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.auth = AuthServiceStub(channel)
        self.challenges = ChallengeServiceStub(channel)
        self.browser_sessions = BrowserSessionServiceStub(channel)
        self.users = UserServiceStub(channel)
        self.email_changes = EmailChangeServiceStub(channel)
        self.factors = FactorServiceStub(channel)
        self.factor_codes = FactorCodeServiceStub(channel)
        self.passkeys = PasskeyServiceStub(channel)
        self.passkey_sign_in = PasskeySignInServiceStub(channel)
        self.factor_resets = FactorResetServiceStub(channel)
        self.remembered_devices = RememberedDeviceServiceStub(channel)
        self.federated = FederatedSignInServiceStub(channel)
        self.identities = IdentityServiceStub(channel)
        self.organizations = OrganizationServiceStub(channel)
        self.authorizations = AuthorizationServiceStub(channel)
        self.tokens = TokenServiceStub(channel)
        self.devices = DeviceServiceStub(channel)
        self.grants = GrantServiceStub(channel)
        self.logouts = LogoutServiceStub(channel)
        self.registrations = RegistrationServiceStub(channel)
        self.logos = LogoServiceStub(channel)

    async def call(
        self,
        method: Callable[..., Awaitable[Answer]],
        request: Any,
        caller: Caller,
        token: str | None = None,
        seconds: float = TIMEOUT_SECONDS,
    ) -> Answer:
        """Calls a method of a stub.

        Args:
            seconds: how long to wait for the answer.

        Raises:
            CoreError: if the core refuses or does not answer in time.
        """
        metadata = caller.metadata(token)
        try:
            return await method(request, metadata=metadata, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            refusal = read_error(error)
        if refusal.is_outage:
            log.warning("core_unavailable", code=refusal.code.name, request_id=caller.request_id)
        raise refusal


def connect(socket: Path) -> grpc.aio.Channel:
    """A channel to the core."""
    return grpc.aio.insecure_channel(f"unix:{socket}", options=OPTIONS)


def read_error(error: grpc.aio.AioRpcError) -> CoreError:
    """What the core says in google.rpc.Status; without one it is an outage or a fault."""
    code = error.code()
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            return _from_status(code, status_pb2.Status.FromString(value))
    if code in _AWAY or code is grpc.StatusCode.CANCELLED:
        return CoreError(grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", retry_after=RETRY_AFTER)
    return CoreError(code, "INTERNAL")


def _from_status(code: grpc.StatusCode, status: status_pb2.Status) -> CoreError:
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        _unpack(detail, info, bad_request, retry)
    violations = {each.field: each.reason for each in reversed(bad_request.field_violations)}
    wait = retry.retry_delay.ToTimedelta() if retry.HasField("retry_delay") else None
    return CoreError(code, info.reason or "INTERNAL", violations, wait, dict(info.metadata))


def _unpack(detail: AnyMessage, *messages: Any) -> None:
    for message in messages:
        if detail.Unpack(message):
            return
