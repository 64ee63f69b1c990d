"""Challenges: what a person has to show beside the first factor, or once more in a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from portico_kit.assurance import Assurance, Authentication, as_json
from portico_kit.call import Call
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.storage.reads import Reads
from portico_kit.tokens import new_token
from server.features.auth.authenticator import acting_person
from server.features.auth.candidates import Candidates, at_sign_in, in_session
from server.features.auth.errors import ChallengeExpiredError, MethodNotAvailableError
from server.features.auth.models import CHALLENGE_LIFETIME, WRONG_ANSWERS, Challenge
from server.features.auth.repository import CHALLENGED, ChallengeRepository
from server.features.factors.errors import CodeInvalidError
from server.features.factors.facade import Factors
from server.features.factors.ports import Answer, FactorChallenge, SecondFactor, SentFactor
from server.features.users.facade import Account
from server.features.users.guessing import Guessing

PURPOSE = "challenge"


@dataclass(frozen=True, slots=True)
class NewChallenge:
    """A challenge as its person gets it.

    Attributes:
        methods: with which it can be answered, sorted.
    """

    token: str = field(repr=False)
    methods: Sequence[str]


@dataclass(frozen=True, slots=True)
class Challenges:
    """Makes challenges, and holds answers against them.

    Attributes:
        kinds: how each method is checked, by its name.
        sent: those of them whose answer is sent when it is asked for.
    """

    reads: Reads
    factors: Factors
    candidates: Candidates
    kinds: Mapping[str, SecondFactor]
    sent: Mapping[str, SentFactor]
    guessing: Guessing
    secrets: Secrets

    async def begin(
        self,
        account: Account,
        shown: Sequence[Authentication],
        call: Call,
        *,
        device_hash: bytes | None = None,
        session_id: UUID | None = None,
        level: Assurance = Assurance.NONE,
    ) -> NewChallenge:
        """A challenge for a person.

        Args:
            shown: what they have shown already.
            device_hash: of the device that has to complete a sign-in.
            session_id: of the session in which they show something once more.
            level: to which they have to come in it.
        """
        token = new_token()
        challenge = Challenge(
            id=new_id(),
            token_hash=self._hash(token),
            user_id=account.id,
            session_id=session_id,
            authentications=as_json(shown),
            device_hash=device_hash,
            created_at=call.now,
            expires_at=call.now + CHALLENGE_LIFETIME,
        )
        ChallengeRepository(call.db).add(challenge)
        return NewChallenge(token, await self._methods(account, challenge, call, level))

    async def _methods(
        self,
        account: Account,
        challenge: Challenge,
        call: Call,
        level: Assurance = Assurance.NONE,
    ) -> Sequence[str]:
        """The methods with which a person can answer, sorted.

        Args:
            level: to which the answer has to take a session.
        """
        shown = challenge.shown
        candidates = await self.candidates.of(account, shown, call.now)
        if challenge.session_id is None:
            return at_sign_in(candidates, shown)
        return in_session(account, candidates, shown, level)

    async def person(self, token: str, call: Call) -> UUID:
        """Whose challenge it is. It may be over when it is looked at again, locked.

        Raises:
            ChallengeExpiredError: if it is over, or there is none.
        """
        rows = await self.reads.fetch(CHALLENGED, [self._hash(token)], now=call.now)
        if not rows:
            raise ChallengeExpiredError
        user_id: UUID = rows[0].user_id
        return user_id

    async def find(self, token: str, call: Call) -> Challenge:
        """The challenge of a token; the account is locked, so of two answers the second waits.

        Raises:
            ChallengeExpiredError: if it is over, or there is none.
        """
        challenge = await ChallengeRepository(call.db).find(self._hash(token), call.now)
        if challenge is None or challenge.wrong_answers >= WRONG_ANSWERS:
            raise ChallengeExpiredError
        return challenge

    async def answer(
        self,
        challenge: Challenge,
        account: Account,
        method: str,
        answer: Answer,
        device: bytes | None,
        call: Call,
    ) -> Authentication:
        """What an answer shows; `end` the challenge then.

        Args:
            device: known to the account, see `GuessBudget.guess`.

        Raises:
            MethodNotAvailableError: if the person cannot answer by this method.
            CodeInvalidError: if the answer is wrong.
            TooManyAttemptsError: if the person has no attempt left now.
        """
        if method not in await self._methods(account, challenge, call):
            raise MethodNotAvailableError
        shown = await self.check(challenge.id, account, method, answer, device, call)
        if shown is None:
            challenge.wrong_answers += 1
            raise CodeInvalidError
        return shown

    async def send(self, challenge: Challenge, account: Account, method: str, call: Call) -> None:
        """Sends what answers a challenge; it is locked, so of two calls the second waits.

        Raises:
            MethodNotAvailableError: if the person cannot answer by this method.
        """
        kind = self.sent.get(method)
        if kind is None or method not in await self._methods(account, challenge, call):
            raise MethodNotAvailableError
        await kind.send(FactorChallenge(challenge.id, account, challenge.expires_at), call)

    async def end(self, challenge: Challenge, call: Call) -> None:
        """Ends a challenge: it was answered."""
        await ChallengeRepository(call.db).delete(challenge)

    async def check(
        self,
        challenge_id: UUID,
        account: Account,
        method: str,
        answer: Answer,
        device: bytes | None,
        call: Call,
    ) -> Authentication | None:
        """What an answer shows; None if it is wrong, which is counted and recorded.

        Raises:
            MethodNotAvailableError: if the person has nothing of the kind.
            TooManyAttemptsError: if they have no attempt left now.
        """
        kind = self.kinds.get(method)
        if kind is None or method not in await self.candidates.of(account, (), call.now):
            raise MethodNotAvailableError
        check = partial(kind.check, FactorChallenge(challenge_id, account), answer, call)
        found = await self.guessing.check_second_factor(account, device, check, call)
        if found is not None:
            return found
        await self.factors.note_failure(account.id, method, call)
        call.record(
            "factor.failed",
            target_id=account.id,
            details={"method": method},
            actor=acting_person(account.id),
        )
        return None

    def _hash(self, token: str) -> bytes:
        """What is kept of a token. It is random, so a fast keyed hash is enough."""
        return self.secrets.mac(PURPOSE, token)
