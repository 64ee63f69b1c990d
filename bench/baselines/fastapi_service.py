"""The service that a Python team would otherwise write: FastAPI, SQLAlchemy, PyJWT, Redis.

It does for GET and PATCH /api/v1/users/me, GET /api/v1/organizations/{id} and
POST /api/v1/organizations/{id}/api-keys what the platform does: credential,
live session or key, rate limit over the same windows, one read or a write with
its row of the audit log (and its event) in one transaction, the same envelope
and headers. Written as the libraries'
documents teach: dependencies, async sessions, typed rows, response models,
one Redis script, uvicorn with uvloop and httptools. It reads the platform's
own tables, so both read the same rows with the same indexes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import string
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from redis.asyncio import Redis
from sqlalchemy import ForeignKey, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    contains_eager,
    joinedload,
    mapped_column,
    relationship,
)
from sqlalchemy.types import DateTime, LargeBinary, String, Uuid

# One atomic step for all windows: all are charged or none is.
LIMIT = """
local refused = 0
local counts = {}
for i, key in ipairs(KEYS) do
  local limit, length, now = tonumber(ARGV[i * 2 - 1]), tonumber(ARGV[i * 2]), tonumber(ARGV[#ARGV])
  local slot = math.floor(now / length)
  local current = tonumber(redis.call('HGET', key, slot) or '0')
  local previous = tonumber(redis.call('HGET', key, slot - 1) or '0')
  local faded = previous * (1 - (now % length) / length)
  counts[i] = limit - current - math.ceil(faded)
  if counts[i] < 1 then refused = i end
end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local length, now = tonumber(ARGV[i * 2]), tonumber(ARGV[#ARGV])
    redis.call('HINCRBY', key, math.floor(now / length), 1)
    redis.call('EXPIRE', key, length * 2)
    counts[i] = counts[i] - 1
  end
end
table.insert(counts, 1, refused)
return counts
"""
TIERS = {"free": (30, 500), "basic": (60, 2000), "pro": (120, 5000), "enterprise": (300, 20000)}
# The bench must not run into a limit; the work to decide is the same.
SCALE = int(os.environ["BENCH_LIMIT_SCALE"])
CACHED_SECONDS = 300
ACCESS, IDLE, GRACE = timedelta(minutes=15), timedelta(days=7), timedelta(seconds=30)
ALPHABET = string.ascii_letters + string.digits


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(String),
        bytes: LargeBinary(),
    }


class Profile(Base):
    __tablename__ = "user_profiles"
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    display_name: Mapped[str]
    avatar_url: Mapped[str]
    bio: Mapped[str]
    preferences: Mapped[dict[str, Any]]


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    email_verified_at: Mapped[datetime | None]
    status: Mapped[str]
    role: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    profile: Mapped[Profile] = relationship()


class Session(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id"))
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    absolute_expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    user: Mapped[User] = relationship()


class RefreshToken(Base):
    __tablename__ = "refresh_tokens"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    session: Mapped[Session] = relationship()


class Organization(Base):
    __tablename__ = "organizations"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    slug: Mapped[str]
    tier: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ApiKey(Base):
    __tablename__ = "api_keys"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    created_by: Mapped[UUID | None]
    name: Mapped[str]
    prefix: Mapped[str]
    secret_hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    organization: Mapped[Organization] = relationship()


class Membership(Base):
    __tablename__ = "memberships"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str]


class AuditEntry(Base):
    __tablename__ = "audit_log"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    target_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]
    client_address: Mapped[str]
    request_id: Mapped[str]


class Event(Base):
    __tablename__ = "events"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    organization_id: Mapped[UUID]
    type: Mapped[str]
    data: Mapped[dict[str, Any]]


class Shown(BaseModel):
    """Camel case outside, snake case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class UserShown(Shown):
    id: UUID
    email: str
    email_verified: bool
    display_name: str
    avatar_url: str
    bio: str
    preferences: dict[str, Any]
    status: str
    role: str
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None


class OrganizationShown(Shown):
    id: UUID
    name: str
    slug: str
    tier: str
    role: str
    created_at: datetime
    updated_at: datetime


class ProfileChange(Shown):
    display_name: str | None = Field(None, min_length=1, max_length=50)
    avatar_url: str | None = Field(None, max_length=2000)
    bio: str | None = Field(None, max_length=500)


class NewKey(Shown):
    name: str = Field(min_length=1, max_length=100)
    scopes: list[str] = Field(min_length=1, max_length=50)
    expires_at: datetime | None = None


class ApiKeyShown(Shown):
    id: UUID
    organization_id: UUID
    name: str
    prefix: str
    scopes: list[str]
    status: str
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None


class CreatedKey(Shown):
    api_key: ApiKeyShown
    secret: str


class RefreshRequest(Shown):
    refresh_token: str = Field(min_length=1, max_length=200)


class TokensShown(Shown):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int


class RateLimitShown(Shown):
    limit: int
    remaining: int
    reset_at: datetime


class Meta(Shown):
    rate_limit: RateLimitShown
    request_id: str


Data = TypeVar("Data")


class Envelope(Shown, Generic[Data]):
    success: bool = True
    data: Data
    meta: Meta


@dataclass
class Principal:
    """Who calls: a person with their account, or a key with its organization."""

    subject: str
    tier: str
    user: User | None = None
    key: ApiKey | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ["PORTICO_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    # No overflow: a connection that is opened for one request costs more than the request.
    engine = create_async_engine(url, pool_size=20, max_overflow=0)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.redis = Redis.from_url(os.environ["PORTICO_REDIS_URL"])
    app.state.limit = app.state.redis.register_script(LIMIT)
    app.state.public_key = jwt.PyJWK.from_json(os.environ["BENCH_PUBLIC_KEY"]).key
    app.state.pepper = bytes.fromhex(os.environ["BENCH_PEPPER"])
    app.state.refresh_pepper = bytes.fromhex(os.environ["BENCH_REFRESH_PEPPER"])
    app.state.private_key = ec.generate_private_key(ec.SECP256R1())
    yield
    await app.state.redis.aclose()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=512)


async def database(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


Database = Annotated[AsyncSession, Depends(database)]


async def principal(
    request: Request,
    db: Database,
    authorization: Annotated[str | None, Header()] = None,
    x_api_key: Annotated[str | None, Header()] = None,
) -> Principal:
    if x_api_key is not None:
        return await principal_of_key(request, db, x_api_key)
    if authorization is None or not authorization.startswith("Bearer "):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(
            authorization.removeprefix("Bearer "),
            request.app.state.public_key,
            algorithms=["ES256"],
            audience="portico",
            issuer="portico",
        )
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error
    query = (
        select(Session)
        .where(Session.id == UUID(claims["sid"]), Session.revoked_at.is_(None))
        .options(joinedload(Session.user).joinedload(User.profile))
    )
    session = await db.scalar(query)
    if session is None or not holds(session):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return Principal(claims["sub"], claims["tier"], user=session.user)


def holds(session: Session) -> bool:
    user = session.user
    return (
        session.expires_at > datetime.now(UTC)
        and user.status == "active"
        and user.deleted_at is None
    )


async def principal_of_key(request: Request, db: AsyncSession, secret: str) -> Principal:
    digest = hmac.new(request.app.state.pepper, secret.encode(), hashlib.sha256).digest()
    query = (
        select(ApiKey)
        .where(ApiKey.secret_hash == digest, ApiKey.revoked_at.is_(None))
        .options(joinedload(ApiKey.organization))
    )
    key = await db.scalar(query)
    if key is None or (key.expires_at is not None and key.expires_at < datetime.now(UTC)):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return Principal(str(key.id), key.organization.tier, key=key)


Caller = Annotated[Principal, Depends(principal)]


async def rate_limit(request: Request, response: Response, caller: Caller) -> RateLimitShown:
    return await charge(request, response, caller)


async def charge(request: Request, response: Response, caller: Principal) -> RateLimitShown:
    minute, hour = (limit * SCALE for limit in TIERS[caller.tier])
    windows = {"burst": (minute // 3, 10), "minute": (minute, 60), "hour": (hour, 3600)}
    now = time.time()
    left = await request.app.state.limit(
        keys=[f"bench:{caller.subject}:{name}" for name in windows],
        args=[number for window in windows.values() for number in window] + [now],
    )
    limit, length = windows["minute"]
    reset = int(now - now % length + length)
    response.headers["X-RateLimit-Limit"] = str(limit)
    response.headers["X-RateLimit-Remaining"] = str(left[2])
    response.headers["X-RateLimit-Reset"] = str(reset)
    if left[0]:
        raise HTTPException(429, headers={"Retry-After": str(max(1, int(reset - now)))})
    return RateLimitShown(
        limit=limit, remaining=left[2], reset_at=datetime.fromtimestamp(reset, UTC)
    )


Limit = Annotated[RateLimitShown, Depends(rate_limit)]


@app.get("/api/v1/users/me")
async def get_me(
    request: Request, response: Response, caller: Caller, limit: Limit
) -> Envelope[UserShown]:
    user = caller.user
    if user is None:
        raise HTTPException(403)
    response.headers["ETag"] = f'"{user.version}"'
    return Envelope(data=show_user(user), meta=meta(request, response, limit))


@app.patch("/api/v1/users/me")
async def update_me(
    change: ProfileChange,
    request: Request,
    response: Response,
    caller: Caller,
    limit: Limit,
    db: Database,
) -> Envelope[UserShown]:
    if caller.user is None:
        raise HTTPException(403)
    query = (
        select(User)
        .where(User.id == caller.user.id, User.deleted_at.is_(None))
        .options(joinedload(User.profile, innerjoin=True))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    user = await db.scalar(query)
    if user is None:
        raise HTTPException(404)
    for name, value in change.model_dump(exclude_none=True).items():
        setattr(user.profile, name, value)
    if db.is_modified(user.profile):
        user.version += 1
        user.updated_at = datetime.now(UTC)
    shown = show_user(user)
    described = meta(request, response, limit)
    db.add(audited("user.updated", user, user.id, shown, request, described))
    await db.commit()
    response.headers["ETag"] = f'"{user.version}"'
    return Envelope(data=shown, meta=described)


@app.post("/api/v1/organizations/{organization_id}/api-keys", status_code=201)
async def create_api_key(
    organization_id: UUID,
    new: NewKey,
    request: Request,
    response: Response,
    caller: Caller,
    limit: Limit,
    db: Database,
) -> Envelope[CreatedKey]:
    user = caller.user
    if user is None:
        raise HTTPException(403)
    role = await db.scalar(
        select(Membership.role).where(
            Membership.organization_id == organization_id, Membership.user_id == user.id
        )
    )
    if role is None:
        raise HTTPException(404)
    if role not in ("owner", "admin"):
        raise HTTPException(403)
    secret = "pk_test_" + "".join(secrets.choice(ALPHABET) for _ in range(40))
    key = ApiKey(
        id=uuid4(),
        organization_id=organization_id,
        created_by=user.id,
        name=new.name,
        prefix=secret[:14],
        secret_hash=hmac.new(request.app.state.pepper, secret.encode(), hashlib.sha256).digest(),
        scopes=new.scopes,
        expires_at=new.expires_at,
    )
    db.add(key)
    await db.flush()
    shown = ApiKeyShown(
        id=key.id,
        organization_id=organization_id,
        name=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
        status="active",
        created_by=user.id,
        created_at=key.created_at,
        updated_at=key.updated_at,
        expires_at=key.expires_at,
    )
    described = meta(request, response, limit)
    entry = audited("key.created", user, key.id, shown, request, described)
    entry.organization_id = organization_id
    db.add(entry)
    db.add(Event(organization_id=organization_id, type="key.created", data=entry.details))
    await db.commit()
    response.headers["Location"] = f"/api/v1/api-keys/{key.id}"
    return Envelope(data=CreatedKey(api_key=shown, secret=secret), meta=described)


def audited(
    action: str, user: User, target_id: UUID, shown: Shown, request: Request, described: Meta
) -> AuditEntry:
    return AuditEntry(
        actor_kind="user",
        actor_id=user.id,
        action=action,
        target_id=target_id,
        details=shown.model_dump(mode="json", by_alias=True),
        client_address=request.client.host if request.client else "",
        request_id=described.request_id,
    )


def show_user(user: User) -> UserShown:
    return UserShown(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified_at is not None,
        display_name=user.profile.display_name,
        avatar_url=user.profile.avatar_url,
        bio=user.profile.bio,
        preferences=user.profile.preferences,
        status=user.status,
        role=user.role,
        created_at=user.created_at,
        updated_at=user.updated_at,
        last_login_at=user.last_login_at,
    )


@app.post("/api/v1/auth/refresh")
async def refresh(
    sent: RefreshRequest, request: Request, response: Response, db: Database
) -> Envelope[TokensShown]:
    """Each token once, with a grace of 30 seconds; one that comes back later ends its session."""
    now = datetime.now(UTC)
    query = (
        select(RefreshToken)
        .join(RefreshToken.session)
        .join(Session.user)
        .where(RefreshToken.token_hash == refresh_digest(request, sent.refresh_token))
        .options(contains_eager(RefreshToken.session).contains_eager(Session.user))
        .with_for_update(of=[RefreshToken, Session])
    )
    token = await db.scalar(query)
    if token is None or token.expires_at <= now or not can_refresh(token.session):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    session = token.session
    limit = await charge(request, response, Principal(str(session.id), "enterprise"))
    if token.used_at is not None and token.used_at + GRACE < now:
        session.revoked_at = now
        await db.commit()
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    tier = await db.scalar(
        select(Organization.tier)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(Membership.user_id == session.user_id)
        .where(Organization.id == session.organization_id, Organization.deleted_at.is_(None))
    )
    token.used_at = token.used_at or now
    session.last_used_at = now
    session.expires_at = min(now + IDLE, session.absolute_expires_at)
    new = secrets.token_urlsafe(32)
    db.add(
        RefreshToken(
            session_id=session.id,
            token_hash=refresh_digest(request, new),
            created_at=now,
            expires_at=session.expires_at,
        )
    )
    await db.commit()
    shown = TokensShown(
        access_token=sign(request, session, tier or "free", now),
        refresh_token=new,
        expires_in=int(ACCESS.total_seconds()),
    )
    return Envelope(data=shown, meta=meta(request, response, limit))


def can_refresh(session: Session) -> bool:
    return session.revoked_at is None and holds(session)


def refresh_digest(request: Request, token: str) -> bytes:
    return hmac.new(request.app.state.refresh_pepper, token.encode(), hashlib.sha256).digest()


def sign(request: Request, session: Session, tier: str, now: datetime) -> str:
    claims = {
        "iss": "portico",
        "aud": "portico",
        "sub": str(session.user_id),
        "kind": "user",
        "sid": str(session.id),
        "org": str(session.organization_id),
        "tier": tier,
        "iat": now,
        "exp": now + ACCESS,
        "jti": str(uuid4()),
    }
    return jwt.encode(claims, request.app.state.private_key, "ES256", headers={"kid": "bench"})


@app.get("/api/v1/organizations/{organization_id}")
async def get_organization(
    organization_id: UUID,
    request: Request,
    response: Response,
    caller: Caller,
    limit: Limit,
    db: Database,
) -> Envelope[OrganizationShown]:
    key = caller.key
    if key is None or key.organization_id != organization_id:
        raise HTTPException(404)
    if "organization:read" not in key.scopes:
        raise HTTPException(403)
    organization = await db.get(Organization, organization_id)
    if organization is None or organization.deleted_at is not None:
        raise HTTPException(404)
    shown = OrganizationShown(
        id=organization.id,
        name=organization.name,
        slug=organization.slug,
        tier=organization.tier,
        role="",
        created_at=organization.created_at,
        updated_at=organization.updated_at,
    )
    response.headers["ETag"] = f'"{organization.version}"'
    return Envelope(data=shown, meta=meta(request, response, limit))


@app.get("/verify")
async def verify(
    request: Request, db: Database, x_api_key: Annotated[str, Header()]
) -> dict[str, Any]:
    """What a key is good for: from the cache, or from the database and then cached."""
    pepper, redis = request.app.state.pepper, request.app.state.redis
    name = f"bench:key:{hmac.new(pepper, x_api_key.encode(), hashlib.sha256).hexdigest()}"
    cached = await redis.get(name)
    if cached is not None:
        found: dict[str, Any] = json.loads(cached)
        return found
    caller = await principal_of_key(request, db, x_api_key)
    key = caller.key
    if key is None:
        raise HTTPException(401)
    found = {
        "id": caller.subject,
        "organization": str(key.organization_id),
        "tier": caller.tier,
        "scopes": key.scopes,
    }
    await redis.set(name, json.dumps(found), ex=CACHED_SECONDS)
    return found


def meta(request: Request, response: Response, limit: RateLimitShown) -> Meta:
    request_id = request.headers.get("x-request-id") or str(uuid4())
    response.headers["X-Request-ID"] = request_id
    return Meta(rate_limit=limit, request_id=request_id)
