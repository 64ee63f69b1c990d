"""The cookies. `__Host-` keeps them to this host, on TLS, for all of its paths."""

from __future__ import annotations

from aiohttp import web

SESSION = "__Host-session"
# What forms are bound to while nobody is signed in.
FORM = "__Host-form"
# Where to go once somebody who registers has verified the address and signed in.
RETURN = "__Host-return"
# Shows at a sign-in that this browser has signed in before.
DEVICE = "__Host-device"
# A sign-in whose second factor is asked for; sealed.
CHALLENGE = "__Host-challenge"
# What a person was doing when they were asked to confirm that it is them; sealed.
STEP_UP = "__Host-step-up"
# What a sign-in at a provider is bound to; the tabs of a browser share it.
FEDERATED = "__Host-federated"

DAY_SECONDS = 24 * 60 * 60
# As long as a session can last.
SESSION_SECONDS = 30 * DAY_SECONDS
# As long as a link for verification is good.
RETURN_SECONDS = DAY_SECONDS
DEVICE_SECONDS = 365 * DAY_SECONDS
# As long as a challenge is good.
CHALLENGE_SECONDS = 5 * 60
STEP_UP_SECONDS = 10 * 60
# As long as a sign-in at a provider may take.
FEDERATED_SECONDS = 10 * 60
# Longer values are none of ours.
MAX_LENGTH = 2048


def get(request: web.Request, name: str) -> str:
    """The value of a cookie; empty if there is none."""
    value = request.cookies.get(name, "")
    return value if len(value) <= MAX_LENGTH else ""


def put(
    response: web.StreamResponse, name: str, value: str, max_age_seconds: int | None = None
) -> None:
    """Sets a cookie, which ends with the browser if no time is given."""
    response.set_cookie(
        name, value, max_age=max_age_seconds, path="/", secure=True, httponly=True, samesite="Lax"
    )


def drop(response: web.StreamResponse, name: str) -> None:
    """Takes a cookie back."""
    put(response, name, "", 0)
