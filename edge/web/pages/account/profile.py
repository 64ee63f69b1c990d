"""/account: name, picture, biography, language and theme."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web
from portico.users.v1 import user_pb2
from portico.users.v1 import user_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.etags import if_matching, tagged
from edge.web.page import Page
from edge.web.pages.account.security.listing import list_factors
from edge.web.paths import ACCOUNT
from edge.web.visit import Visit

FIELDS = ("display_name", "avatar_url", "bio", "preferences.theme", "preferences.language")
# For so long after a sign-in with a password a passkey is offered.
OFFER_SECONDS = 120
THEMES = ("system", "light", "dark")


async def get(visit: Visit) -> web.StreamResponse:
    """The form, with what is stored, or with what was entered if that was not accepted."""
    answer, etag = await visit.ask_as_person(tagged(visit.site.core.users.GetMe), pb.GetMeRequest())
    user = visit.user = answer.user
    offers_passkey = await _offers_passkey(visit)
    render = visit.render_with_script if offers_passkey else visit.render
    return render(
        "account/profile.html",
        user=user,
        offers_passkey=offers_passkey,
        values=_entered(visit) if visit.form else _stored(user),
        etag=etag,
        themes=THEMES,
        languages={tag: each.text("layout.language") for tag, each in visit.site.catalogs.items()},
    )


async def _offers_passkey(visit: Visit) -> bool:
    """Whether the person has just signed in with a password, and has no passkey yet."""
    if visit.form:
        return False
    claims = (await visit.require_session()).claims
    now = datetime.now(UTC).timestamp()
    if "pwd" not in claims.get("amr", ()) or now - claims.get("auth_time", 0) > OFFER_SECONDS:
        return False
    return all(each.type != "passkey" for each in (await list_factors(visit)).factors)


def _stored(user: user_pb2.User) -> dict[str, str]:
    return {
        "display_name": user.display_name,
        "avatar_url": user.avatar_url,
        "bio": user.bio,
        "theme": user.preferences.theme or "system",
        "language": user.preferences.language,
    }


def _entered(visit: Visit) -> dict[str, str]:
    names = ("display_name", "avatar_url", "bio", "theme", "language")
    return {name: visit.form.get(name, "") for name in names}


async def post(visit: Visit) -> web.StreamResponse:
    """Saves it, unless it was changed since the page was opened: another window may be older."""
    await visit.load_user()
    if visit.lacks("display_name"):
        return await get(visit)
    update = if_matching(visit.site.core.users.UpdateMe, visit.form.get("etag", ""))
    try:
        await visit.ask_as_person(update, _request(visit))
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)
    return visit.redirect(ACCOUNT, notice="saved")


def _request(visit: Visit) -> pb.UpdateMeRequest:
    entered = _entered(visit)
    request = pb.UpdateMeRequest(
        display_name=entered["display_name"].strip(),
        avatar_url=entered["avatar_url"].strip(),
        bio=entered["bio"].strip(),
    )
    request.preferences.theme = entered["theme"]
    # Without one the browser decides.
    if entered["language"]:
        request.preferences.language = entered["language"]
    request.update_mask.paths.extend(FIELDS)
    return request


PAGE = Page(get, post)
