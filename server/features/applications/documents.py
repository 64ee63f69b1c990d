"""Applications that describe themselves in a document at their client_id.

See draft-ietf-oauth-client-id-metadata-document. Such a client exists before it has a row: its
id follows from the address. The row comes with the first consent, and keeps what was agreed to:
the tokens that came of it are good while the document cannot be reached, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import structlog

from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.credentials import Principal
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.errors import DomainError, InvalidRequestError
from portico_kit.status import StatusCode
from portico_kit.storage.reads import Reads
from server.common.kept_documents import KeptDocuments
from server.common.outbound_json import FetchFailedError, JsonAnswer, JsonClient
from server.features.applications import messages
from server.features.applications.editing import ApplicationEditor
from server.features.applications.errors import (
    ApplicationNotFoundError,
    InvalidClientMetadataError,
    InvalidRedirectUriError,
    TooManyRegistrationsError,
)
from server.features.applications.kinds import DOCUMENT, OFF
from server.features.applications.metadata import Metadata, described_by_document, refused
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.read_models import Client, ClientView
from server.features.applications.redirect_uris import loopback_without_port
from server.features.applications.repository import (
    DOCUMENT_STATES,
    POLICIES,
    ApplicationRepository,
)
from server.features.organizations.facade import Tenants

if TYPE_CHECKING:
    # Workers look for clients, and load no gRPC for it.
    from server.common.limiter import Limiter

MAX_BYTES = 16 * 1024
LONGEST = 2000  # characters
# What the document says itself of how long it may be kept, within these.
SHORTEST_KEPT, LONGEST_KEPT = timedelta(minutes=5), timedelta(hours=24)
# So long nobody asks again an address that did not answer: anybody can name one.
FAILURES_KEPT = timedelta(seconds=30)

_AUTHORITY = re.compile(r"[a-z0-9.\-]+(:[1-9][0-9]{0,4})?|\[[0-9a-f:.]+\](:[1-9][0-9]{0,4})?")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*")
_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)

log = structlog.get_logger("applications")


class DocumentRefusedError(DomainError):
    """The document that describes the application cannot be used."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "OAUTH_INVALID_CLIENT_DOCUMENT"

    def __init__(self, description: str, *, may_pass: bool = False) -> None:
        """Takes what is wrong, and whether another try may find it right."""
        super().__init__(error_description=description)
        self.description = description
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was fetched.

    Attributes:
        kept: for how long it is good.
    """

    metadata: Metadata
    kept: timedelta


class ClientDocuments:
    """Finds such applications by their documents.

    Args:
        organization_id: the organization that they belong to here; None if there are none.
    """

    def __init__(
        self,
        organization_id: UUID | None,
        http: JsonClient,
        editor: ApplicationEditor,
        reads: Reads,
        tenants: Tenants,
        clock: Clock,
        invalidator: CacheInvalidator,
        limiter: Limiter,
    ) -> None:
        self._organization_id = organization_id
        self._http = http
        self._editor = editor
        self._reads = reads
        self._tenants = tenants
        self._invalidator = invalidator
        self._limiter = limiter
        self._documents: KeptDocuments[Document] = KeptDocuments(
            clock, lambda document: document.kept, FAILURES_KEPT
        )

    async def find(self, url: str, address: str = "") -> Client | None:
        """The client whose document is at an address, as it says now; None if none is wanted.

        Args:
            address: who has us fetch it, and is charged for it; "" for the client itself.

        Raises:
            RateLimitExceededError: if too many were fetched for the address.
            DocumentRefusedError: if the document cannot be had, or used.
        """
        self._require_address(url)
        policy = await self._policy()
        if policy is None or not policy.takes_document(urlsplit(url).hostname or ""):
            return None
        row = await self._state(url)
        if row is not None and (row.disabled_at is not None or row.deleted_at is not None):
            return None
        if address and not self._documents.knows(url):
            await self._limiter.charge_credential(None, address)
        document = await self._fetched(url)
        organization = await self._tenants.find(policy.organization_id)
        if organization is None:
            return None
        view = _view(self._drafted(url, document.metadata, policy))
        return Client.of(view, organization.name, organization.tier)

    async def keep(self, client: Client, call: Call) -> None:
        """Writes down what the document of a client says, because somebody agrees to that.

        Raises:
            ApplicationNotFoundError: if it may not be used by now.
            TooManyRegistrationsError: if the organization takes no more.
        """
        policy = await self._policy()
        if policy is None:
            raise ApplicationNotFoundError
        document = await self._fetched(client.client_id)
        row = await ApplicationRepository(call.db).find_of_any(client.id)
        if row is None and await self._tenants.lock(call.db, policy.organization_id):
            row = await ApplicationRepository(call.db).find_of_any(client.id)
            if row is None:
                await self._add(client.client_id, document.metadata, policy, call)
                return
        if row is None:
            raise ApplicationNotFoundError
        self._describe(row, client.client_id, document.metadata, policy)
        if call.db.is_modified(row):
            await self._record("application.updated", row, call)

    async def _add(
        self, url: str, metadata: Metadata, policy: RegistrationPolicy, call: Call
    ) -> None:
        repository = ApplicationRepository(call.db)
        if await repository.count_registered(policy.organization_id) >= policy.max_applications:
            raise TooManyRegistrationsError(limit=str(policy.max_applications))
        row = self._drafted(url, metadata, policy)
        repository.add(row)
        await self._record("application.created", row, call)

    async def _record(self, action: str, row: Application, call: Call) -> None:
        """Writes it down as the application's own act: its owner knows nobody who agrees."""
        await call.db.flush()
        await call.db.refresh(row)
        application_id = row.id
        call.record(
            action,
            organization_id=row.organization_id,
            target_id=application_id,
            data=messages.application(row, call.now),
            actor=Principal("application", application_id),
        )
        call.after_commit.append(lambda: self._invalidator.application_changed(application_id))

    def _require_address(self, url: str) -> None:
        """Refuses what is no client_id of this kind (section 3 of the draft).

        Raises:
            DocumentRefusedError: if it is none.
        """
        problem = address_problem(url, allow_loopback=self._editor.policy.allow_loopback)
        if problem:
            raise DocumentRefusedError(problem)

    async def _policy(self) -> RegistrationPolicy | None:
        if self._organization_id is None:
            return None
        rows = await self._reads.fetch(POLICIES, [self._organization_id])
        if not rows or rows[0].documents == OFF:
            return None
        return RegistrationPolicy(**rows[0]._asdict())

    async def _state(self, url: str) -> Any:
        rows = await self._reads.fetch(DOCUMENT_STATES, [document_id(url)])
        return rows[0] if rows else None

    async def _fetched(self, url: str) -> Document:
        async def fetch() -> Document:
            return _read(await self._http.get(url, max_bytes=MAX_BYTES))

        try:
            return await self._documents.get(url, fetch)
        except FetchFailedError as error:
            log.info("document_not_fetched", host=urlsplit(url).hostname, problem=error.detail)
            description = f"the document at the client_id cannot be fetched: {error.detail}"
            raise DocumentRefusedError(description, may_pass=True) from None

    def _drafted(self, url: str, metadata: Metadata, policy: RegistrationPolicy) -> Application:
        """The row of an application that has none yet."""
        row = Application(
            id=document_id(url),
            organization_id=policy.organization_id,
            origin=DOCUMENT,
            metadata_document=url,
            first_party=False,
            tls_client_certificate_bound_access_tokens=False,
            require_signed_request_object=False,
            request_object_signing_alg="",
            subject_type="public",
            sector_identifier_uri="",
            frontchannel_logout_uri="",
            frontchannel_logout_session_required=False,
            token_exchange_client_ids=[],
            logo_digest="",
        )
        self._describe(row, url, metadata, policy)
        return row

    def _describe(
        self, row: Application, url: str, metadata: Metadata, policy: RegistrationPolicy
    ) -> None:
        try:
            self._editor.create(row, described_by_document(url, metadata, policy))
        except InvalidRequestError as error:
            raise _unusable(refused(error)) from None
        except (InvalidClientMetadataError, InvalidRedirectUriError) as error:
            raise _unusable(error) from None


def is_document(client_id: str) -> bool:
    """Whether a client_id is an address, and so no id of ours."""
    return client_id.startswith(("https://", "http://"))


def address_problem(url: str, *, allow_loopback: bool = False) -> str:
    """What is wrong with an address as a client_id; "" if nothing is.

    It is compared character by character, so there is one way to write each.

    Args:
        allow_loopback: for development: it may also be http on this machine.
    """
    scheme, _, rest = url.partition("://")
    is_here = allow_loopback and loopback_without_port(url) is not None
    if scheme != "https" and not is_here:
        return "the client_id must begin with https://"
    if len(url) > LONGEST:
        return f"the client_id must have at most {LONGEST} characters"
    authority, slash, path = rest.partition("/")
    if not _AUTHORITY.fullmatch(authority) or authority.endswith(":443"):
        return "the client_id must have a host in lower case, without a user name"
    if not _PATH.fullmatch(slash + path):
        return "the client_id must have a path, and neither a query nor a fragment"
    segments = path.lower().replace("%2e", ".").split("/")
    if "." in segments or ".." in segments:
        return 'the client_id must have no path segment "." or ".."'
    return ""


def document_id(url: str) -> UUID:
    """The id of the application that describes itself at an address."""
    digest = bytearray(hashlib.sha256(url.encode(errors="surrogatepass")).digest()[:16])
    # The version and the variant of RFC 9562, section 5.8.
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


def _read(answer: JsonAnswer) -> Document:
    """The document of an answer.

    Raises:
        FetchFailedError: if it is none.
    """
    if answer.status != 200:
        raise FetchFailedError(f"it was answered with {answer.status}")
    content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type != "application/json" and not re.fullmatch(
        r"application/[a-z0-9.\-]+\+json", content_type
    ):
        raise FetchFailedError("it is not sent as application/json")
    if not isinstance(answer.content, dict):
        raise FetchFailedError("it is no JSON object")
    return Document(answer.content, _kept(answer.headers))


def _kept(headers: Mapping[str, str]) -> timedelta:
    """For how long an answer may be kept (RFC 9111), within bounds."""
    control = headers.get("Cache-Control", "")
    found = _MAX_AGE.search(control)
    if found is None or "no-store" in control.lower() or "no-cache" in control.lower():
        return SHORTEST_KEPT
    return min(max(timedelta(seconds=int(found.group(1))), SHORTEST_KEPT), LONGEST_KEPT)


def _view(row: Application) -> ClientView:
    return ClientView(*(getattr(row, each.name) for each in fields(ClientView)))


def _unusable(error: DomainError) -> DocumentRefusedError:
    return DocumentRefusedError(str(error.metadata.get("error_description", "")))
