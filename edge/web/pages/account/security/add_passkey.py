"""/account/security/passkey: a passkey, which the browser makes when the script asks for it."""

from __future__ import annotations

from aiohttp import web
from portico.passkeys.v1 import passkey_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages.account.security.recovery_codes import show_codes
from edge.web.passkeys import as_options, read_credential
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The form, with what the browser needs. That is good for 5 minutes and changes nothing."""
    user = await visit.load_user()
    options = ""
    try:
        answer = await visit.ask_as_person(
            visit.site.core.passkeys.BeginPasskeyRegistration, pb.BeginPasskeyRegistrationRequest()
        )
        options = as_options(answer.options)
    except CoreError as error:
        if error.reason != "TOO_MANY_FACTORS":
            raise
        visit.refuse(error)
    return visit.render_with_script("account/security/passkey.html", user=user, options=options)


async def post(visit: Visit) -> web.StreamResponse:
    """Registers the passkey that the browser has made."""
    await visit.load_user()
    request = pb.FinishPasskeyRegistrationRequest(
        credential=read_credential(visit.form.get("credential", "")),
        name=visit.value("name").strip(),
    )
    try:
        answer = await visit.ask_as_person(
            visit.site.core.passkeys.FinishPasskeyRegistration, request
        )
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {name: text for name, text in visit.errors.items() if name == "name"}
        return await get(visit)
    if answer.recovery_codes:
        return show_codes(visit, answer.recovery_codes, added=answer.passkey.name)
    return visit.redirect(ACCOUNT_SECURITY, notice="factor-added")


PAGE = Page(get, post)
