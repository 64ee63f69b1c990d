"""Whose account somebody gets who has signed in at a provider.

An account is found by the provider's subject, and by nothing else once it is linked. By its
address it is found only where the provider is an authority for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.ids import new_id
from server.common.email_addresses import is_writable, normal_email
from server.common.mail import Mail
from server.features.auth.authenticator import acting_person
from server.features.auth.facade import Sessions
from server.features.auth.one_time_tokens import OneTimeTokens
from server.features.connections import messages
from server.features.connections.errors import (
    EmailDomainNotProvenError,
    IdentityMismatchError,
    IdentityNotLinkedError,
    IdentityTakenError,
    ProviderEmailMissingError,
    ProviderEmailUnverifiedError,
)
from server.features.connections.mails import ACCOUNT_CLAIMED, IDENTITY_LINKED
from server.features.connections.models import Identity
from server.features.connections.oidc.client import ProviderAccount
from server.features.connections.read_models import ConnectionView
from server.features.connections.repository import IdentityRepository
from server.features.connections.trust import domain_of, is_trusted, says_verified
from server.features.domains.facade import Domains
from server.features.emails.facade import Mailer
from server.features.organizations.provisioning import Provisioning
from server.features.users.facade import Account, Accounts, Contact
from server.features.users.notices import when_and_where

LONGEST_NAME = 50
# Letters that nobody sees: a name has others.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")


@dataclass(frozen=True, slots=True)
class Linking:
    """Finds, joins and makes accounts, in the call's transaction."""

    accounts: Accounts
    domains: Domains
    sessions: Sessions
    tokens: OneTimeTokens
    provisioning: Provisioning
    mailer: Mailer

    async def account_for(
        self, connection: ConnectionView, found: ProviderAccount, call: Call
    ) -> Account:
        """The account of somebody who has signed in at a provider; it is locked.

        Whether the person may sign in to it is another question.

        Raises:
            DomainError: if there is none, or the connection must not open it.
        """
        found = replace(found, email=_address(found.email))
        identity = await self._find(connection, found, call)
        if identity is not None:
            return await self._known(identity, connection, found, call)
        return await self._first_time(connection, found, call)

    async def link(
        self, connection: ConnectionView, found: ProviderAccount, user_id: UUID, call: Call
    ) -> Identity:
        """Links an account at a provider to that of a person who is signed in.

        Raises:
            IdentityTakenError: if it is linked to somebody else.
            EmailDomainNotProvenError: if the connection is an organization's, and the
                person's own address is not at a domain of it.
        """
        found = replace(found, email=_address(found.email))
        account = await self.accounts.lock(call.db, user_id)
        if account is None:
            raise IdentityTakenError
        await self._require_proven(connection, account.email, account.id, call)
        identity = await self._find(connection, found, call)
        if identity is None:
            return await self._add(connection, found, account, call)
        if identity.user_id != user_id:
            raise IdentityTakenError
        return identity

    async def again(
        self,
        connection: ConnectionView,
        found: ProviderAccount,
        user_id: UUID,
        identity_id: UUID,
        call: Call,
    ) -> Account:
        """The account of a person who has signed in once more; it is locked.

        Raises:
            IdentityMismatchError: if another account at the provider came than was meant, or
                it is not linked any more.
            EmailDomainNotProvenError: as at a sign-in.
        """
        found = replace(found, email=_address(found.email))
        identity = await self._find(connection, found, call)
        if identity is None or (identity.id, identity.user_id) != (identity_id, user_id):
            raise _refused(IdentityMismatchError(), user_id, call)
        return await self._known(identity, connection, found, call)

    async def _known(
        self, identity: Identity, connection: ConnectionView, found: ProviderAccount, call: Call
    ) -> Account:
        account = await self.accounts.lock(call.db, identity.user_id)
        # Whoever deleted the account has deleted the identity with it.
        assert account is not None
        # An organization has power over addresses at its domains: a person who has moved to
        # another one, or a domain that was given up, is out of its reach.
        await self._require_proven(connection, account.email, account.id, call)
        identity.connection_id = connection.id
        identity.email = found.email
        identity.last_used_at = call.now
        return account

    async def _first_time(
        self, connection: ConnectionView, found: ProviderAccount, call: Call
    ) -> Account:
        if not is_writable(found.email):
            raise ProviderEmailMissingError
        await self._require_proven(connection, found.email, None, call)
        if connection.organization_id is not None and not says_verified(connection, found):
            raise _refused(ProviderEmailUnverifiedError(), None, call)
        trusted = is_trusted(connection, found, proven=True)
        present = await self.accounts.find_by_email(found.email)
        if present is None:
            return await self._create(connection, found, call, trusted=trusted)
        account = await self.accounts.lock(call.db, present.id)
        if account is None or account.email != found.email or not trusted:
            raise _refused(IdentityNotLinkedError(), present.id, call)
        if account.active:
            account = await self._join(connection, found, account, call)
        return account

    async def _join(
        self, connection: ConnectionView, found: ProviderAccount, account: Account, call: Call
    ) -> Account:
        """Links an account that the provider is an authority for."""
        if account.verified:
            await self._add(connection, found, account, call)
            await self._provision(connection, account, call)
            return account
        # Somebody has registered with an address that they never showed to be theirs. What
        # they set must not open the account of who comes and does.
        actor = acting_person(account.id)
        await self.sessions.end_all(account.id, "account_claimed", call, actor=actor)
        await self.tokens.use_all(call.db, account.id, call.now)
        name = _display_name(found)
        claimed = await self.accounts.claim(call.db, account.id, name, call.now)
        call.record("user.email_verified", target_id=account.id, data=claimed.message, actor=actor)
        await self._add(connection, found, claimed, call, ACCOUNT_CLAIMED)
        await self._provision(connection, claimed, call)
        return claimed

    async def _create(
        self, connection: ConnectionView, found: ProviderAccount, call: Call, *, trusted: bool
    ) -> Account:
        """A new account. Without trust its address is verified by mail, as after Register."""
        name = _display_name(found)
        account = await self.accounts.create(
            call.db, email=found.email, display_name=name, now=call.now
        )
        actor = acting_person(account.id)
        call.record("user.registered", target_id=account.id, data=account.message, actor=actor)
        if trusted:
            verified = await self.accounts.verify(call.db, account.id, call.now)
            assert verified is not None
            account = verified
            shown = account.message
            call.record("user.email_verified", target_id=account.id, data=shown, actor=actor)
        await self._add(connection, found, account, call, None)
        if trusted:
            await self._provision(connection, account, call)
        return account

    async def _provision(self, connection: ConnectionView, account: Account, call: Call) -> None:
        """Makes the person a member at the first sign-in; whom it removes later stays out."""
        if connection.organization_id is None or connection.member_role is None:
            return
        person = Contact(account.id, account.email, account.display_name)
        actor = acting_person(account.id)
        role = connection.member_role
        await self.provisioning.add(connection.organization_id, person, role, call, actor)

    async def _add(
        self,
        connection: ConnectionView,
        found: ProviderAccount,
        account: Account,
        call: Call,
        mail: Mail | None = IDENTITY_LINKED,
    ) -> Identity:
        identity = Identity(
            id=new_id(),
            user_id=account.id,
            organization_id=connection.organization_id,
            connection_id=connection.id,
            issuer=found.issuer,
            subject=found.subject,
            email=found.email,
            created_at=call.now,
            last_used_at=call.now,
        )
        IdentityRepository(call.db).add(identity)
        await call.db.flush()
        call.record(
            "user.identity_linked",
            target_id=account.id,
            data=messages.identity(identity, connection.name),
            actor=acting_person(account.id),
        )
        if mail is not None:
            self.mailer.send(
                call,
                account.email,
                mail,
                display_name=account.display_name,
                provider_name=connection.name,
                **when_and_where(call),
            )
        return identity

    async def _find(
        self, connection: ConnectionView, found: ProviderAccount, call: Call
    ) -> Identity | None:
        repository = IdentityRepository(call.db)
        return await repository.find(connection.organization_id, found.issuer, found.subject)

    async def _require_proven(
        self, connection: ConnectionView, email: str, user_id: UUID | None, call: Call
    ) -> None:
        """Lets the connection of an organization open only accounts at its proven domains.

        Raises:
            EmailDomainNotProvenError: if the address is at another one.
        """
        if connection.organization_id is None:
            return
        owner = await self.domains.owner_now(call.db, domain_of(email))
        if owner != connection.organization_id:
            raise _refused(EmailDomainNotProvenError(), user_id, call)


def _refused(error: DomainError, user_id: UUID | None, call: Call) -> DomainError:
    call.record("login.failed", target_id=user_id, details={"reason": error.reason})
    return error


def _address(email: str) -> str:
    """The address in its normal form; "" if it is none that an account can have."""
    normal = normal_email(email)
    return normal if is_writable(normal) else ""


def _display_name(found: ProviderAccount) -> str:
    """How the provider calls the person, as far as it can be shown; else what the address says."""
    for text in (found.name, found.email.partition("@")[0]):
        visible = _INVISIBLE.sub("", " ".join(text.split()))
        name = "".join(filter(str.isprintable, visible))[:LONGEST_NAME].strip()
        if any(map(str.isalnum, name)):
            return name
    return "New account"
