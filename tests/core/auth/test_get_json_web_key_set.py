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
    (key,) = answer.keys
    assert (key.kty, key.use, key.alg, key.crv) == ("EC", "sig", "ES256", "P-256")
    assert len(key.x) == len(key.y) == 43
