"""Steps of the tour that are about API keys and their limits."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demo.people import Person, Stage
from cli.demo.rest import TOO_MANY_REQUESTS, api_key

REVOKED_WITHIN_SECONDS = 1.0


async def create(stage: Stage, owner: Person, organization: str, **fields: Any) -> tuple[str, str]:
    """Creates an API key.

    Returns:
        Its id and its secret.
    """
    # It ends by itself: tours leave nothing that piles up.
    ends = datetime.now(UTC) + timedelta(hours=1)
    body = {
        "name": "Tour",
        "scopes": ["organization:read"],
        "expiresAt": ends.isoformat(),
        **fields,
    }
    path = f"/api/v1/organizations/{organization}/api-keys"
    answer = await stage.rest.call("POST", path, body, expect=201, credential=owner.credential)
    secret = answer.data["secret"]
    shown = answer.data["apiKey"]["prefix"]
    stage.console.check(secret.startswith(shown), "the secret is shown, this once")
    return answer.data["apiKey"]["id"], secret


async def come_and_go(stage: Stage, owner: Person, organization: str) -> None:
    """A key is created, used, and revoked."""
    stage.console.step("Creating an API key")
    key_id, secret = await create(stage, owner, organization)
    stage.console.step("A program uses the key")
    path = f"/api/v1/organizations/{organization}"
    answer = await stage.rest.call("GET", path, expect=200, credential=api_key(secret))
    stage.console.check(answer.data["id"] == organization, "it sees its organization")
    await stage.rest.call("GET", f"{path}/members", expect=403, credential=api_key(secret))
    stage.console.step("Revoking the key")
    await stage.rest.call(
        "POST", f"/api/v1/api-keys/{key_id}/revoke", {}, expect=200, credential=owner.credential
    )
    await see_it_refused(stage, path, secret)


async def see_it_refused(stage: Stage, path: str, secret: str) -> None:
    """Uses the revoked key until it is refused, for a second at the most."""
    began = time.monotonic()
    while True:
        answer = await stage.rest.attempt("GET", path, credential=api_key(secret))
        seconds = time.monotonic() - began
        if answer.status == 401 or seconds > REVOKED_WITHIN_SECONDS:
            break
        await asyncio.sleep(0.05)
    stage.console.check(answer.status == 401, "the edge refuses the revoked key at once")
    stage.console.check("WWW-Authenticate" in answer.headers, "and says how to authenticate")


async def run_into_the_limit(stage: Stage, owner: Person, organization: str) -> None:
    """A key with a small limit of its own is used until it is too much."""
    stage.console.step("A key that may make 2 requests a minute makes 3")
    _, secret = await create(stage, owner, organization, limits={"perMinute": 2})
    path = f"/api/v1/organizations/{organization}"
    for _ in range(2):
        await stage.rest.call("GET", path, expect=200, credential=api_key(secret))
    answer = await stage.rest.call(
        "GET", path, expect=TOO_MANY_REQUESTS, credential=api_key(secret)
    )
    stage.console.check(answer.code == "RATE_LIMIT_EXCEEDED", "the error says what it is")
    wait = int(answer.headers.get("Retry-After", "0"))
    # The window slides: what was used in this minute still counts for a part of the next.
    stage.console.check(1 <= wait <= 120, f"and when to come back (in {wait} s)")
