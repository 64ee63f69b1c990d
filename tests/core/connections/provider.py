"""An OpenID provider on this machine that speaks the real protocol, and misbehaves if told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

CLIENT_ID = "portico client+1"
CLIENT_SECRET = "s3cret:/&%"

Alter = Callable[[dict[str, Any]], None]


def _unchanged(_: dict[str, Any]) -> None:
    return None


@dataclass(frozen=True)
class Key:
    """A signing key of the provider."""

    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def make(cls, kid: str) -> Key:
        return cls(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @property
    def public(self) -> dict[str, Any]:
        found = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**found, "kid": self.kid, "use": "sig", "alg": "RS256"}

    @property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )


KEYS = [Key.make("one"), Key.make("two")]


@dataclass
class Provider:
    """A provider, what it says, and what it was asked.

    Attributes:
        person: the claims about who signs in there.
        id_token: changes the claims of each ID token.
        callback: changes the parameters that the browser brings back.
        sign: makes the ID token of its claims, if not as everybody does.
        keys: signs with the first, publishes all.
        delay: seconds before each answer.
    """

    base: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    discovery: Alter = _unchanged
    id_token: Alter = _unchanged
    userinfo: Alter = _unchanged
    callback: Alter = _unchanged
    token_answer: Alter = _unchanged
    sign: Callable[[dict[str, Any]], str] | None = None
    keys: list[Key] = field(default_factory=lambda: [KEYS[0]])
    # JSON Web Keys that stand beside them.
    other_keys: list[Any] = field(default_factory=list)
    claims_in_userinfo: bool = False
    # In the place of the answer of the token endpoint.
    raw_answer: bytes = b""
    delay: float = 0.0
    redirect_to: str = ""
    padding: int = 0
    asked: list[str] = field(default_factory=list)
    exchanged: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)
    # Clients that have registered themselves: their metadata, by id. Empty: nobody can.
    registers: bool = False
    registration: Alter = _unchanged
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    # What was sent to register, in this order, and with which token.
    registrations: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    # The status that the registration is answered with in its place.
    registration_status: int = 0
    webfinger: Alter = _unchanged
    # What WebFinger was asked for.
    resources: list[str] = field(default_factory=list)
    # Makes the user info of its claims, if it is not JSON.
    sign_userinfo: Callable[[dict[str, Any]], str] | None = None
    # A path in front of the issuer's endpoints, as Microsoft's tenants have.
    path: str = ""

    @property
    def issuer(self) -> str:
        return self.base + self.path

    def metadata(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "userinfo_endpoint": f"{self.base}/userinfo",
            "jwks_uri": f"{self.base}/jwks",
            "end_session_endpoint": f"{self.base}/logout",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        if self.registers:
            document["registration_endpoint"] = f"{self.base}/register"
        self.discovery(document)
        return document

    def authorize(self, url: str) -> dict[str, str]:
        """What the browser brings back after the person has agreed: the query of the callback."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        brought = {"code": code, "state": asked["state"], "iss": self.issuer}
        self.callback(brought)
        return brought

    def claims(self, asked: dict[str, str], access_token: str) -> dict[str, Any]:
        now = int(time.time())
        digest = hashlib.sha256(access_token.encode()).digest()
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": self.person["sub"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "at_hash": base64.urlsafe_b64encode(digest[:16]).decode().rstrip("="),
        }
        if not self.claims_in_userinfo:
            claims |= self.person
        self.id_token(claims)
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """A token of the provider."""
        key = self.keys[0]
        return jwt.encode(claims, key.private, "RS256", headers={"kid": key.kid, **header})

    def logout_token(self, **claims: Any) -> str:
        """A logout token; a claim that is None is left out."""
        now = int(time.time())
        found = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(8),
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **claims,
        }
        return self.signed({name: value for name, value in found.items() if value is not None})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers whatever is asked."""
        path = request.path.removeprefix(self.path)
        self.asked.append(path)
        await asyncio.sleep(self.delay)
        if self.redirect_to:
            raise web.HTTPFound(self.redirect_to)
        match path:
            case "/.well-known/openid-configuration":
                return self._json(self.metadata())
            case "/jwks":
                keys = [key.public for key in self.keys]
                return self._json({"keys": [*self.other_keys, *keys]})
            case "/token":
                return await self._token(request)
            case "/userinfo":
                return self._userinfo(request)
            case "/.well-known/webfinger":
                return self._webfinger(request)
        if path.startswith("/register") and self.registers:
            return await self._register(request)
        raise web.HTTPNotFound

    def _webfinger(self, request: web.Request) -> web.Response:
        relation = "http://openid.net/specs/connect/1.0/issuer"
        assert request.query["rel"] == relation
        self.resources.append(request.query["resource"])
        links: list[Any] = [{"rel": "other", "href": "https://other.example"}]
        document = {
            "subject": request.query["resource"],
            "links": [*links, {"rel": relation, "href": self.issuer}],
        }
        self.webfinger(document)
        return web.json_response(document, content_type="application/jrd+json")

    async def _register(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        client_id = request.path.removeprefix("/register").removeprefix("/")
        if client_id and token != f"token of {client_id}":
            return web.Response(status=401)
        sent = await request.json() if request.can_read_body else {}
        self.registrations.append((request.method, sent, token))
        if self.registration_status:
            return web.json_response({"error": "invalid_token"}, status=self.registration_status)
        if request.method == "DELETE":
            self.ended.append(client_id)
            return web.Response(status=204)
        client_id = client_id or secrets.token_urlsafe(6)
        client = {
            **sent,
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(20),
            "client_secret_expires_at": 0,
            "registration_client_uri": f"{self.base}/register/{client_id}",
            "registration_access_token": f"token of {client_id}",
        }
        self.registration(client)
        self.clients[client_id] = client
        return web.json_response(client, status=201 if request.method == "POST" else 200)

    def _json(self, content: dict[str, Any]) -> web.Response:
        return web.json_response({**content, "padding": "x" * self.padding})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.exchanged.append(form)
        if self.raw_answer:
            return web.Response(body=self.raw_answer, content_type="application/json")
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or not self._is_client(request, form):
            return web.json_response({"error": "invalid_grant"}, status=400)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe(8)
        self.access_tokens.add(token)
        claims = self.claims(asked, token)
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "id_token": (self.sign or self.signed)(claims),
        }
        self.token_answer(answer)
        return self._json(answer)

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        if "client_assertion" in form and form["client_id"] in self.clients:
            (key,) = self.clients[form["client_id"]]["jwks"]["keys"]
            audience = f"{self.base}/token"
            assertion = form["client_assertion"]
            claims = jwt.decode(
                assertion, jwt.PyJWK(key, "RS256").key, algorithms=["RS256"], audience=audience
            )
            return bool(claims["iss"] == claims["sub"] == form["client_id"])
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().split(":")
            name, secret = (unquote_plus(half) for half in pair)
            known = self.clients.get(
                name, {"client_secret": CLIENT_SECRET if name == CLIENT_ID else None}
            )
            return bool(secret == known["client_secret"])
        return form.get("client_secret") == CLIENT_SECRET

    def _userinfo(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.access_tokens:
            return web.Response(status=401)
        claims = dict(self.person)
        self.userinfo(claims)
        if self.sign_userinfo is not None:
            claims = {name: value for name, value in claims.items() if value is not None}
            return web.Response(text=self.sign_userinfo(claims), content_type="application/jwt")
        return self._json(claims)


def unsigned(claims: dict[str, Any]) -> str:
    """A token that nobody has signed, as "alg": "none" has it."""
    header = {"alg": "none", "typ": "JWT"}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join(part.decode().rstrip("=") for part in parts) + "."


@asynccontextmanager
async def running_provider(**fields: Any) -> AsyncIterator[Provider]:
    """A provider that listens on a free port of this machine."""
    provider = Provider(**fields)
    async with listening(provider.answer) as base:
        provider.base = base
        yield provider


@asynccontextmanager
async def listening(answer: Callable[[web.Request], Any], port: int = 0) -> AsyncIterator[str]:
    """The address of a server of this machine."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class GitHub:
    """A server that speaks as GitHub does."""

    base: str = ""
    user: dict[str, Any] = field(default_factory=dict)
    emails: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, url: str) -> dict[str, str]:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert urlsplit(url).path == "/login/oauth/authorize"
        code = secrets.token_hex(10)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/login/oauth/access_token":
            return await self._token(request)
        if request.headers.get("authorization") != "Bearer gho_token":
            return web.json_response({"message": "Bad credentials"}, status=401)
        match request.path:
            case "/api/v3/user":
                return web.json_response(self.user)
            case "/api/v3/user/emails":
                return web.json_response(self.emails)
        return web.json_response({"message": "Not Found"}, status=404)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        # Without this header GitHub answers as a form does.
        if request.headers.get("accept") != "application/json":
            return web.Response(text=urlencode({"access_token": "gho_token"}))
        asked = self.codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or form.get("client_secret") != CLIENT_SECRET
            or challenge != asked["code_challenge"]
        ):
            # With 200, as GitHub does it.
            return web.json_response({"error": "bad_verification_code"})
        return web.json_response({"access_token": "gho_token", "token_type": "bearer"})
