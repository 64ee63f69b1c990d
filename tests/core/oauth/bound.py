"""Applications that prove to have a key, at the endpoints of the OAuth server."""

from __future__ import annotations

from typing import Any

from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit.dpop import DpopNonces
from tests.core.applications.conftest import ISSUER
from tests.core.oauth.conftest import INTERNAL, App
from tests.core.world import INTERNAL_TOKEN, World
from tests.support.proofs import ProofKey

NONCES = DpopNonces(INTERNAL_TOKEN.encode())


def proof(world: World, key: ProofKey, endpoint: str = "token", **claims: Any) -> str:
    """A proof that is right but for what is given; None leaves a claim out."""
    now = world.clock()
    right: dict[str, Any] = {"iat": int(now.timestamp()), "nonce": NONCES.issue(now)}
    method = claims.pop("htm", "POST")
    url = claims.pop("htu", f"{ISSUER}/oauth/{endpoint}")
    return key.proof(method, url, **(right | claims))


async def user_info(app: App, access_token: str, **fields: Any) -> token_pb.GetUserInfoResponse:
    """Asks about the person, with a token and what comes with it."""
    request = token_pb.GetUserInfoRequest(access_token=access_token, method="GET", **fields)
    return await app.tokens.GetUserInfo(request, metadata=INTERNAL)


async def user_info_with(
    app: App, key: ProofKey, access_token: str, **claims: Any
) -> token_pb.GetUserInfoResponse:
    """Asks about the person, with a proof for the token."""
    values = {"htm": "GET", "token": access_token, **claims}
    shown = proof(app.world, key, "userinfo", **values)
    return await user_info(app, access_token, token_type="DPoP", dpop_proof=shown)
