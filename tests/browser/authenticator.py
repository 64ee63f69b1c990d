"""The passkeys of a visitor: a virtual authenticator, driven over the debugger's protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession

from tests.browser.visitor import Visitor


@dataclass
class Authenticator:
    """What keeps the passkeys of a visitor, as a device does that has a screen lock."""

    session: CDPSession
    id: str

    @classmethod
    async def plug_in(cls, visitor: Visitor, **options: Any) -> Authenticator:
        """Gives the visitor's page one."""
        session = await visitor.context.new_cdp_session(visitor.page)
        await session.send("WebAuthn.enable", {"enableUI": False})
        made = await session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                    **options,
                }
            },
        )
        return cls(session, made["authenticatorId"])

    async def passkeys(self) -> list[dict[str, Any]]:
        """The passkeys in it."""
        found = await self._send("getCredentials")
        return list(found["credentials"])

    async def lock(self) -> None:
        """From now on the person does not unlock it."""
        await self._send("setUserVerified", isUserVerified=False)

    async def unplug(self) -> None:
        """Takes it away."""
        await self._send("removeVirtualAuthenticator")

    async def _send(self, command: str, **values: Any) -> Any:
        return await self.session.send(
            f"WebAuthn.{command}", {"authenticatorId": self.id, **values}
        )
