"""How an answer is kept for the repetition of its call, and found again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.call import Call
from portico_kit.errors import invalid
from portico_kit.secrets import Secrets
from portico_kit.storage.idempotency import KEPT, PURPOSE, KeptAnswer

HEADER = "idempotency-key"
# Visible ASCII: the OpenAPI document says the same.
_WELL_FORMED = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class RepeatableCall:
    """A call with an Idempotency-Key, as it is recognized again.

    Attributes:
        scope: names the answer: the same for all calls that are or claim to be the same.
        digest: of the request.
    """

    scope: bytes
    digest: bytes


class KeptAnswers:
    """Keeps answers, sealed, and gives them back."""

    def __init__(self, secrets: Secrets, table: type[KeptAnswer]) -> None:
        """Takes the model of the service for them."""
        self._secrets = secrets
        self._table = table

    def recognize(self, request: Message, call: Call) -> RepeatableCall | None:
        """The call by which its repetition is known, or None if it takes or brings no key.

        The principal has to be settled.

        Raises:
            InvalidRequestError: if the key is malformed.
        """
        key = call.metadata.get(HEADER)
        if key is None or not call.method.takes_idempotency_key:
            return None
        if not _WELL_FORMED.fullmatch(key):
            problem = "must have 1 to 255 visible ASCII characters"
            raise invalid("Idempotency-Key", "INVALID_FORMAT", problem)
        content = request.SerializeToString(deterministic=True)
        digest = self._digest(hashlib.sha256(content).hexdigest())
        # A stranger is known by what they send, and by nothing else.
        sender = digest.hex() if call.principal.is_anonymous else ""
        # A request without a field is about the session that it comes from.
        session = "" if call.method.request.DESCRIPTOR.fields else str(call.principal.session_id)
        # An application that acts with a token given in exchange is another caller.
        actors = [f"actor {each}" for each in call.principal.actors]
        caller = (call.principal.kind, str(call.principal.id), session, sender, *actors)
        # What was answered under another binding shows what the caller may not see now.
        bound_to = () if call.binding is None else tuple(sorted(map(str, call.binding)))
        return RepeatableCall(self._digest(call.method.path, *caller, key, *bound_to), digest)

    async def find(
        self, repeatable: RepeatableCall, db: AsyncSession, call: Call
    ) -> KeptAnswer | None:
        """The answer that was kept under the key, to whatever request, if its time is not over."""
        kept = await db.get(self._table, repeatable.scope)
        return kept if kept is not None and kept.expires_at > call.now else None

    async def keep(self, repeatable: RepeatableCall, response: Message, call: Call) -> None:
        """Keeps the answer, in the call's transaction; of a credential only what it is for."""
        if call.method.gives_credential:
            head, body = created(response), b""
        else:
            head, body = call.reply_metadata, response.SerializeToString()
        answer = json.dumps(head).encode() + b"\n" + body
        kept = {
            "request_digest": repeatable.digest,
            "method": call.method.path,
            "sealed_answer": self._secrets.seal(PURPOSE, answer),
            "organization_id": call.organization_id,
            "ended_access": call.ended_access,
            "expires_at": call.now + KEPT,
        }
        added = insert(self._table).values(scope=repeatable.scope, **kept)
        # In the place of one that has expired.
        await call.db.execute(added.on_conflict_do_update(index_elements=["scope"], set_=kept))

    def replay(self, kept: KeptAnswer, call: Call) -> Message:
        """The answer, with the metadata that it had."""
        head, body = self._open(kept)
        call.reply_metadata.update(head)
        call.reply_metadata["idempotent-replayed"] = "true"
        return call.method.response.FromString(body)

    def created(self, kept: KeptAnswer) -> Mapping[str, str]:
        """What the call created or changed whose answer held a credential."""
        return self._open(kept)[0]

    def _open(self, kept: KeptAnswer) -> tuple[dict[str, str], bytes]:
        head, _, body = self._secrets.unseal(PURPOSE, kept.sealed_answer).partition(b"\n")
        return json.loads(head), body

    def _digest(self, *parts: str) -> bytes:
        return self._secrets.mac(PURPOSE, json.dumps(parts))


def created(response: Any) -> dict[str, str]:
    """The ids of the resources in an answer, by their names in requests ("api_key_id")."""
    return {
        f"{field.name}_id": value.id
        for field, value in response.ListFields()
        if field.message_type is not None
        and not field.is_repeated
        and "id" in field.message_type.fields_by_name
    }
