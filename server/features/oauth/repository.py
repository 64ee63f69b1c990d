"""The questions that are asked about grants and what came of them, one query each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CTE,
    BindParameter,
    Boolean,
    ColumnElement,
    LargeBinary,
    String,
    Uuid,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.paging import Cursors, Order, Page, Paging, fetch_page
from portico_kit.storage.reads import keyed_query
from portico_kit.storage.statements import Statement, compiled
from server.features.applications.facade import application_exists
from server.features.auth.facade import session_lasts
from server.features.oauth.models import (
    StoredAuthorization,
    StoredCode,
    StoredDeviceCode,
    StoredGrant,
)
from server.features.organizations.facade import is_member_since, member_tier
from server.features.users.facade import session_may_hold, with_account

NEWEST_FIRST = Order((StoredGrant.id,))
RECENT = timedelta(days=30)
MINUTE = timedelta(minutes=1)


class UsedCode(NamedTuple):
    """A code that was found to be of no use."""

    authorization_id: UUID
    application_id: UUID
    user_id: UUID
    used: bool
    redirect_uri: str


class Usage(NamedTuple):
    """How much an application is used, see the contract."""

    people: int
    organizations: int
    grants: int
    new_grants: int
    used_grants: int
    last_used_at: datetime | None


class GrantRepository:
    """Grants in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, grant: StoredGrant) -> None:
        """Adds a new grant."""
        self._db.add(grant)

    async def lock_person(self, user_id: UUID, application_id: UUID) -> None:
        """Has those wait for each other who approve the same application for the same person."""
        name = f"oauth_grants {user_id} {application_id}"
        await self._db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))

    async def active(
        self, user_id: UUID, application_id: UUID
    ) -> Mapping[UUID | None, StoredGrant]:
        """A person's grants to an application, by organization.

        One in an organization that the person has left since counts no more, even if they have
        joined it once more.
        """
        query = select(StoredGrant).where(
            StoredGrant.user_id == user_id,
            StoredGrant.application_id == application_id,
            StoredGrant.revoked_at.is_(None),
            _in_organization(StoredGrant.created_at),
        )
        return {grant.organization_id: grant for grant in await self._db.scalars(query)}

    async def revoke_left(
        self, user_id: UUID, application_id: UUID, organization_id: UUID | None, now: datetime
    ) -> None:
        """Revokes a grant that counts no more, so that another can take its place."""
        await self._db.execute(
            update(StoredGrant)
            .where(
                StoredGrant.user_id == user_id,
                StoredGrant.application_id == application_id,
                StoredGrant.organization_id == organization_id,
                StoredGrant.revoked_at.is_(None),
            )
            .values(revoked_at=now)
        )

    async def revoke_of_member(
        self, user_id: UUID, organization_id: UUID, now: datetime
    ) -> Sequence[StoredGrant]:
        """Revokes what a person let applications do in an organization; gives it."""
        which = (StoredGrant.user_id == user_id, StoredGrant.organization_id == organization_id)
        return await self._revoke(now, *which)

    async def revoke_of_application(
        self, application_id: UUID, now: datetime
    ) -> Sequence[StoredGrant]:
        """Revokes what people let an application do; gives it."""
        return await self._revoke(now, StoredGrant.application_id == application_id)

    async def exist_of_application(self, application_id: UUID) -> bool:
        """Whether an application was ever let in, as far as is remembered."""
        found = exists().where(StoredGrant.application_id == application_id)
        return bool(await self._db.scalar(select(found)))

    async def _revoke(self, now: datetime, *which: ColumnElement[bool]) -> Sequence[StoredGrant]:
        revoked = (
            update(StoredGrant)
            .where(*which, StoredGrant.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(StoredGrant)
        )
        return (await self._db.scalars(revoked)).all()

    async def find(self, grant_id: UUID, user_id: UUID) -> StoredGrant | None:
        """An active grant of a person, locked."""
        query = select(StoredGrant).where(
            StoredGrant.id == grant_id,
            StoredGrant.user_id == user_id,
            StoredGrant.revoked_at.is_(None),
        )
        return await self._db.scalar(query.with_for_update())

    async def list(self, user_id: UUID, paging: Paging, cursors: Cursors) -> Page[StoredGrant]:
        """A page of a person's active grants, newest first."""
        query = select(StoredGrant).where(
            StoredGrant.user_id == user_id,
            StoredGrant.revoked_at.is_(None),
            application_exists(StoredGrant.application_id),
            _in_organization(StoredGrant.created_at),
        )
        return await fetch_page(self._db, query, NEWEST_FIRST, paging, cursors)

    async def usage(self, application_id: UUID, now: datetime) -> Usage:
        """How much an application is used."""
        since = now - RECENT
        query = select(
            func.count(StoredGrant.user_id.distinct()),
            func.count(StoredGrant.organization_id.distinct()),
            func.count(),
            func.count().filter(StoredGrant.created_at > since),
            func.count().filter(StoredGrant.last_used_at > since),
            func.max(StoredGrant.last_used_at),
        ).where(StoredGrant.application_id == application_id, StoredGrant.revoked_at.is_(None))
        return Usage(*(await self._db.execute(query)).one())


class AuthorizationRepository:
    """Authorizations and their codes in the caller's transaction."""

    def __init__(self, db: AsyncSession) -> None:
        self._db = db

    def add(self, authorization: StoredAuthorization) -> None:
        """Adds a new authorization."""
        self._db.add(authorization)

    def add_code(self, code: StoredCode) -> None:
        """Adds the code of an authorization that was added before."""
        self._db.add(code)

    async def take_back(self, request_hash: bytes) -> None:
        """Voids the codes of a request that nobody has used.

        Codes before authorizations, as the use of a code locks them.
        """
        unused = select(StoredAuthorization.id).where(
            StoredAuthorization.request_hash == request_hash,
            StoredAuthorization.last_used_at.is_(None),
        )
        codes = delete(StoredCode).where(StoredCode.authorization_id.in_(unused))
        await self._db.execute(codes.execution_options(synchronize_session=False))
        gone = delete(StoredAuthorization).where(StoredAuthorization.id.in_(unused))
        await self._db.execute(gone.execution_options(synchronize_session=False))

    async def find_code(self, code_hash: bytes) -> UsedCode | None:
        """A code, whatever has become of it."""
        query = (
            select(
                StoredCode.authorization_id,
                StoredGrant.application_id,
                StoredGrant.user_id,
                StoredCode.used_by.is_not(None),
                StoredCode.redirect_uri,
            )
            .join(StoredAuthorization, StoredAuthorization.id == StoredCode.authorization_id)
            .join(StoredGrant, StoredGrant.id == StoredAuthorization.grant_id)
            .where(StoredCode.code_hash == code_hash)
        )
        row = (await self._db.execute(query)).one_or_none()
        return UsedCode(*row) if row else None

    async def end(self, authorization_id: UUID, now: datetime) -> bool:
        """Ends every token of an authorization, and says whether it had not ended before."""
        ended = await self._db.scalars(
            update(StoredAuthorization)
            .where(
                StoredAuthorization.id == authorization_id, StoredAuthorization.ended_at.is_(None)
            )
            .values(ended_at=now)
            .returning(StoredAuthorization.id)
        )
        return ended.one_or_none() is not None


def _in_organization(moment: Any) -> ColumnElement[bool]:
    """That the person has been in the grant's organization since, if it has one."""
    return or_(
        StoredGrant.organization_id.is_(None),
        is_member_since(StoredGrant.organization_id, StoredGrant.user_id, moment),
    )


def _lives(now: BindParameter[datetime]) -> ColumnElement[bool]:
    """That the tokens of an authorization are good, but for the account behind it."""
    return and_(
        StoredAuthorization.ended_at.is_(None),
        StoredGrant.revoked_at.is_(None),
        or_(StoredAuthorization.offline, session_lasts(StoredAuthorization.session_id, now)),
        _in_organization(StoredAuthorization.created_at),
    )


_ACCOUNT_LETS = session_may_hold(StoredGrant.user_id, StoredAuthorization.session_began_at)

# What the access tokens of authorizations that live at the moment `now` allow, each with its
# person's account behind it; asked at each call of an application for a person.
LIVING = keyed_query(
    with_account(
        select(
            StoredAuthorization.id.label("authorization_id"),
            StoredAuthorization.grant_id,
            StoredGrant.application_id,
            StoredGrant.organization_id,
            StoredGrant.scopes,
            StoredAuthorization.acr,
        )
        .join(StoredGrant, StoredGrant.id == StoredAuthorization.grant_id)
        .where(_lives(bindparam("now"))),
        StoredGrant.user_id,
        StoredAuthorization.session_began_at,
    ),
    StoredAuthorization.id,
)
# The columns before the account's.
LIVING_COLUMNS = 6

# Which authorizations live at the moment `now`, asked where nothing else is of interest.
ACTIVE = keyed_query(
    select(StoredAuthorization.id, StoredGrant.application_id, StoredGrant.organization_id)
    .join(StoredGrant, StoredGrant.id == StoredAuthorization.grant_id)
    .where(_lives(bindparam("now")), _ACCOUNT_LETS),
    StoredAuthorization.id,
)

# What refresh tokens of authorizations that live at the moment `now` are held against, before
# anything is locked.
REFRESHABLE = keyed_query(
    select(
        StoredAuthorization.id,
        StoredAuthorization.refresh_seed,
        StoredAuthorization.refresh_counter,
        StoredGrant.application_id,
        StoredGrant.user_id,
        StoredGrant.organization_id,
        StoredAuthorization.scopes,
        StoredAuthorization.acr,
        StoredAuthorization.amr,
        StoredAuthorization.auth_time,
        StoredAuthorization.last_used_at,
        StoredAuthorization.expires_at,
        StoredAuthorization.dpop_jkt,
    )
    .join(StoredGrant, StoredGrant.id == StoredAuthorization.grant_id)
    .where(
        _lives(bindparam("now")), _ACCOUNT_LETS, StoredAuthorization.expires_at > bindparam("now")
    ),
    StoredAuthorization.id,
)

# Whose refresh tokens are, whatever has become of the authorizations.
SEEDS = keyed_query(
    select(
        StoredAuthorization.id,
        StoredAuthorization.refresh_seed,
        StoredAuthorization.refresh_counter,
        StoredAuthorization.scopes,
        StoredAuthorization.dpop_jkt,
        StoredGrant.application_id,
        StoredGrant.user_id,
    ).join(StoredGrant, StoredGrant.id == StoredAuthorization.grant_id),
    StoredAuthorization.id,
)


class TokenSource(NamedTuple):
    """What the tokens of an authorization are made of.

    Attributes:
        tier: how much the person may use of the organization; None if there is none.
    """

    authorization_id: UUID
    grant_id: UUID
    user_id: UUID
    organization_id: UUID | None
    session_id: UUID
    refresh_counter: int
    refresh_seed: bytes
    scopes: list[str]
    claims: list[str]
    acr: str
    amr: list[str]
    auth_time: datetime
    nonce: str
    tier: str | None


_SOURCE = (
    StoredAuthorization.id.label("authorization_id"),
    StoredAuthorization.grant_id,
    StoredGrant.user_id,
    StoredGrant.organization_id,
    StoredAuthorization.session_id,
    StoredAuthorization.refresh_counter,
    StoredAuthorization.refresh_seed,
    StoredAuthorization.scopes,
    StoredAuthorization.claims,
    StoredAuthorization.acr,
    StoredAuthorization.amr,
    StoredAuthorization.auth_time,
    StoredAuthorization.nonce,
)


def _with_tier(moved: Any) -> Statement:
    """What the tokens are made of that an update has moved on; notes that the grant was used."""
    cte = moved.returning(*_SOURCE).cte("moved")
    noted = (
        update(StoredGrant)
        .where(
            StoredGrant.id == cte.c.grant_id,
            # To the minute: not each use of many devices is to wait for the one row.
            or_(
                StoredGrant.last_used_at.is_(None),
                StoredGrant.last_used_at
                < bindparam("now", type_=StoredGrant.last_used_at.type) - MINUTE,
            ),
        )
        .values(last_used_at=bindparam("now"))
        .returning(StoredGrant.id)
        .cte("noted")
    )
    tier = member_tier(cte.c.organization_id, cte.c.user_id).label("tier")
    return compiled(select(*cte.c, tier).add_cte(noted))


_JKT = bindparam("dpop_jkt", type_=String())
# That an authorization is bound to no key, or to the one that the client has proved to have.
_KEY_FITS = or_(StoredAuthorization.dpop_jkt == "", StoredAuthorization.dpop_jkt == _JKT)

# Uses the code up whose hash is `code_hash`, and gives what its tokens are made of, or no row: it
# is used, its time is over, or it belongs to another application, address, verifier or key.
#
# One statement, so nothing is between its steps. It may be sent twice by the call `attempt`: the
# second time it finds the code used by that call. Of two calls the second waits for the row, and
# finds it used.
_used = (
    update(StoredCode)
    .where(
        StoredCode.code_hash == bindparam("code_hash"),
        or_(StoredCode.used_by.is_(None), StoredCode.used_by == bindparam("attempt")),
        StoredCode.expires_at > bindparam("now"),
        StoredCode.code_challenge == bindparam("code_challenge"),
        or_(
            bindparam("redirect_uri", type_=String()) == "",
            StoredCode.redirect_uri == bindparam("redirect_uri", type_=String()),
        ),
        StoredAuthorization.id == StoredCode.authorization_id,
        _KEY_FITS,
        StoredGrant.id == StoredAuthorization.grant_id,
        StoredGrant.application_id == bindparam("application_id"),
        _lives(bindparam("now")),
        _ACCOUNT_LETS,
    )
    .values(used_by=bindparam("attempt", type_=Uuid()))
    .returning(StoredCode.authorization_id)
    .cte("used")
)


def _first_tokens(used: CTE) -> Statement:
    """What the first tokens of an authorization are made of, whose code has just been used."""
    return _with_tier(
        update(StoredAuthorization)
        .where(
            StoredAuthorization.id == used.c.authorization_id,
            StoredGrant.id == StoredAuthorization.grant_id,
        )
        .values(
            refresh_counter=func.greatest(StoredAuthorization.refresh_counter, 1),
            dpop_jkt=_JKT,
            last_used_at=bindparam("now"),
            expires_at=func.least(
                bindparam("idle_end", type_=StoredAuthorization.expires_at.type),
                StoredAuthorization.absolute_expires_at,
            ),
        )
    )


EXCHANGE = _first_tokens(_used)

# The same for a device code that was approved.
DEVICE_EXCHANGE = _first_tokens(
    update(StoredDeviceCode)
    .where(
        StoredDeviceCode.code_hash == bindparam("code_hash"),
        or_(StoredDeviceCode.used_by.is_(None), StoredDeviceCode.used_by == bindparam("attempt")),
        StoredDeviceCode.expires_at > bindparam("now"),
        StoredAuthorization.id == StoredDeviceCode.authorization_id,
        StoredGrant.id == StoredAuthorization.grant_id,
        StoredGrant.application_id == bindparam("application_id"),
        _lives(bindparam("now")),
        _ACCOUNT_LETS,
    )
    .values(used_by=bindparam("attempt", type_=Uuid()))
    .returning(StoredDeviceCode.authorization_id)
    .cte("used")
)

_GIVEN = StoredAuthorization.scopes

# Uses the refresh token with the number before `successor`, unless its successor has been used or
# the scopes are not allowed; gives what the new tokens are made of, or no row. It may run twice:
# the second time it finds a token whose successor has not been used.
#
# Whether the token is ours is looked at here, too (see `refresh_chain`): a look-up before would
# cost as much as all else. What is none of ours waits for no lock.
REFRESH = _with_tier(
    update(StoredAuthorization)
    .where(
        StoredAuthorization.id == bindparam("authorization_id"),
        func.sha256(
            StoredAuthorization.refresh_seed.concat(bindparam("number", type_=LargeBinary()))
        )
        == bindparam("seed_hash", type_=LargeBinary()),
        StoredAuthorization.refresh_counter <= bindparam("successor"),
        _GIVEN.bool_op("@>")(bindparam("asked", type_=_GIVEN.type)),
        _GIVEN.bool_op("&&")(bindparam("allowed", type_=_GIVEN.type)),
        StoredAuthorization.expires_at > bindparam("now"),
        or_(_KEY_FITS, ~bindparam("bound", type_=Boolean())),
        StoredGrant.id == StoredAuthorization.grant_id,
        StoredGrant.application_id == bindparam("application_id"),
        _lives(bindparam("now")),
        _ACCOUNT_LETS,
    )
    .values(
        refresh_counter=bindparam("successor"),
        dpop_jkt=_JKT,
        last_used_at=bindparam("now"),
        expires_at=func.least(
            bindparam("idle_end", type_=StoredAuthorization.expires_at.type),
            StoredAuthorization.absolute_expires_at,
        ),
    )
)


def sources(rows: Sequence[Any]) -> TokenSource | None:
    """What an update gave: one row, or none."""
    return TokenSource(*rows[0]) if rows else None
