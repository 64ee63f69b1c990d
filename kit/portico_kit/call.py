"""The call: what a service is handed beside the request."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncSession

from portico_contract import Method, as_json, redacted
from portico_kit.access_changes import concerned
from portico_kit.credentials import ANONYMOUS, Grant, Person, Principal, Withheld
from portico_kit.errors import (
    BoundToProjectsError,
    EtagMismatchError,
    InsufficientUserAuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    PermissionsExceededError,
    UnauthenticatedError,
)
from portico_kit.storage.outbox import OutboxEvent
from portico_kit.storage.statements import Written
from portico_kit.tasks.names import EVENT_TASK

# What a call may take from its own caller: the session, the membership of the
# organization, or the permission that the method asks for.
EndedAccess = Literal["session", "membership", "permission"]
AfterCommit = Callable[[], Awaitable[None]]


def _no_operator() -> None:
    return None


async def _tell_nobody(_ids: Collection[str]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Records:
    """How a service stores what its calls write beside their own rows.

    Attributes:
        event: makes a row of the outbox, by the names of its columns.
        audit_entry: gives what writes a row of the audit log, by the names of its columns.
        platform_events: the event types that belong to no organization.
        event_data: the full name of the message that the data of an event type is.
        operator_organization: gives the organization whose webhooks receive these; with
            None they are only in the audit log.
        access_changed: names, after the commit, those whose access may have changed.
    """

    event: Callable[..., OutboxEvent]
    audit_entry: Callable[..., Written]
    platform_events: Collection[str] = frozenset()
    event_data: Mapping[str, str] = field(default_factory=dict)
    operator_organization: Callable[[], UUID | None] = _no_operator
    access_changed: Callable[[Collection[str]], Awaitable[None]] = _tell_nobody


@dataclass(frozen=True, slots=True)
class Client:
    """Where a call comes from, as far as we know."""

    address: str = ""
    user_agent: str = ""


@dataclass(slots=True)
class Call:
    """One call: who, from where, with which rights, in which transaction.

    `open_db` is set by the transaction interceptor, `principal`, `account`, `grants` and
    `scopes` by the access interceptor; services only read them.
    """

    method: Method
    metadata: Mapping[str, str]
    client: Client
    request_id: str
    now: datetime
    records: Records
    principal: Principal = ANONYMOUS
    # The person for whom the credential acts; None if it acts for none.
    account: Person | None = None
    # The caller's permissions in each organization it belongs to.
    grants: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    # The organizations in which the person may do nothing before they show more.
    withheld: Mapping[UUID, Withheld] = field(default_factory=dict)
    # What the credential narrows all permissions to; None if it narrows nothing.
    scopes: frozenset[str] | None = None
    # The projects that the credential is bound to, None if to none; see `project_ids`.
    binding: frozenset[UUID] | None = None
    binding_respected: bool = False
    open_db: Callable[[], AsyncSession] = field(init=False, repr=False)
    # Of a stream, in place of open_db.
    open_session: Callable[[], AbstractAsyncContextManager[AsyncSession]] = field(
        init=False, repr=False
    )
    opened_db: AsyncSession | None = field(default=None, repr=False)
    reply_metadata: dict[str, str] = field(default_factory=dict)
    authorized: bool = False
    # The organization that the caller was authorized for, else the one that the call changed.
    organization_id: UUID | None = None
    # Set by a service that takes from the caller what a repetition of the call would need.
    ended_access: EndedAccess | None = None
    # The version of the resource in the answer.
    version: int | None = None
    # The version of the resource before this call changes it.
    found_version: int | None = field(default=None, repr=False)
    # Of the audit log, in this call's transaction.
    entries: list[Written] = field(default_factory=list, repr=False)
    after_commit: list[AfterCommit] = field(default_factory=list)
    # Whose access this call may change, see `concern`.
    concerned: set[str] = field(default_factory=set, repr=False)
    # The workers' tasks that shall run once this call is committed.
    tasks: set[str] = field(default_factory=set)

    @property
    def db(self) -> AsyncSession:
        """The session of this call's one transaction; opened when it is first asked for."""
        if self.opened_db is None:
            self.opened_db = self.open_db()
        return self.opened_db

    def admit(self, grant: Grant) -> None:
        """Lets the caller in with what the credential allows."""
        self.principal = grant.principal
        self.account = grant.account
        self.scopes = grant.scopes
        self.grants = grant.effective_permissions
        self.binding = grant.project_ids
        self.withheld = grant.withheld

    @property
    def project_ids(self) -> frozenset[UUID] | None:
        """The projects that the caller is confined to; None for all of an organization's.

        Each method that a bound credential can call asks, and keeps to the answer; an
        answer from one that did not is refused; see `require_authorized`.
        """
        self.binding_respected = True
        return self.binding

    def require_unbound(self) -> None:
        """Lets through only who is confined to no projects.

        Raises:
            BoundToProjectsError: if the credential is bound to some.
        """
        if self.project_ids is not None:
            raise BoundToProjectsError

    @property
    def user_id(self) -> UUID:
        """The person for whom the call is made.

        Raises:
            UnauthenticatedError: if it is made for none.
        """
        if self.principal.person_id is None:
            raise UnauthenticatedError
        return self.principal.person_id

    @property
    def acts_as_person(self) -> bool:
        """Whether a person calls by their own session, and nothing narrows it."""
        return self.principal.is_signed_in and self.scopes is None

    def acts_as(self, user_id: UUID) -> bool:
        """Whether this person calls by their own session, and nothing narrows it."""
        return self.acts_as_person and self.principal.person_id == user_id

    def within_scopes(self, permissions: frozenset[str]) -> frozenset[str]:
        """What the credential passes on of its principal's permissions.

        For those that a service looks up itself; `grants` are within the scopes already.
        """
        return permissions if self.scopes is None else permissions & self.scopes

    @property
    def person(self) -> Person:
        """The account of the person for whom the call is made.

        Raises:
            UnauthenticatedError: if it is made for none.
        """
        if self.account is None:
            raise UnauthenticatedError
        return self.account

    def require_authorized(self) -> None:
        """A service that forgot to look at the caller's rights must fail loudly.

        Asked inside of the transaction, so that what such a service wrote is taken back; of
        a stream before each message goes out.

        Raises:
            RuntimeError: if the service did not authorize the caller, or did not ask which
                projects a bound credential is for.
        """
        if self.method.access == "permission" and not self.authorized:
            raise RuntimeError(f"{self.method.path} answered without authorizing the caller")
        if self.binding is not None and not self.binding_respected:
            raise RuntimeError(f"{self.method.path} answered without a look at the binding")

    def session(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A short transaction of a stream, which must hold no connection while it waits.

        Inside, `db`, `record` and `emit` use it. At the end it is committed and what must
        follow the commit follows; an error takes it back.
        """
        return self.open_session()

    @property
    def tenants(self) -> frozenset[UUID]:
        """The organizations whose resources exist for the caller."""
        return frozenset(self.grants)

    def authorize(self, organization_id: UUID) -> None:
        """Holds the method's permission against the caller's rights in an organization.

        Each method with a permission calls it once it knows the organization
        that owns the resource; an answer of one that did not is refused.

        Raises:
            NotFoundError: if the organization does not exist for the caller.
            InsufficientUserAuthenticationError: if it asks for more than they have shown.
            PermissionDeniedError: if the permission is missing.
        """
        held = self.grants.get(organization_id)
        if held is None:
            raise NotFoundError
        if self.method.permission not in held:
            # Asked here, where the permission is missing: who lacks nothing pays nothing.
            self._require_nothing_withheld(organization_id)
            raise PermissionDeniedError(permission=self.method.permission)
        self.authorized = True
        self.organization_id = organization_id

    def authorize_self(self, organization_id: UUID) -> None:
        """Lets a person act on their own membership, whatever it allows.

        Raises:
            NotFoundError: if the organization does not exist for the caller.
            InsufficientUserAuthenticationError: if it asks for more than they have shown.
        """
        if organization_id not in self.grants:
            raise NotFoundError
        self._require_nothing_withheld(organization_id)
        self.authorized = True
        self.organization_id = organization_id

    def _require_nothing_withheld(self, organization_id: UUID) -> None:
        """Refuses a person of whom the organization asks for more than they have shown."""
        withheld = self.withheld.get(organization_id)
        if withheld is None:
            return
        error = InsufficientUserAuthenticationError(
            missing=withheld.missing,
            acr=withheld.acr,
            max_age=None,
            methods=" ".join(withheld.methods),
        )
        error.metadata["organization_id"] = str(organization_id)
        raise error

    def require_held(
        self, organization_id: UUID, permissions: Iterable[str], platform: Iterable[str] = ()
    ) -> None:
        """Lets the caller act through something only if they may do all that it can.

        Each method calls it that changes a thing with rights of its own, gives out its
        secret or shows what only it may see: an API key, a webhook. Revoking or deleting
        it takes no more than the method's permission.

        Args:
            permissions: what the thing can do in the organization.
            platform: what it can do on the whole platform.

        Raises:
            PermissionsExceededError: naming the permissions that the caller lacks.
        """
        lacking = frozenset(permissions) - self.permissions(organization_id)
        lacking |= frozenset(platform) - self.platform_permissions
        if lacking:
            raise PermissionsExceededError(permissions=" ".join(sorted(lacking)))

    def permissions(self, organization_id: UUID) -> frozenset[str]:
        """What the caller may do in an organization."""
        return self.grants.get(organization_id, frozenset())

    @property
    def platform_permissions(self) -> frozenset[str]:
        """What the caller may do on the whole platform; see `Grant.platform_permissions`."""
        grant = Grant(self.principal, account=self.account, scopes=self.scopes)
        return grant.platform_permissions

    def etag(self, version: int) -> None:
        """Has the answer carry an entity tag (RFC 9110, section 8.8.3).

        Args:
            version: of the resource in the answer; see `tag` for the rest.
        """
        self.version = version

    def tag(self, answer: Message) -> None:
        """Gives the whole answer its entity tag, if the service has named a version.

        Some of an answer changes without a new version: a count of uses, a status
        that follows the clock, the caller's own role. The tag covers all of it, so
        that a 304 never hides a change.

        Raises:
            EtagMismatchError: if If-Match names another version of what is read.
        """
        if self.version is None:
            return
        tag = _entity_tag(self.version, answer)
        self.reply_metadata["etag"] = tag
        if not self.method.reads:
            return
        self._require_match(self.version)
        known = self.metadata.get("if-none-match")
        if known is not None and {"*", tag} & _tags(known):
            self.reply_metadata["x-http-code"] = "304"

    def expect(self, version: int) -> None:
        """Holds a resource's version against If-Match and If-None-Match, if the caller sent them.

        Only the version in a tag counts: what changes without one is nothing that
        a write could overwrite.

        Each update calls it as soon as it has the resource; see `changed`.

        Raises:
            EtagMismatchError: if the resource is in another state than is asked for.
        """
        self.found_version = version
        self._require_match(version)
        excluded = self.metadata.get("if-none-match")
        if excluded is not None and _names_version(excluded, version):
            raise EtagMismatchError

    def _require_match(self, version: int) -> None:
        expected = self.metadata.get("if-match")
        if expected is not None and not _names_version(expected, version):
            raise EtagMismatchError

    def changed(self, version: int) -> bool:
        """Whether an update changed anything: nothing is recorded of one that did not.

        Args:
            version: of the resource, after the flush.
        """
        return version != self.found_version

    def location(self, path: str) -> None:
        """Tells where the created resource is, as a path below the base address."""
        self.reply_metadata["location"] = path

    def cache_publicly(self, longest: timedelta) -> None:
        """Lets anybody keep the answer for a while, which shows every caller the same."""
        self.reply_metadata["cache-control"] = f"public, max-age={int(longest.total_seconds())}"

    def record(
        self,
        action: str,
        *,
        organization_id: UUID | None = None,
        target_id: UUID | None = None,
        data: Message | None = None,
        details: Mapping[str, Any] | None = None,
        actor: Principal | None = None,
        event: str = "",
    ) -> None:
        """Writes the audit log, and the event if the contract says that the method emits it.

        Both are rows of this call's transaction; the entry is written at its end. An event that
        belongs to no organization goes to the operator's, whatever `organization_id` is.

        Args:
            action: what was done, "key.revoked".
            target_id: what it was done to.
            data: the resource as the contract shows it; the audit log leaves
                out its sensitive fields.
            details: what only the audit log holds, beside the resource.
            actor: who did it, if it is not the call's principal (a sign-in).
            event: the type of the event, if the audit log calls it otherwise.

        Raises:
            ValueError: if the data of an event is not what the contract says.
        """
        self.organization_id = self.organization_id or organization_id
        who = actor or self.principal
        self.entries.append(
            self.records.audit_entry(
                organization_id=organization_id,
                actor_kind=who.kind,
                actor_id=who.id,
                action=action,
                target_id=target_id,
                details={
                    **(redacted(data) if data is not None else {}),
                    **(details or {}),
                    **who.delegation,
                },
                client_address=self.client.address,
                request_id=self.request_id,
            )
        )
        self.concern(event or action, organization_id, target_id, who.id)
        self._record_event(event or action, organization_id, data)

    def concern(self, action: str, organization_id: UUID | None, *others: UUID | None) -> None:
        """Lets those look again who keep a stream open for somebody whom an action may concern.

        Args:
            others: what it was done to, and who did it.
        """
        ids = concerned(action, organization_id, *others)
        if ids and not self.concerned:
            self.after_commit.append(lambda: self.records.access_changed(self.concerned))
        self.concerned.update(ids)

    def _record_event(
        self, event_type: str, organization_id: UUID | None, data: Message | None
    ) -> None:
        if event_type not in self.method.emits:
            return
        # Receivers have its schema.
        promised = self.records.event_data.get(event_type)
        if data is None or promised not in (None, data.DESCRIPTOR.full_name):
            raise ValueError(f"the data of {event_type} must be a {promised}")
        receiver = self.event_receiver(event_type, organization_id)
        if receiver is not None:
            self.emit(event_type, receiver, as_json(data))

    def event_receiver(self, event_type: str, organization_id: UUID | None) -> UUID | None:
        """The organization whose webhooks receive an event of this call, or None for none.

        Args:
            organization_id: to which what happened belongs; None if to none.
        """
        if event_type not in self.method.emits:
            return None
        if event_type in self.records.platform_events:
            return self.records.operator_organization()
        return organization_id

    def emit(self, event_type: str, organization_id: UUID, data: dict[str, Any]) -> OutboxEvent:
        """Puts an event into the outbox of this call's transaction.

        Args:
            organization_id: whose webhooks receive it.
        """
        event = self.records.event(
            organization_id=organization_id,
            type=event_type,
            platform=event_type in self.records.platform_events,
            data=data,
        )
        self.db.add(event)
        self.tasks.add(EVENT_TASK)
        return event


def _entity_tag(version: int, answer: Message) -> str:
    """The version, by which a write is held against a tag, and a digest of the answer."""
    content = hashlib.blake2b(answer.SerializeToString(deterministic=True), digest_size=8)
    return f'"{version}-{content.hexdigest()}"'


def _names_version(header: str, version: int) -> bool:
    """Whether a list of entity tags has one of this version, or is "*"."""
    return any(
        tag in ("*", f'"{version}"') or tag.startswith(f'"{version}-') for tag in _tags(header)
    )


def _tags(header: str) -> set[str]:
    """The entity tags in a header; a weak one counts, for compression weakens ours on the way."""
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
