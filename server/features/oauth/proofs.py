"""Proofs of possession of a key at the endpoints of the OAuth server (RFC 9449)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from portico_kit import dpop
from portico_kit.dpop import DpopError, DpopNonceError, DpopNonces, DpopProof
from portico_kit.errors import UnavailableError
from server.common.scripts import ERRORS, ScriptRunner
from server.features.applications.facade import Client
from server.features.oauth.errors import InvalidDpopProofError, UseDpopNonceError

_USE_ONCE = "return redis.call('SET', KEYS[1], '', 'NX', 'EX', ARGV[1]) and 1 or 0"


class UsedProofs:
    """Remembers in Valkey, with the edge, which proofs were used."""

    def __init__(self, redis: Redis) -> None:
        self._run = ScriptRunner(redis, _USE_ONCE)

    async def use(self, proof: DpopProof) -> bool:
        """Whether it is the first use.

        Raises:
            UnavailableError: if nobody can say so.
        """
        name = (dpop.REPLAY_PREFIX + proof.replay_id).encode()
        try:
            return bool(await self._run([name], dpop.REPLAY_SECONDS))
        except ERRORS as error:
            raise UnavailableError from error


@dataclass(frozen=True, slots=True)
class Proofs:
    """Checks proofs, and uses them up.

    Attributes:
        issuer: what the URLs of the endpoints start with.
    """

    issuer: str
    nonces: DpopNonces
    used: UsedProofs

    def check(
        self,
        proof: str,
        endpoint: str,
        now: datetime,
        *,
        method: str = "POST",
        access_token: str | None = None,
    ) -> DpopProof | None:
        """The proof of a request, by all rules but that it is used once; None if it has none.

        Args:
            proof: the header DPoP, or "".
            endpoint: the last part of the URL of the endpoint.
            method: of the request.
            access_token: the token that comes with the proof, if one does.

        Raises:
            UseDpopNonceError: if all that is missing is a nonce that is good.
            InvalidDpopProofError: if it is not accepted.
        """
        if not proof:
            return None
        try:
            return dpop.check_proof(
                proof,
                method=method,
                url=f"{self.issuer}/oauth/{endpoint}",
                now=now,
                access_token=access_token,
                nonces=self.nonces,
            )
        except DpopNonceError as error:
            raise UseDpopNonceError(str(error)) from None
        except DpopError as error:
            raise InvalidDpopProofError(str(error)) from None

    async def use_for(self, client: Client, proof: DpopProof | None) -> str:
        """The thumbprint of the key that the tokens of a request are bound to; "" for none.

        Raises:
            InvalidDpopProofError: if the proof was used before, or the application must have one.
            UnavailableError: if nobody can say whether it was used before.
        """
        if proof is not None:
            return await self.use(proof)
        if client.dpop_bound_access_tokens:
            raise InvalidDpopProofError(
                "tokens of this application are bound to a key: the header DPoP is missing"
            )
        return ""

    async def use(self, proof: DpopProof) -> str:
        """The thumbprint of the key of a proof that has not been used before.

        Raises:
            InvalidDpopProofError: if it has been.
            UnavailableError: if nobody can say whether it has.
        """
        if not await self.used.use(proof):
            raise InvalidDpopProofError("the proof was used before")
        return proof.jkt
