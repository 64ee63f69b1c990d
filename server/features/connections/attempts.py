"""Sign-ins that have begun: what is carried through the browser, sealed, and good once.

Nothing is stored before the provider has answered, so that nobody can fill a table, and each
tab has a sign-in of its own.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from cryptography.exceptions import InvalidTag

from portico_kit.secrets import Secrets
from portico_kit.storage.statements import Statements
from portico_kit.tokens import new_token
from server.features.connections.errors import FederatedStateInvalidError
from server.features.connections.oidc.client import Attempt
from server.features.connections.repository import USE_ONCE

Purpose = Literal["sign_in", "link", "step_up", "test"]

LIFETIME = timedelta(minutes=10)
STATE_PURPOSE = "federated-state"
BROWSER_PURPOSE = "federated-browser"
NONCE_PURPOSE = "federated-nonce"
VERIFIER_PURPOSE = "federated-verifier"
USED_PURPOSE = "federated-used"
SEED_BYTES = 16
SHORTEST_BROWSER_TOKEN = 43  # characters, as ours have


@dataclass(frozen=True, slots=True)
class Begun:
    """What a sign-in was begun for.

    Attributes:
        user_id: who began it, for a link, a step-up and a test.
        session_id: in which session; it has to last.
        identity_id: who has to come back, for a step-up.
    """

    connection_id: UUID
    purpose: Purpose
    return_to: str = ""
    user_id: UUID | None = None
    session_id: UUID | None = None
    identity_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class OpenedAttempt:
    """A sign-in as it comes back."""

    begun: Begun
    attempt: Attempt = field(repr=False)
    expires_at: datetime


class Attempts:
    """Seals sign-ins and opens them."""

    def __init__(self, secrets: Secrets, statements: Statements) -> None:
        self._secrets = secrets
        self._statements = statements

    def begin(self, begun: Begun, browser_token: str, now: datetime) -> tuple[Attempt, str]:
        """A new sign-in, and the token that the browser keeps.

        Args:
            browser_token: that it keeps already; another one replaces what is none of ours.
        """
        browser = browser_token if len(browser_token) >= SHORTEST_BROWSER_TOKEN else new_token()
        seed = os.urandom(SEED_BYTES).hex()
        content = {
            "c": begun.connection_id.hex,
            "p": begun.purpose,
            "r": begun.return_to,
            "u": begun.user_id.hex if begun.user_id else "",
            "n": begun.session_id.hex if begun.session_id else "",
            "i": begun.identity_id.hex if begun.identity_id else "",
            "b": self._browser(browser),
            "s": seed,
            "x": int((now + LIFETIME).timestamp()),
        }
        plain = json.dumps(content, separators=(",", ":")).encode()
        sealed = self._secrets.seal(STATE_PURPOSE, plain)
        state = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return self._attempt(state, seed), browser

    async def use(self, state: str, browser_token: str, now: datetime) -> OpenedAttempt:
        """Opens a sign-in that this browser has begun; it cannot be opened again.

        Raises:
            FederatedStateInvalidError: if it is none of ours, of another browser, too old, or
                was opened before.
        """
        content = self._opened(state)
        browser = self._browser(browser_token)
        if content is None or not hmac.compare_digest(content["b"], browser):
            raise FederatedStateInvalidError
        expires_at = datetime.fromtimestamp(content["x"], UTC)
        # By the seed: base64 has more than one spelling for the same.
        if now >= expires_at or not await self.use_once("state", content["s"], expires_at):
            raise FederatedStateInvalidError
        begun = Begun(
            UUID(content["c"]),
            content["p"],
            content["r"],
            UUID(content["u"]) if content["u"] else None,
            UUID(content["n"]) if content["n"] else None,
            # One that began before an upgrade has none.
            UUID(content["i"]) if content.get("i") else None,
        )
        return OpenedAttempt(begun, self._attempt(state, content["s"]), expires_at)

    async def use_once(self, kind: str, value: str, expires_at: datetime) -> bool:
        """Whether this is the first time; decided at once, whatever becomes of the call.

        Args:
            expires_at: until when it has to be remembered.
        """
        value_hash = self._secrets.mac(USED_PURPOSE, f"{kind} {value}")
        return bool(
            await self._statements.run(USE_ONCE, value_hash=value_hash, expires_at=expires_at)
        )

    def _opened(self, state: str) -> dict[str, Any] | None:
        try:
            sealed = base64.urlsafe_b64decode(state + "=" * (-len(state) % 4))
            content: dict[str, Any] = json.loads(self._secrets.unseal(STATE_PURPOSE, sealed))
        except (ValueError, InvalidTag):
            return None
        return content

    def _attempt(self, state: str, seed: str) -> Attempt:
        """What the sign-in is bound to. It follows from the seed, and is in no address."""
        return Attempt(state, self._text(NONCE_PURPOSE, seed), self._text(VERIFIER_PURPOSE, seed))

    def _browser(self, browser_token: str) -> str:
        return self._text(BROWSER_PURPOSE, browser_token)

    def _text(self, purpose: str, text: str) -> str:
        return base64.urlsafe_b64encode(self._secrets.mac(purpose, text)).decode().rstrip("=")
