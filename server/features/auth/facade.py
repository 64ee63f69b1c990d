"""Sessions for the rest of the platform: does it hold, and whose is it; end them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from portico_kit.batching import BatchLoader
from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.credentials import Principal
from portico_kit.storage.reads import Reads
from server.features.auth.places import PlaceRepository
from server.features.auth.ports import LinkedIdentities
from server.features.auth.remembered_devices import RememberedDeviceRepository
from server.features.auth.repository import (
    HOLDING,
    ChallengeRepository,
    SessionRepository,
    session_lasts,
    shared_session,
    take_session_ends,
)
from server.features.auth.session_ends import end_session, record_ends
from server.features.users.facade import Account, account
from server.features.users.ports import EndReason

__all__ = ["Sessions", "session_lasts", "shared_session", "take_session_ends"]

# Why sessions end when an account is taken back by mail, perhaps from somebody else.
RECOVERIES = frozenset[EndReason]({"password_reset", "email_changed", "account_claimed"})
# Why somebody can no longer sign in by what was linked to the account.
UNLINKING = frozenset[EndReason]({"email_changed", "account_claimed", "user_deleted"})


class Sessions:
    """Answers the access interceptor, at each call of a person."""

    def __init__(self, reads: Reads, clock: Clock, identities: LinkedIdentities) -> None:
        self._reads = reads
        self._clock = clock
        self._identities = identities
        self._holding: BatchLoader[UUID, Account] = BatchLoader(self._fetch)

    async def person(self, session_id: UUID) -> Account | None:
        """The person's account, if the session holds and the person may use it."""
        return await self._holding.load(session_id)

    async def end_all(
        self,
        user_id: UUID,
        reason: EndReason,
        call: Call,
        *,
        except_session: UUID | None = None,
        actor: Principal | None = None,
    ) -> None:
        """Ends every session of a person, but one if it is given, and records each.

        One that has expired has ended before, and nothing is recorded of it. Whoever takes
        an account back by mail takes it from the devices as well that have signed in to it.

        Args:
            actor: who does it, if it is not the call's principal.
        """
        if reason in RECOVERIES:
            await PlaceRepository(call.db).forget_devices(user_id)
        if reason in UNLINKING:
            await self._identities.forget(call.db, user_id)
        # What a sign-in has not completed yet began with what counts no more.
        await ChallengeRepository(call.db).delete_all(user_id)
        await RememberedDeviceRepository(call.db).forget_all(user_id)
        ended = await SessionRepository(call.db).revoke_all(user_id, call.now, except_session)
        await record_ends(ended, user_id, reason, call, actor)

    async def forget_remembered_devices(self, user_id: UUID, call: Call) -> None:
        """Has a person asked for a second factor on every device."""
        await RememberedDeviceRepository(call.db).forget_all(user_id)

    async def end_shown(
        self, user_id: UUID, channel: str, call: Call, *, actor: Principal | None = None
    ) -> None:
        """Ends those sessions of a person that rest on something that came by a channel.

        A sign-in that waits for a second factor may rest on it, too: it begins once more.
        """
        await ChallengeRepository(call.db).delete_all(user_id)
        for session in await SessionRepository(call.db).lasting(user_id, call.now):
            if any(shown.channel == channel for shown in session.shown):
                end_session(session, "provider_signed_out", call, actor=actor)

    async def _fetch(self, session_ids: Sequence[UUID]) -> Mapping[UUID, Account]:
        found = await self._reads.fetch(HOLDING, session_ids, now=self._clock())
        return {row[0]: account(row[1:]) for row in found}
