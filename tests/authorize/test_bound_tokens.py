"""Tokens that are bound to a key (RFC 9449): the proof of each request, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from edge.settings import AuthorizeSettings
from portico_kit.edge_state.possession import POSSESSION_HEADER, PossessionSeal
from portico_kit.testing.fake_core import INTERNAL_TOKEN, FakeCore
from tests.authorize.harness import BOUND_PATH, CheckResult, Edge, running_edge
from tests.gateway.tokens import APPLICATION, ORIGIN, Signer
from tests.support.certificates import PROXY_SECRET, new_certificate
from tests.support.proofs import ProofKey

SIGNER = Signer("main")
URL = f"{ORIGIN}{BOUND_PATH}"


@dataclass(frozen=True)
class Client:
    """An application with a key, in front of the service."""

    edge: Edge
    key: ProofKey

    @property
    def now(self) -> int:
        return int(self.edge.clock().timestamp())

    def token(self, **changes: Any) -> str:
        """A token that is bound to its key."""
        claims = {"exp": self.now + 300, "iat": self.now, "cnf": {"jkt": self.key.jkt}}
        return SIGNER.access_token(**{**claims, **changes})

    async def nonce(self) -> str:
        """The nonce of this moment, as the first refusal gives it."""
        return (await self.edge.check_bound(self.token(), None)).nonce

    async def proof(self, token: str, **changes: Any) -> str:
        """A proof for the request that `Edge.check_bound` makes."""
        said = {"iat": self.now, "nonce": await self.nonce(), **changes}
        method, url = said.pop("method", "GET"), said.pop("url", URL)
        return self.key.proof(method, url, token=said.pop("proven", token), **said)

    async def call(self, token: str | None = None, **changes: Any) -> CheckResult:
        """One request with a proof; changes are to what the proof says."""
        token = token or self.token()
        return await self.edge.check_bound(token, await self.proof(token, **changes))


@pytest.fixture
async def client(settings: AuthorizeSettings, core: FakeCore) -> AsyncIterator[Client]:
    core.signing_keys = [SIGNER.public]
    async with running_edge(settings, core) as edge:
        yield Client(edge, ProofKey())


def is_refused(result: CheckResult, status: int, code: str, error: str) -> None:
    assert (result.status, result.headers["x-error-code"]) == (status, code)
    challenge = result.headers["www-authenticate"]
    assert challenge.startswith('DPoP realm="portico", resource_metadata="')
    assert f'error="{error}"' in challenge
    assert 'algs="ES256 EdDSA Ed25519 PS256"' in challenge
    assert result.nonce


async def test_a_token_with_its_proof_goes_on_under_a_seal(client: Client) -> None:
    token = client.token(sub="somebody", tier="pro", org="acme")
    result = await client.call(token)
    assert result.headers == {
        "authorization": f"Bearer {token}",
        POSSESSION_HEADER: PossessionSeal(INTERNAL_TOKEN).make(token),
        "x-auth-subject": "somebody",
        "x-auth-tier": "pro",
        "x-auth-organization": "acme",
        "x-auth-application": APPLICATION,
    }
    assert result.removed == ["x-edge-dpop", "dpop"]


async def test_a_seal_is_for_one_token(client: Client) -> None:
    seal = PossessionSeal(INTERNAL_TOKEN)
    assert seal.is_valid(seal.make("one"), "one")
    for other in (seal.make("two"), "", "é", PossessionSeal("another secret").make("one")):
        assert not seal.is_valid(other, "one")


async def test_the_first_request_is_told_a_nonce(client: Client) -> None:
    token = client.token()
    proof = client.key.proof("GET", URL, token=token, iat=client.now)
    result = await client.edge.check_bound(token, proof)
    is_refused(result, 401, "DPOP_NONCE_REQUIRED", "use_dpop_nonce")
    again = client.key.proof("GET", URL, token=token, iat=client.now, nonce=result.nonce)
    assert (await client.edge.check_bound(token, again)).status == 200


async def test_an_answer_has_the_nonce_for_the_next_request(client: Client) -> None:
    token, nonce = client.token(exp=client.now + 10_000), await client.nonce()
    assert (await client.call(token, nonce=nonce)).nonce == nonce
    client.edge.clock.advance(seconds=200)
    result = await client.call(token, nonce=nonce)
    assert result.status == 200
    assert result.nonce != nonce
    client.edge.clock.advance(seconds=400)
    is_refused(await client.call(token, nonce=nonce), 401, "DPOP_NONCE_REQUIRED", "use_dpop_nonce")


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "POST"},
        {"url": f"{ORIGIN}/api/v1/api-keys/two"},
        {"url": f"{ORIGIN}/a.B/C"},
        {"url": "https://other.example.com/api/v1/api-keys/one"},
        {"url": URL.replace("https", "http")},
        {"proven": "another token"},
        {"proven": None},
        {"iat": 0},
        {"jti": None},
    ],
    ids=repr,
)
async def test_a_proof_for_something_else_is_refused(
    client: Client, changes: dict[str, Any]
) -> None:
    is_refused(await client.call(**changes), 401, "DPOP_PROOF_INVALID", "invalid_dpop_proof")


async def test_a_request_without_proof_is_refused(client: Client) -> None:
    for proof in (None, "", "a.b.c"):
        result = await client.edge.check_bound(client.token(), proof)
        is_refused(result, 401, "DPOP_PROOF_INVALID", "invalid_dpop_proof")


async def test_the_proof_is_by_the_key_of_the_token(client: Client) -> None:
    """Whoever has stolen the token has another key."""
    thief = Client(client.edge, ProofKey())
    result = await thief.call(client.token())
    is_refused(result, 401, "DPOP_PROOF_INVALID", "invalid_dpop_proof")


async def test_a_proof_is_used_once(client: Client) -> None:
    token = client.token()
    proof = await client.proof(token)
    answers = await asyncio.gather(*(client.edge.check_bound(token, proof) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] + 19 * [401]
    refused = next(answer for answer in answers if answer.status == 401)
    is_refused(refused, 401, "DPOP_PROOF_INVALID", "invalid_dpop_proof")


async def test_a_proof_is_used_once_among_all_processes(client: Client, valkey: Redis) -> None:
    token = client.token()
    proof = await client.proof(token)
    before = {name async for name in valkey.scan_iter("portico:dpop:*")}
    assert (await client.edge.check_bound(token, proof)).status == 200
    # What another process, or this one after a start, knows of it.
    [entry] = {name async for name in valkey.scan_iter("portico:dpop:*")} - before
    assert 120 <= await valkey.ttl(entry) <= 125
    assert proof.encode() not in entry
    await valkey.delete(entry)
    assert (await client.edge.check_bound(token, proof)).status == 200


async def test_a_refused_proof_is_not_used_up(client: Client) -> None:
    token = client.token()
    proof = await client.proof(token)
    wrong = {"x-envoy-original-method": "DELETE"}
    assert (await client.edge.check_bound(token, proof, headers=wrong)).status == 401
    assert (await client.edge.check_bound(token, proof)).status == 200


async def test_a_call_over_grpc_is_proven_for_its_own_path(client: Client) -> None:
    token = client.token()
    proof = await client.proof(token, method="POST", url=f"{ORIGIN}/a.B/C")
    headers = {"x-envoy-original-method": "POST", "x-envoy-original-path": "/a.B/C"}
    assert (await client.edge.check_bound(token, proof, headers=headers)).status == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"cnf": None},
        {"cnf": {}},
        {"cnf": {"x5t#S256": "a"}},
        {"cnf": "text"},
        {"iss": "portico"},
        {"iss": f"{ORIGIN}/"},
        {"aud": "portico"},
        {"aud": f"{ORIGIN}/"},
        {"aud": [ORIGIN]},
        {"aud": APPLICATION},
        {"kind": "user"},
        {"kind": None},
        {"client_id": None},
        {"tier": None},
        {"sub": None},
        {"exp": None},
    ],
    ids=repr,
)
async def test_no_other_token_passes(client: Client, claims: dict[str, Any]) -> None:
    is_refused(await client.call(client.token(**claims)), 401, "UNAUTHENTICATED", "invalid_token")


async def test_what_nobody_of_ours_has_signed_is_refused(client: Client) -> None:
    cnf: dict[str, Any] = {"cnf": {"jkt": client.key.jkt}, "exp": client.now + 300}
    for token in (
        Signer("main").access_token(**cnf),
        Signer("unknown").access_token(**cnf),
        SIGNER.access_token(header={"kid": "unknown"}, **cnf),
        SIGNER.access_token(header={"typ": "JWT"}, **cnf),
        SIGNER.token(**cnf),
        SIGNER.unsigned(),
        "pk_test_something",
        "malformed",
        "a.b.c",
    ):
        is_refused(await client.call(token), 401, "UNAUTHENTICATED", "invalid_token")


async def test_a_key_that_is_published_for_id_tokens_verifies_no_access_token(
    client: Client,
) -> None:
    other = Signer("other")
    published = other.public
    published.alg, published.kty = "RS256", "RSA"
    client.edge.core.signing_keys = [published, SIGNER.public]
    token = other.access_token(cnf={"jkt": client.key.jkt}, exp=client.now + 300)
    is_refused(await client.call(token), 401, "UNAUTHENTICATED", "invalid_token")


async def test_an_expired_token_is_named(client: Client) -> None:
    token = client.token()
    assert (await client.call(token)).status == 200
    client.edge.clock.advance(seconds=300)
    is_refused(await client.call(token), 401, "TOKEN_EXPIRED", "invalid_token")


async def test_a_missing_scope_is_named(client: Client) -> None:
    for scope in ("", "keys:write", "keys:readx", "xkeys:read", ["keys:read"], None):
        result = await client.call(client.token(scope=scope))
        is_refused(result, 403, "INSUFFICIENT_SCOPE", "insufficient_scope")
        assert 'scope="keys:read"' in result.headers["www-authenticate"]


async def test_what_takes_a_person_is_refused(client: Client) -> None:
    token = client.token()
    proof = await client.proof(token)
    result = await client.edge.check_bound(token, proof, access="signed_in")
    assert (result.status, result.headers["x-error-code"]) == (403, "SESSION_REQUIRED")


async def test_made_up_tokens_do_not_ask_the_core_each_time(client: Client) -> None:
    await client.call()
    before = client.edge.core.published
    for number in range(20):
        token = Signer(f"made-up-{number}").access_token(cnf={"jkt": client.key.jkt})
        assert (await client.edge.check_bound(token, None)).status == 401
    assert client.edge.core.published - before <= 2


async def test_without_keys_nothing_can_be_said(client: Client) -> None:
    """The core does not answer, and never has."""
    client.edge.core.answers.clear()
    result = await client.edge.check_bound(client.token(), None)
    assert (result.status, result.headers["retry-after"]) == (503, "1")
    client.edge.core.answers.set()


async def test_without_valkey_no_proof_is_accepted(
    settings: AuthorizeSettings, core: FakeCore
) -> None:
    """A proof that was used before cannot be told from a new one."""
    core.signing_keys = [SIGNER.public]
    changed = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running_edge(changed, core) as edge:
        result = await Client(edge, ProofKey()).call()
        assert (result.status, result.headers["retry-after"]) == (503, "1")


# Tokens that are bound to a certificate (RFC 8705)


@pytest.fixture
async def behind_a_proxy(settings: AuthorizeSettings, core: FakeCore) -> AsyncIterator[Client]:
    core.signing_keys = [SIGNER.public]
    told = settings.model_copy(update={"proxy_secret": SecretStr(PROXY_SECRET)})
    async with running_edge(told, core) as edge:
        yield Client(edge, ProofKey())


async def test_a_token_passes_with_the_certificate_that_it_is_bound_to(
    behind_a_proxy: Client,
) -> None:
    mine, other = new_certificate(), new_certificate()
    token = behind_a_proxy.token(cnf=mine.cnf)
    check = behind_a_proxy.edge.check_bound
    result = await check(token, None, headers=mine.told)
    assert result.headers["authorization"] == f"Bearer {token}"
    assert result.headers[POSSESSION_HEADER] == PossessionSeal(INTERNAL_TOKEN).make(token)
    doubled = {**mine.told, "client-cert": f"{mine.told['client-cert']},{mine.told['client-cert']}"}
    for headers in (
        {},
        other.told,
        # A stranger knows the certificate, which is public, and not the secret of the proxy.
        mine.header,
        {**mine.header, "x-proxy-secret": ""},
        {**mine.header, "x-proxy-secret": "x" * 32},
        doubled,
    ):
        is_refused(
            await check(token, None, headers=headers), 401, "UNAUTHENTICATED", "invalid_token"
        )
    # Neither does a proof help.
    proven = await check(token, await behind_a_proxy.proof(token))
    is_refused(proven, 401, "UNAUTHENTICATED", "invalid_token")


async def test_a_certificate_is_no_proof_for_a_token_of_a_key(behind_a_proxy: Client) -> None:
    mine = new_certificate()
    result = await behind_a_proxy.edge.check_bound(behind_a_proxy.token(), None, headers=mine.told)
    is_refused(result, 401, "DPOP_PROOF_INVALID", "invalid_dpop_proof")


async def test_without_the_setting_nobody_tells_a_certificate(client: Client) -> None:
    mine = new_certificate()
    for headers in (mine.told, {**mine.header, "x-proxy-secret": ""}):
        result = await client.edge.check_bound(client.token(cnf=mine.cnf), None, headers=headers)
        is_refused(result, 401, "UNAUTHENTICATED", "invalid_token")
