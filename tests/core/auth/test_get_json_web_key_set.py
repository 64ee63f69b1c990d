"""GetJsonWebKeySet: whoever knows the keys can verify our tokens."""

from __future__ import annotations

import jwt
from google.protobuf.json_format import MessageToDict
from portico.auth.v1 import auth_service_pb2 as pb

from tests.core.world import Person, World


async def test_a_token_is_verified_with_nothing_but_the_published_keys(
    world: World, owner: Person
) -> None:
    answer = await world.auth.GetJsonWebKeySet(pb.GetJsonWebKeySetRequest())
    published = jwt.PyJWKSet.from_dict(MessageToDict(answer))
    kid = jwt.get_unverified_header(owner.access_token)["kid"]
    said = jwt.decode(
        owner.access_token,
        published[kid],
        algorithms=["ES256"],
        audience="portico",
        issuer="portico",
    )
    assert said["sub"] == owner.id


async def test_a_key_says_what_it_is_for(world: World) -> None:
    answer = await world.auth.GetJsonWebKeySet(pb.GetJsonWebKeySetRequest())
    signing, for_id_tokens = answer.keys
    assert (signing.kty, signing.use, signing.alg) == ("EC", "sig", "ES256")
    assert (signing.crv, len(signing.x), len(signing.y)) == ("P-256", 43, 43)
    assert (for_id_tokens.kty, for_id_tokens.use, for_id_tokens.alg) == ("RSA", "sig", "RS256")
    assert (len(for_id_tokens.n), for_id_tokens.e) == (342, "AQAB")


async def test_a_key_has_no_members_of_another_type(world: World) -> None:
    answer = await world.auth.GetJsonWebKeySet(pb.GetJsonWebKeySetRequest())
    shown = [set(MessageToDict(key)) - {"kty", "use", "alg", "kid"} for key in answer.keys]
    assert shown == [{"crv", "x", "y"}, {"n", "e"}]
