"""Applications that exchange a person's token for one of their own (RFC 8693)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portico.oauth.v1 import token_service_pb2 as token_pb

from tests.core.applications.conftest import ApplicationClient
from tests.core.oauth.conftest import App, new_app

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SCOPES = ("organization:read", "projects:read", "projects:write")


async def new_service(
    application_client: ApplicationClient, passes_to: Sequence[App] = (), **fields: Any
) -> App:
    """A new application that acts for people with tokens that others have got of them."""
    values = {"grant_types": [GRANT_TYPE, "client_credentials"], "scopes": SCOPES, **fields}
    ids = [each.client_id for each in passes_to]
    return await new_app(application_client, "machine", token_exchange_client_ids=ids, **values)


async def new_front(
    application_client: ApplicationClient, passes_to: Sequence[App], **fields: Any
) -> App:
    """A new application in which people sign in, and whose tokens those services may exchange."""
    values = {"scopes": ("openid", "offline_access", *SCOPES), **fields}
    ids = [each.client_id for each in passes_to]
    return await new_app(application_client, token_exchange_client_ids=ids, **values)


async def trade(service: App, subject_token: str, **fields: Any) -> token_pb.IssueTokenResponse:
    """A token in exchange for another."""
    values = {"subject_token": subject_token, "subject_token_type": ACCESS_TOKEN, **fields}
    return await service.issue(GRANT_TYPE, **values)
