"""/step-up: a person who is signed in confirms that it is them, and goes on where they were."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web
from portico.auth.v1 import challenge_service_pb2 as pb
from portico.connections.v1 import federated_sign_in_service_pb2 as federated_pb

from edge.web import cookies, federated
from edge.web.answers import FEDERATED, Prompt
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.paths import ACCOUNT_SECURITY, STEP_UP
from edge.web.redirects import is_own
from edge.web.step_ups import ENROLLMENT, SIGN_IN, StepUp, StepUpNeededError, harmless
from edge.web.visit import SECRET_FIELDS, Visit

_TRY_AGAIN = "CHALLENGE_EXPIRED"
_NOTHING = "NOTHING_TO_SHOW"
# What the page of the account says to whom nothing can be asked.
_WAYS_OUT = {ENROLLMENT: "factor-needed", SIGN_IN: "sign-in-again"}


async def ask(visit: Visit, needed: StepUpNeededError) -> web.StreamResponse:
    """Sends a person here, out of the middle of something.

    Args:
        needed: what the core asks for.
    """
    if needed.missing in _WAYS_OUT:
        return visit.redirect(ACCOUNT_SECURITY, notice=_WAYS_OUT[needed.missing])
    request = visit.request
    wanted = request.path_qs if request.method in ("GET", "HEAD") else request.path
    step_up = StepUp(
        session_id=(await visit.require_session()).session_id,
        place=visit.site.places.accept(wanted) or ACCOUNT_SECURITY,
        fields=harmless(visit.form, SECRET_FIELDS),
        acr=needed.acr,
    )
    _keep(visit, await _with_challenge(visit, step_up))
    return visit.redirect(STEP_UP)


async def ask_for(visit: Visit, place: str, acr: str) -> web.StreamResponse:
    """Sends a person here for what an application asks for.

    The way back is in the address, so that each tab has its own.

    Args:
        place: the page of ours to come back to.
        acr: to which level; empty for the most that they can.
    """
    session_id = (await visit.require_session()).session_id
    step_up = StepUp(session_id, ACCOUNT_SECURITY, acr=acr)
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
    """Asks for a factor; for what else they have of people who have none."""
    await visit.load_user()
    step_up = await _current(visit)
    return await _show(visit, _prompt(visit, step_up), step_up)


async def post(visit: Visit) -> web.StreamResponse:
    """Notes in the session what was shown, and goes back. The cookie of the session is new."""
    await visit.load_user()
    step_up = await _current(visit)
    prompt = _prompt(visit, step_up)
    if prompt.method == FEDERATED:
        return await _at_provider(visit, prompt, step_up)
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
    return _go_back(visit, step_up, cookie)


async def confirmed(visit: Visit, refresh_token: str) -> web.StreamResponse:
    """Goes back to what the person was doing, who has confirmed it with their provider.

    Raises:
        CoreError: if the core does not answer.
    """
    kept = _kept(visit)
    cookie = await visit.site.sessions.start(refresh_token, visit.caller)
    return _go_back(visit, kept or StepUp("", ACCOUNT_SECURITY), cookie)


def _go_back(visit: Visit, step_up: StepUp, cookie: str) -> web.StreamResponse:
    """To where they were.

    Args:
        cookie: of the session, which is a new one.
    """
    visit.site.sessions.forget(visit.session_cookie)
    visit.put_cookie(cookies.SESSION, cookie, cookies.SESSION_SECONDS)
    _keep(visit, replace(step_up, challenge="", is_done=True))
    return visit.redirect(_place(visit, step_up), notice="confirmed")


async def _at_provider(visit: Visit, prompt: Prompt, step_up: StepUp) -> web.StreamResponse:
    """Sends the browser to the person's provider, which asks them once more."""
    request = federated_pb.BeginFederatedStepUpRequest(browser_token=federated.browser_token(visit))
    begin = visit.site.core.federated.BeginFederatedStepUp
    try:
        answer = await visit.ask_as_person(begin, request)
    except CoreError as error:
        prompt.refuse(visit, error)
        visit.errors = {}
        return await _show(visit, prompt, step_up)
    return federated.lead_on(visit, answer.browser_token, answer.authorization_url)


def _prompt(visit: Visit, step_up: StepUp) -> Prompt:
    """With what the person can confirm that it is them."""
    return Prompt.make(visit, STEP_UP, step_up.methods)


async def _current(visit: Visit) -> StepUp:
    """What the person was doing; nothing if they came here on their own."""
    session_id = (await visit.require_session()).session_id
    kept = _kept(visit)
    if kept is not None and kept.session_id == session_id and kept.methods:
        return kept
    step_up = await _with_challenge(visit, StepUp(session_id, ACCOUNT_SECURITY))
    _keep(visit, step_up)
    return step_up


async def _with_challenge(visit: Visit, step_up: StepUp) -> StepUp:
    """The same with a challenge, and the methods with which it can be answered.

    Raises:
        StepUpNeededError: saying what is missing, if there are none.
    """
    if step_up.challenge:
        return step_up
    request = pb.BeginStepUpRequest(acr_values=step_up.acr)
    try:
        begun = await visit.ask_as_person(visit.site.core.challenges.BeginStepUp, request)
    except CoreError as error:
        if error.reason == _NOTHING:
            raise StepUpNeededError(error.metadata.get("missing", ENROLLMENT)) from None
        raise
    return replace(step_up, challenge=begun.challenge, methods=list(begun.methods))


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
