"""Credentials by kind: whom one stands for, and what it allows at this moment.

Each kind of token has an authenticator. The access interceptor finds it by the kind
that the token names, and asks properties of what it answers: it knows no kind by name.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

from portico_kit.edge_state.possession import PossessionSeal
from portico_kit.jwt import Claims, TokenKind

ANONYMOUS_KIND = "anonymous"
SERVICE_KIND = "service"

# What the columns of the audit log, and every other place that keeps a kind, can hold.
_WELL_FORMED_KIND = re.compile(r"[a-z][a-z_]{0,15}")
_RESERVED_KINDS = frozenset({ANONYMOUS_KIND, SERVICE_KIND})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    Attributes:
        kind: the kind of the credential. With `id` it names the caller in the audit log,
            in the scope of an Idempotency-Key and in budgets.
        id: the person, the API key, or whatever else the kind stands for; None for
            callers without a name.
        session_id: the session of a person who has signed in. Only a kind that acts as
            the person itself has one; see `is_signed_in`.
        organization_id: the active organization of the credential.
        person_id: the person for whom the credential acts; None for a program that acts
            for itself.
        actors: the applications that act with a token that they got in exchange for another
            one's (RFC 8693), the one that calls first; empty if the credential is its own.
    """

    kind: str = ANONYMOUS_KIND
    id: UUID | None = None
    session_id: UUID | None = None
    organization_id: UUID | None = None
    person_id: UUID | None = None
    actors: tuple[UUID, ...] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether the caller has presented no credential."""
        return self.kind == ANONYMOUS_KIND

    @property
    def is_person(self) -> bool:
        """Whether the credential acts for a person."""
        return self.person_id is not None

    @property
    def delegation(self) -> Mapping[str, Any]:
        """What the audit log says of who acts for the principal; nothing if it does itself."""
        return {"actors": [str(each) for each in self.actors]} if self.actors else {}

    @property
    def is_signed_in(self) -> bool:
        """Whether the credential is a person's own session."""
        return self.person_id is not None and self.session_id is not None


ANONYMOUS = Principal()


class Person(Protocol):
    """The account of a person for whom a credential acts, as it was when it was let in."""

    @property
    def permissions(self) -> frozenset[str]:
        """What they may do on the whole platform."""
        ...

    @property
    def has_second_factor(self) -> bool:
        """Whether they can show more than a first factor."""
        ...

    @property
    def version(self) -> int:
        """Counts changes; the ETag."""
        ...

    @property
    def message(self) -> Any:
        """The account as the contract shows it."""
        ...


@dataclass(frozen=True, slots=True)
class Withheld:
    """What a person must show before an organization lets them do anything; see RFC 9470.

    Attributes:
        missing: "enrollment" if they have no such factor, "factor" if they have not shown it.
        acr: the authentication context class that the organization asks for.
        methods: with which of the person's factors it can be shown.
    """

    missing: str
    acr: str
    methods: tuple[str, ...] = ()


_NOTHING_WITHHELD: Mapping[UUID, Withheld] = {}


# Not frozen, for one is made at every call: to set the fields of a frozen one costs 1 us more.
@dataclass(slots=True)
class Grant:
    """What a valid credential allows at this moment. Nobody changes it.

    Attributes:
        permissions: what the principal may do, by organization. An organization that is
            not in it does not exist for the caller.
        account: the account of the person for whom the credential acts; None for a program.
        scopes: the permissions that the credential passes on; None for all that the
            principal has.
        networks: the networks in CIDR notation that it may be used from; empty for all.
        project_ids: the projects that the credential is bound to: of what belongs to a
            project, all else does not exist for the caller. None if it is bound to none; an
            empty set is bound, and sees nothing.
        withheld: the organizations that let the person do nothing before they show more;
            the permissions in them are empty.
    """

    principal: Principal
    permissions: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    account: Person | None = None
    scopes: frozenset[str] | None = None
    networks: tuple[str, ...] = ()
    project_ids: frozenset[UUID] | None = None
    withheld: Mapping[UUID, Withheld] = field(default_factory=lambda: _NOTHING_WITHHELD)

    @property
    def acts_as_person(self) -> bool:
        """Whether it allows all that the person may do: a session that nothing narrows."""
        return self.principal.is_signed_in and self.scopes is None

    @property
    def effective_permissions(self) -> Mapping[UUID, frozenset[str]]:
        """What the caller may do, by organization: the permissions within the scopes."""
        scopes = self.scopes
        if scopes is None:
            return self.permissions
        return {organization: held & scopes for organization, held in self.permissions.items()}

    @property
    def platform_permissions(self) -> frozenset[str]:
        """What the caller may do on the whole platform.

        Outside of a session only what the scopes name: no credential that was made for
        an organization's work passes on an administrator's rights unsaid.
        """
        if self.account is None:
            return frozenset()
        if self.acts_as_person:
            return self.account.permissions
        return self.account.permissions & (self.scopes or frozenset())

    def narrowed(self, scopes: frozenset[str]) -> Grant:
        """The same, within these scopes, too."""
        return replace(self, scopes=scopes if self.scopes is None else self.scopes & scopes)


class Authenticator(Protocol):
    """A kind of token: whom it stands for, and what it allows."""

    @property
    def kind(self) -> TokenKind:
        """The kind, with the audience that its tokens are for."""
        ...

    def principal(self, claims: Claims) -> Principal:
        """Whom a token stands for, by what it says alone; whether it is valid is not asked."""
        ...

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        """What the token allows at this moment; asked at every call.

        Args:
            claims: of a token of this kind, verified.
            principal: what `principal` gave for it.
            with_permissions: whether the permissions in organizations are needed. A
                look-up that serves them alone is left out otherwise.

        Returns:
            None if the token is not valid any more: its session has ended, its secret was
            revoked, who it stands for may not act.
        """
        ...


def by_kind(authenticators: Iterable[Authenticator]) -> Mapping[str, Authenticator]:
    """The table of authenticators.

    Raises:
        ValueError: if two share a kind, or a kind cannot be kept in the audit log, or is
            one that no token has.
    """
    table: dict[str, Authenticator] = {}
    for authenticator in authenticators:
        name = authenticator.kind.name
        if name in table or name in _RESERVED_KINDS:
            raise ValueError(f"the kind of credential {name!r} is taken")
        if not _WELL_FORMED_KIND.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a kind: up to 16 of a-z and _")
        table[name] = authenticator
    return table


class ServiceAuthenticator:
    """Our own services, by the one secret that they share. They call internal methods."""

    def __init__(self, internal_token: str) -> None:
        self._internal_token = internal_token.encode()
        self._grant = Grant(Principal(SERVICE_KIND))
        self._seal = PossessionSeal(internal_token)

    def grant(self, secret: str) -> Grant | None:
        """What the secret allows; None if it is not ours."""
        if not hmac.compare_digest(secret.encode(), self._internal_token):
            return None
        return self._grant

    def confirms_possession(self, seal: str, access_token: str) -> bool:
        """Whether our edge says that who sent a token has the key that it is bound to."""
        return self._seal.is_valid(seal, access_token)
