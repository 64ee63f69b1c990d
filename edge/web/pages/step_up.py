"""/step-up: a person who is signed in confirms that it is them, and goes on where they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web
from portico.auth.v1 import challenge_service_pb2 as pb
from portico.factors.v1 import factor_service_pb2 as factors

from edge.web import cookies
from edge.web.answers import PASSWORD, Prompt
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_SECURITY, STEP_UP
from edge.web.redirects import is_own
from edge.web.step_ups import ENROLLMENT, StepUp, StepUpNeededError, harmless
from edge.web.visit import SECRET_FIELDS, Visit

_TRY_AGAIN = "CHALLENGE_EXPIRED"


async def ask(visit: Visit, needed: StepUpNeededError) -> web.StreamResponse:
    """Sends a person here, out of the middle of something.

    Args:
        needed: what the core asks for.
    """
    if needed.missing == ENROLLMENT:
        return visit.redirect(ACCOUNT_SECURITY, notice="factor-needed")
    request = visit.request
    wanted = request.path_qs if request.method in ("GET", "HEAD") else request.path
    step_up = StepUp(
        session_id=(await visit.require_session()).session_id,
        place=visit.site.places.accept(wanted) or ACCOUNT_SECURITY,
        fields=harmless(visit.form, SECRET_FIELDS),
        methods=needed.methods,
    )
    _keep(visit, await _with_challenge(visit, step_up))
    return visit.redirect(STEP_UP)


async def ask_for(visit: Visit, place: str, methods: Sequence[str]) -> web.StreamResponse:
    """Sends a person here for what an application asks for.

    The way back is in the address, so that each tab has its own.

    Args:
        place: the page of ours to come back to.
        methods: with which the person can confirm it; none if whichever they have.
    """
    session_id = (await visit.require_session()).session_id
    step_up = StepUp(session_id, ACCOUNT_SECURITY, methods=methods)
    _keep(visit, await _with_challenge(visit, step_up))
    return visit.redirect(STEP_UP, return_to=place)


async def resume(visit: Visit) -> None:
    """Fills the page in as it was when the person was asked, once."""
    step_up = _kept(visit)
    if step_up is None or not step_up.is_done or step_up.place.partition("?")[0] != visit.path:
        return
    visit.drop_cookie(cookies.STEP_UP)
    if step_up.session_id == (await visit.require_session()).session_id:
        visit.form = step_up.fields


async def get(visit: Visit) -> web.StreamResponse:
    """Asks for a factor; for the password of people who have none."""
    await visit.load_user()
    return await _show(visit, await _prompt(visit), await _current(visit))


async def post(visit: Visit) -> web.StreamResponse:
    """Notes in the session what was shown, and goes back. The cookie of the session is new."""
    await visit.load_user()
    prompt, step_up = await _prompt(visit), await _current(visit)
    if visit.form.get("begin"):
        _keep(visit, await _with_challenge(visit, step_up))
        return visit.redirect(visit.link(STEP_UP, method=prompt.method))
    is_for_code = bool(visit.form.get("send"))
    if not is_for_code and visit.lacks(prompt.field):
        return await _show(visit, prompt, step_up)
    try:
        step_up = await _with_challenge(visit, step_up)
        if is_for_code:
            _keep(visit, step_up)
            return await prompt.send(visit, step_up.challenge)
        answer = prompt.answer(visit, step_up.challenge, "")
        shown = await visit.ask(visit.site.core.challenges.CompleteChallenge, answer)
        cookie = await visit.site.sessions.start(shown.refresh_token, visit.caller)
    except CoreError as error:
        if error.reason == _TRY_AGAIN:
            step_up = replace(step_up, challenge="")
        prompt.refuse(visit, error)
        _keep(visit, step_up)
        return await _show(visit, prompt, step_up)
    visit.site.sessions.forget(visit.session_cookie)
    visit.put_cookie(cookies.SESSION, cookie, cookies.SESSION_SECONDS)
    _keep(visit, replace(step_up, challenge="", is_done=True))
    return visit.redirect(_place(visit, step_up), notice="confirmed")


async def _prompt(visit: Visit) -> Prompt:
    """With what the person can confirm that it is them, of what is asked for."""
    kept = _kept(visit)
    owned = await _methods(visit)
    asked = [each for each in owned if kept is None or not kept.methods or each in kept.methods]
    return Prompt.make(visit, STEP_UP, asked or owned)


async def _methods(visit: Visit) -> Sequence[str]:
    """What the person can show."""
    answer = await visit.ask_as_person(
        visit.site.core.factors.ListFactors, factors.ListFactorsRequest()
    )
    if not answer.factors:
        return [PASSWORD]
    types = {each.type for each in answer.factors}
    return [*types, "recovery_code"] if answer.recovery_codes_left else [*types]


async def _current(visit: Visit) -> StepUp:
    """What the person was doing; nothing if they came here on their own."""
    session_id = (await visit.require_session()).session_id
    kept = _kept(visit)
    if kept is not None and kept.session_id == session_id:
        return kept
    return StepUp(session_id, ACCOUNT_SECURITY)


async def _with_challenge(visit: Visit, step_up: StepUp) -> StepUp:
    if step_up.challenge:
        return step_up
    begun = await visit.ask_as_person(
        visit.site.core.challenges.BeginStepUp, pb.BeginStepUpRequest()
    )
    return replace(step_up, challenge=begun.challenge)


def _place(visit: Visit, step_up: StepUp) -> str:
    """Where the person was: on a page that the address names, or on the one of the cookie."""
    named = visit.return_to
    return named if named and is_own(named) else step_up.place


def _kept(visit: Visit) -> StepUp | None:
    return StepUp.unseal(visit.site.seals, cookies.get(visit.request, cookies.STEP_UP))


def _keep(visit: Visit, step_up: StepUp) -> None:
    visit.put_cookie(cookies.STEP_UP, step_up.seal(visit.site.seals), cookies.STEP_UP_SECONDS)


async def _show(visit: Visit, prompt: Prompt, step_up: StepUp) -> web.StreamResponse:
    try:
        return await prompt.render(visit, step_up.challenge, is_sign_in=False)
    except CoreError as error:
        if error.reason != _TRY_AGAIN:
            raise
    # The next button that is pressed begins another one.
    _keep(visit, replace(step_up, challenge=""))
    return await prompt.render(visit, "", is_sign_in=False)


PAGE = Page(get, post)
