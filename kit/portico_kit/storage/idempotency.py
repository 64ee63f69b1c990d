"""The answers of writes that carried an Idempotency-Key, kept for 24 hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portico_kit.call import EndedAccess

KEPT = timedelta(hours=24)
PURPOSE = "idempotency"


class KeptAnswer:
    """The columns of the answer that a repetition of a call gets. Sealed: it may be personal.

    A service that takes idempotency keys mixes them into a model of its own.
    """

    # A keyed digest of caller, method and the key that the client chose; of a caller
    # without a credential also of the request.
    scope: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    # A keyed digest of the request, to tell a repetition from a reuse. Keyed, because a
    # request may hold a password, which a fast plain digest would give away.
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    method: Mapped[str] = mapped_column(String(128))
    # The reply's metadata and the answer; of an answer with a credential only what the
    # call created or changed.
    sealed_answer: Mapped[bytes] = mapped_column(LargeBinary)
    # The organization in which the caller was authorized, or whose data the answer shows.
    organization_id: Mapped[UUID | None]
    # Set if the call ended access of its own caller.
    ended_access: Mapped[EndedAccess | None] = mapped_column(String(16))
    expires_at: Mapped[datetime]
