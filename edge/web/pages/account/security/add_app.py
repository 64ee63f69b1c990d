"""/account/security/app: an authenticator app, in two steps."""

from __future__ import annotations

import re

from aiohttp import web
from markupsafe import Markup
from portico.factors.v1 import factor_service_pb2 as pb

from edge.web.answers import plain_code
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.security.recovery_codes import show_codes
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit

GROUP = 4
_SECRET = re.compile(r"[A-Z2-7]{16,64}\Z")


async def get(visit: Visit) -> web.StreamResponse:
    """What it is about; or the second step once more, which a person was called away from."""
    user = await visit.load_user()
    if visit.form.get("step") == "confirm":
        return _show_secret(visit)
    return visit.render("account/security/app.html", user=user)


async def post(visit: Visit) -> web.StreamResponse:
    """Makes the secret, then checks a code of the app that has taken it."""
    await visit.load_user()
    try:
        if visit.form.get("step") == "confirm":
            return await _confirm(visit)
        return await _begin(visit)
    except CoreError as error:
        visit.refuse(error)
        return await get(visit)


async def _begin(visit: Visit) -> web.StreamResponse:
    answer = await visit.ask_as_person(
        visit.site.core.factors.BeginTotpEnrollment, pb.BeginTotpEnrollmentRequest()
    )
    return _show_secret(visit, answer)


async def _confirm(visit: Visit) -> web.StreamResponse:
    if visit.lacks("code"):
        return await get(visit)
    request = pb.ConfirmTotpEnrollmentRequest(
        code=plain_code(visit.form["code"]), name=visit.value("name").strip()
    )
    try:
        answer = await visit.ask_as_person(visit.site.core.factors.ConfirmTotpEnrollment, request)
    except CoreError as error:
        visit.refuse(error)
        if error.reason == "CODE_INVALID" or "code" in error.violations:
            visit.alert = visit.t("refusals.VALIDATION_ERROR")
            visit.errors = {"code": visit.t("challenge.wrong_code")}
        elif error.reason == "ENROLLMENT_EXPIRED":
            visit.form = {}
        return await get(visit)
    if answer.recovery_codes:
        return show_codes(visit, answer.recovery_codes, added=answer.factor.name)
    return visit.redirect(ACCOUNT_SECURITY, notice="factor-added")


def _show_secret(
    visit: Visit, begun: pb.BeginTotpEnrollmentResponse | None = None
) -> web.StreamResponse:
    """The second step.

    Args:
        begun: a new secret. Without one the app has it already: another QR code would not fit
            the entry that the person has in there.
    """
    # What the page itself has sent; text that is no secret is not shown.
    sent = visit.form.get("secret", "")
    secret = begun.secret if begun is not None else sent if _SECRET.match(sent) else ""
    return visit.render(
        "account/security/app_code.html",
        user=visit.user,
        secret=secret,
        groups=[secret[at : at + GROUP] for at in range(0, len(secret), GROUP)],
        uri=begun.uri if begun is not None else "",
        # Drawn by the core, out of squares.
        qr_code=Markup(begun.qr_svg) if begun is not None else "",  # noqa: S704
    )


PAGE = Page(get, post)
