"""GitHub, which is no OpenID provider: OAuth, and an API that says who signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from server.features.connections.oidc.checks import Checks, ProviderFailedError
from server.features.connections.oidc.client import (
    Attempt,
    Callback,
    Client,
    ProviderAccount,
    authorization_url,
    code_form,
)
from server.features.connections.oidc.http import ProviderAnswer, ProviderClient

ISSUER = "https://github.com"
API = "https://api.github.com"
SCOPES = ("read:user", "user:email")
API_HEADERS = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}


@dataclass(frozen=True, slots=True)
class GitHubFlow:
    """Signs in at github.com, or at a GitHub Enterprise Server."""

    http: ProviderClient

    async def begin(
        self, client: Client, attempt: Attempt, hint: str, max_age: timedelta | None = None
    ) -> str:
        """Where to send the browser. GitHub knows nothing of `max_age`."""
        endpoint = f"{client.issuer}/login/oauth/authorize"
        return authorization_url(endpoint, client, attempt, SCOPES, hint)

    async def complete(
        self, client: Client, attempt: Attempt, callback: Callback, now: datetime, checks: Checks
    ) -> ProviderAccount:
        """Exchanges the code and asks who it is.

        Raises:
            CheckFailedError: naming what is wrong.
            ProviderFailedError: if GitHub does not answer as agreed.
        """
        ours = (client.issuer, f"{client.issuer}/login/oauth", "")
        checks.require("callback_iss", callback.iss in ours, f"it is from {callback.iss!r}")
        token = await self._exchange(client, attempt, callback.code)
        user = await self._ask(client, "/user", token)
        number = user.members.get("id")
        # The name of an account can change and be somebody else's later; its number cannot.
        numbered = isinstance(number, int) and not isinstance(number, bool)
        checks.require("sub", numbered, "the account has a number")
        email = await self._primary_email(client, token)
        checks.note("email", bool(email), "the primary address is verified")
        name = user.members.get("name") or user.members.get("login")
        return ProviderAccount(
            issuer=client.issuer,
            subject=str(number),
            email=email,
            email_verified=bool(email),
            name=name if isinstance(name, str) else "",
        )

    async def _exchange(self, client: Client, attempt: Attempt, code: str) -> str:
        form = {
            **code_form(client, attempt, code),
            "client_id": client.client_id,
            "client_secret": client.secret,
        }
        answer = await self.http.post(f"{client.issuer}/login/oauth/access_token", form, {})
        # An error comes with 200, too.
        token = answer.members.get("access_token")
        if not isinstance(token, str) or not token:
            error = str(answer.members.get("error", ""))[:100]
            raise ProviderFailedError(f"the code was answered with {answer.status} {error!r}")
        return token

    async def _primary_email(self, client: Client, token: str) -> str:
        """The address that is the primary one and verified, or ""."""
        answer = await self._ask(client, "/user/emails", token)
        found = answer.content if isinstance(answer.content, list) else []
        return next((str(each["email"]) for each in found if _is_primary(each)), "")

    async def _ask(self, client: Client, path: str, token: str) -> ProviderAnswer:
        api = API if client.issuer == ISSUER else f"{client.issuer}/api/v3"
        headers = {**API_HEADERS, "authorization": f"Bearer {token}"}
        answer = await self.http.get(api + path, headers)
        if answer.status != 200:
            raise ProviderFailedError(f"{path} was answered with {answer.status}")
        return answer


def _is_primary(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return False
    verified = entry.get("primary") is True and entry.get("verified") is True
    return verified and isinstance(entry.get("email"), str)
