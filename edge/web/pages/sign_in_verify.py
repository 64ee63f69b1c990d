"""/sign-in/verify: the second factor of somebody who has shown the first one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from aiohttp import web

from edge.web import cookies, signing_in
from edge.web.answers import Prompt
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import SIGN_IN, SIGN_IN_VERIFY
from edge.web.visit import Visit


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sign-in that is not complete."""

    challenge: str = field(repr=False)
    methods: Sequence[str]


def begin(visit: Visit, challenge: str, methods: Sequence[str]) -> web.StreamResponse:
    """Sends a person here; the challenge stays in a cookie that only we can read."""
    content = asdict(_Pending(challenge, list(methods)))
    sealed = visit.site.seals.seal(cookies.CHALLENGE, content, cookies.CHALLENGE_SECONDS)
    visit.put_cookie(cookies.CHALLENGE, sealed, cookies.CHALLENGE_SECONDS)
    return visit.redirect(visit.link(SIGN_IN_VERIFY))


async def get(visit: Visit) -> web.StreamResponse:
    """Asks for it."""
    pending = _pending(visit)
    if pending is None:
        return _over(visit)
    return await _show(visit, Prompt.make(visit, SIGN_IN_VERIFY, pending.methods), pending)


async def post(visit: Visit) -> web.StreamResponse:
    """Signs in, if the answer is right."""
    pending = _pending(visit)
    if pending is None:
        return _over(visit)
    prompt = Prompt.make(visit, SIGN_IN_VERIFY, pending.methods)
    is_for_code = bool(visit.form.get("send"))
    if not is_for_code and visit.lacks(prompt.field):
        return await _show(visit, prompt, pending)
    answer = prompt.answer(visit, pending.challenge, cookies.get(visit.request, cookies.DEVICE))
    try:
        if is_for_code:
            return await prompt.send(visit, pending.challenge)
        shown = await visit.ask(visit.site.core.challenges.CompleteChallenge, answer)
        return await signing_in.finish(visit, shown.refresh_token)
    except CoreError as error:
        if error.reason == "CHALLENGE_EXPIRED":
            return _over(visit)
        prompt.refuse(visit, error)
        return await _show(visit, prompt, pending)


def _pending(visit: Visit) -> _Pending | None:
    sealed = cookies.get(visit.request, cookies.CHALLENGE)
    content = visit.site.seals.unseal(cookies.CHALLENGE, sealed) if sealed else None
    try:
        return None if content is None else _Pending(**content)
    except TypeError:
        return None  # an older release has sealed it


def _over(visit: Visit) -> web.StreamResponse:
    """Back to the beginning: the challenge has expired, or was answered wrongly too often."""
    visit.drop_cookie(cookies.CHALLENGE)
    return visit.redirect(visit.link(SIGN_IN), notice="challenge-over")


async def _show(visit: Visit, prompt: Prompt, pending: _Pending) -> web.StreamResponse:
    try:
        return await prompt.render(visit, pending.challenge, is_sign_in=True)
    except CoreError as error:
        if error.reason == "CHALLENGE_EXPIRED":
            return _over(visit)
        raise


PAGE = Page(get, post)
