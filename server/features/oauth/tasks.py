"""What the workers do for the OAuth server."""

from __future__ import annotations

from collections.abc import Mapping

from portico_kit.oauth_metadata import issuer_of
from portico_kit.storage.reads import Reads
from server.common.outbound_addresses import AddressPolicy
from server.common.outbound_json import JsonClient
from server.feature import Job
from server.features.auth.names import SESSION_ENDS_TASK
from server.features.auth.signing_keys import SigningKeys
from server.features.oauth.logout_sender import LogoutSender
from server.features.oauth.logout_tokens import LogoutTokens
from server.features.oauth.subjects import Subjects
from server.parts import WorkerParts


def tasks(parts: WorkerParts) -> Mapping[str, Job]:
    """The jobs, by their tasks. Calls under way may finish before the worker ends."""
    settings = parts.settings
    keys = SigningKeys(parts.engine, parts.secrets, parts.clock)
    sender = LogoutSender(
        sessions=parts.sessions,
        reads=Reads(settings.database_url),
        client=JsonClient(AddressPolicy(allow_loopback=settings.webhook_allow_loopback)),
        signing_keys=keys,
        tokens=LogoutTokens(issuer_of(settings.public_url), keys, Subjects(parts.secrets)),
        clock=parts.clock,
    )
    parts.on_close.append(sender.close)
    return {SESSION_ENDS_TASK: sender}
