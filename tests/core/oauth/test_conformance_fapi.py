"""What the modules of the FAPI 2 plan ask of the core that no other test promises.

The application authenticates by private_key_jwt, pushes its requests and proves a key (DPoP).
Which module is promised by which test: docs/oauth-conformance.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from portico.oauth.v1 import token_service_pb2 as token_pb

from portico_kit.oauth_metadata import openid_configuration
from tests.core.applications.conftest import ISSUER, ApplicationClient
from tests.core.applications.keys import ClientKey, assertion, ec_key, rsa_key
from tests.core.conftest import Refused
from tests.core.oauth.bound import proof, user_info_with
from tests.core.oauth.conftest import App, claims, new_app, said
from tests.core.oauth.test_pushed_requests import begin, push_all
from tests.core.world import Person, World
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT
INVALID_CLIENT = (grpc.StatusCode.UNAUTHENTICATED, "OAUTH_INVALID_CLIENT")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PAR, TOKEN = f"{ISSUER}/oauth/par", f"{ISSUER}/oauth/token"
KEY = ProofKey()
RSA = rsa_key()


@dataclass(frozen=True)
class Strict:
    """An application as FAPI 2 wants it."""

    app: App
    key: ClientKey
    algorithm: str = "ES256"

    def client(self, **changed: Any) -> token_pb.ClientCredentials:
        """What it presents, with an assertion that is right but for what is given."""
        values = {"algorithm": self.algorithm, **changed}
        signed = assertion(self.key, self.app.client_id, self.app.world.clock(), **values)
        return token_pb.ClientCredentials(
            client_id=self.app.client_id,
            method="private_key_jwt",
            client_assertion=signed,
            client_assertion_type=ASSERTION_TYPE,
        )

    async def push(self, changes: dict[str, str | None] | None = None, **changed: Any) -> str:
        """The request_uri of a request.

        Args:
            changes: of the request.
            changed: of the assertion.
        """
        parameters = self.app.parameters(**(changes or {}))
        return (await push_all(self.app, parameters, client=self.client(**changed))).request_uri

    async def response(
        self, person: Person, changes: dict[str, str | None] | None = None
    ) -> dict[str, str]:
        """What comes back with the person who has approved a request."""
        begun = await begin(self.app, await self.push(changes))
        return await self.app.approve(person, begun.authorization.request_id)

    async def exchange(self, code: str, **changed: Any) -> token_pb.IssueTokenResponse:
        shown = proof(self.app.world, KEY, **changed.pop("proof", {}))
        return await self.app.exchange(code, client=self.client(**changed), dpop_proof=shown)


async def new_strict(
    applications: ApplicationClient, key: ClientKey, algorithm: str = "ES256", **members: str
) -> Strict:
    app = await new_app(
        applications,
        token_endpoint_auth_method="private_key_jwt",
        jwks=ParseDict({"keys": [{**key.public, **members}]}, Struct()),
        dpop_bound_access_tokens=True,
        require_pushed_authorization_requests=True,
    )
    return Strict(app, key, algorithm)


@pytest.fixture
async def strict(application_client: ApplicationClient) -> Strict:
    """One that signs with ES256."""
    return await new_strict(application_client, ec_key())


def test_the_metadata_has_what_fapi_2_asks_for() -> None:
    document = openid_configuration(ISSUER)
    strong = {"PS256", "ES256", "EdDSA"}
    for name in (
        "id_token_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
    ):
        assert strong & set(document[name]), name
    assert "private_key_jwt" in document["token_endpoint_auth_methods_supported"]
    assert document["pushed_authorization_request_endpoint"] == PAR


async def test_the_whole_flow_of_a_strict_application(owner: Person, strict: Strict) -> None:
    answer = await strict.response(owner)
    assert (answer["iss"], answer["state"]) == (ISSUER, "a state")
    issued = await strict.exchange(answer["code"])
    assert issued.token_type == "DPoP"
    assert (await user_info_with(strict.app, KEY, issued.access_token)).sub == owner.id
    # FAPI 2 rotates no refresh token of an application that authenticates; OAuth 2.1 may. The old
    # one stays good until the new one is used, so who loses the answer has lost nothing.
    for _ in range(2):
        refreshed = await strict.app.refresh(
            issued.refresh_token, client=strict.client(), dpop_proof=proof(strict.app.world, KEY)
        )
        assert claims(refreshed.id_token)["sub"] == owner.id


async def test_a_refresh_token_is_of_use_to_its_application_with_a_key(
    application_client: ApplicationClient, owner: Person, strict: Strict, refused: Refused
) -> None:
    token = (await strict.exchange((await strict.response(owner))["code"])).refresh_token
    app, other = strict.app, await new_strict(application_client, ec_key())
    alone = token_pb.ClientCredentials(client_id=app.client_id, method="none")
    attempt = app.refresh(token, client=alone, dpop_proof=proof(app.world, KEY))
    await refused(attempt, *INVALID_CLIENT)
    await refused(app.refresh(token, client=strict.client()), INVALID, "OAUTH_INVALID_DPOP_PROOF")
    attempt = other.app.refresh(token, client=other.client(), dpop_proof=proof(app.world, KEY))
    await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")
    good = app.refresh(token, client=strict.client(), dpop_proof=proof(app.world, KEY))
    assert (await good).token_type == "DPoP"


async def test_without_state_and_nonce_there_are_none_in_the_answers(
    owner: Person, strict: Strict
) -> None:
    answer = await strict.response(owner, {"state": None, "nonce": None})
    assert "state" not in answer
    assert "nonce" not in claims((await strict.exchange(answer["code"])).id_token)


async def test_a_state_beside_a_pushed_request_is_not_its_state(
    owner: Person, strict: Strict
) -> None:
    request_uri = await strict.push({"state": None})
    begun = await begin(strict.app, request_uri, state="from outside", nonce="from outside")
    answer = await strict.app.approve(owner, begun.authorization.request_id)
    assert "state" not in answer
    assert claims((await strict.exchange(answer["code"])).id_token)["nonce"] == "a nonce"


@pytest.mark.parametrize("audience", [ISSUER, TOKEN, PAR, [ISSUER, PAR], [ISSUER, TOKEN]], ids=str)
async def test_a_pushed_request_is_signed_for_the_server_however_it_is_called(
    strict: Strict, audience: Any
) -> None:
    """RFC 9126, section 2: each of the three has to be accepted."""
    assert await strict.push(aud=audience)


async def test_an_assertion_that_is_meant_for_others_too_is_refused(
    strict: Strict, refused: Refused
) -> None:
    """One that another server could present here is of no use here, nor there."""
    for audience in ([ISSUER, "https://other.example/"], "https://other.example/", f"{ISSUER}/x"):
        await refused(strict.push(aud=audience), *INVALID_CLIENT)


async def test_clocks_of_applications_may_be_some_seconds_fast(
    strict: Strict, refused: Refused
) -> None:
    now = int(strict.app.world.clock().timestamp())
    assert await strict.push(iat=now + 8, nbf=now + 8)
    for claim in ("nbf", "iat"):
        await refused(strict.push(None, **{claim: now + 61}), *INVALID_CLIENT)


async def test_an_assertion_is_refused_at_the_token_endpoint_and_uses_no_code_up(
    owner: Person, strict: Strict, refused: Refused
) -> None:
    code = (await strict.response(owner))["code"]
    now = int(strict.app.world.clock().timestamp())
    for wrong in ({"exp": now - 300}, {"aud": "https://other.example"}, {"sub": None}):
        await refused(strict.exchange(code, **wrong), *INVALID_CLIENT)
    nothing = token_pb.ClientCredentials(client_id=strict.app.client_id, method="none")
    shown = proof(strict.app.world, KEY)
    attempt = strict.app.exchange(code, client=nothing, dpop_proof=shown)
    await refused(attempt, *INVALID_CLIENT)
    assert (await strict.exchange(code, aud=TOKEN)).token_type == "DPoP"


async def test_a_key_signs_with_the_algorithm_that_it_is_registered_for(
    application_client: ApplicationClient, refused: Refused
) -> None:
    """A client that says PS256 of its RSA key is not let in with RS256."""
    strict = await new_strict(application_client, RSA, "PS256", alg="PS256")
    assert await strict.push()
    await refused(strict.push(algorithm="RS256"), *INVALID_CLIENT)


async def test_who_another_application_is_is_not_said_by_an_assertion(
    application_client: ApplicationClient, owner: Person, strict: Strict, refused: Refused
) -> None:
    """Neither does a code help that was made for another one."""
    other = await new_strict(application_client, ec_key())
    code = (await strict.response(owner))["code"]
    shown = proof(strict.app.world, KEY)
    stolen = other.client()
    stolen.client_id = strict.app.client_id
    await refused(strict.app.exchange(code, client=stolen, dpop_proof=shown), *INVALID_CLIENT)
    attempt = other.exchange(code)
    await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")


async def test_a_proof_may_say_when_it_begins_and_ends(owner: Person, strict: Strict) -> None:
    now = int(strict.app.world.clock().timestamp())
    code = (await strict.response(owner))["code"]
    issued = await strict.exchange(code, proof={"nbf": now, "exp": now + 300})
    told = await user_info_with(strict.app, KEY, issued.access_token, nbf=now, exp=now + 300)
    assert told.sub == owner.id


@pytest.mark.parametrize("seconds", [-10, 10])
async def test_a_proof_of_ten_seconds_ago_or_ahead_is_good(
    owner: Person, strict: Strict, seconds: int
) -> None:
    moment = int(strict.app.world.clock().timestamp()) + seconds
    code = (await strict.response(owner))["code"]
    assert (await strict.exchange(code, proof={"iat": moment})).token_type == "DPoP"


async def test_a_code_whose_time_is_over_is_refused(
    world: World, owner: Person, strict: Strict, refused: Refused
) -> None:
    code = (await strict.response(owner))["code"]
    with world.clock.later(timedelta(seconds=65)):
        shown = proof(world, KEY)
        attempt = strict.app.exchange(code, client=strict.client(), dpop_proof=shown)
        await refused(attempt, INVALID, "OAUTH_INVALID_GRANT")


async def test_a_request_that_was_not_pushed_is_answered_with_an_error(strict: Strict) -> None:
    for response_type in ("code", "code id_token", "token"):
        answer = said((await strict.app.begin(response_type=response_type)).response)
        assert answer["error"] in ("invalid_request", "unsupported_response_type")
    for response_type in ("code id_token", "token"):
        with pytest.raises(grpc.aio.AioRpcError):
            await strict.push({"response_type": response_type})
