"""What a request says of an application, held against the rules and put into its row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from portico.applications.v1 import application_service_pb2 as pb

from portico_kit.clock import utc_now
from portico_kit.ids import parse_id
from portico_kit.structs import struct_members
from server.common.outbound_addresses import AddressPolicy
from server.features.applications.jwks import registered_keys
from server.features.applications.kinds import KINDS
from server.features.applications.models import Application
from server.features.applications.redirect_uris import RedirectRules
from server.features.applications.rules import require_consistent
from server.features.applications.sectors import PUBLIC

# Fields that are columns of the same name.
_PLAIN = frozenset(
    {
        "name",
        "token_endpoint_auth_method",
        "id_token_signed_response_alg",
        "dpop_bound_access_tokens",
        "tls_client_certificate_bound_access_tokens",
        "require_pushed_authorization_requests",
        "require_signed_request_object",
        "request_object_signing_alg",
        "subject_type",
        "backchannel_logout_session_required",
        "frontchannel_logout_session_required",
        "access_token_lifetime_seconds",
        "refresh_token_idle_seconds",
        "refresh_token_lifetime_seconds",
    }
)
_SETS = frozenset({"grant_types", "scopes", "required_scopes"})
_REDIRECTS = ("redirect_uris", "post_logout_redirect_uris")
# People follow them, or see what is there.
_LINKS = ("logo_uri", "client_uri", "policy_uri", "tos_uri")
# We ask them.
_OUTBOUND = ("jwks_uri", "sector_identifier_uri", "backchannel_logout_uri")

Request = pb.CreateApplicationRequest | pb.UpdateApplicationRequest

ACCESS_TOKEN_LIFETIME_SECONDS = 900
REFRESH_TOKEN_IDLE_SECONDS = 30 * 24 * 3600
REFRESH_TOKEN_LIFETIME_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ApplicationEditor:
    """Applies requests to rows.

    Attributes:
        policy: where we may be sent to.
    """

    policy: AddressPolicy

    def create(self, application: Application, request: pb.CreateApplicationRequest) -> None:
        """Fills a new row by a request.

        Raises:
            InvalidRequestError: naming the fields that are to blame.
        """
        kind = KINDS[request.kind]
        application.kind = request.kind
        application.grant_types = list(kind.default_grant_types)
        application.token_endpoint_auth_method = kind.default_method
        application.redirect_uris, application.post_logout_redirect_uris = [], []
        application.required_scopes = []
        application.jwks, application.jwks_uri = None, ""
        application.subject_type, application.sector_identifier_uri = PUBLIC, ""
        application.frontchannel_logout_uri, application.request_object_signing_alg = "", ""
        application.require_signed_request_object = False
        application.access_token_lifetime_seconds = ACCESS_TOKEN_LIFETIME_SECONDS
        application.refresh_token_idle_seconds = REFRESH_TOKEN_IDLE_SECONDS
        application.refresh_token_lifetime_seconds = REFRESH_TOKEN_LIFETIME_SECONDS
        self.apply(application, request, {field.name for field, _ in request.ListFields()})

    def apply(self, application: Application, request: Request, named: Collection[str]) -> None:
        """Changes a row by the fields of a request that are named.

        Raises:
            InvalidRequestError: naming the fields that are to blame.
        """
        for name in _PLAIN.intersection(named):
            setattr(application, name, getattr(request, name))
        for name in _SETS.intersection(named):
            setattr(application, name, sorted(getattr(request, name)))
        if "token_exchange_client_ids" in named:
            ids = {parse_id(each) for each in request.token_exchange_client_ids}
            application.token_exchange_client_ids = sorted(ids)
        self._apply_addresses(application, request, named)
        if "jwks" in named:
            given = request.HasField("jwks")
            application.jwks = registered_keys(struct_members(request.jwks)) if given else None
        require_consistent(application)
        if not application.uses_secrets:
            application.clear_secrets()

    def checked_sector(self, uri: str) -> str:
        """The address of a sector's document, as it is stored; "" for none.

        Raises:
            InvalidRequestError: if we must not be sent there.
        """
        return self.policy.check_url(uri, "sector_identifier_uri") if uri else ""

    def _apply_addresses(
        self, application: Application, request: Request, named: Collection[str]
    ) -> None:
        rules = RedirectRules(application.kind == "native", self.policy.allow_loopback)
        for name in _REDIRECTS:
            if name in named:
                uris = list(getattr(request, name))
                rules.check(uris, name)
                setattr(application, name, uris)
        if "frontchannel_logout_uri" in named:
            uri = request.frontchannel_logout_uri
            # A frame is in a browser, wherever the application is.
            RedirectRules(False, self.policy.allow_loopback).check_one(
                uri, "frontchannel_logout_uri"
            )
            application.frontchannel_logout_uri = uri
        for name in (*_LINKS, *_OUTBOUND):
            if name in named:
                policy = self.policy if name in _OUTBOUND else AddressPolicy(allow_loopback=False)
                uri = getattr(request, name)
                checked = policy.check_url(uri, name) if uri else ""
                if name == "logo_uri":
                    application.set_logo(checked, utc_now())
                else:
                    setattr(application, name, checked)
