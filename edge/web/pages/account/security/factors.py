"""/account/security: what the person has beside the password, and where it is not asked for."""

from __future__ import annotations

from collections import defaultdict

from aiohttp import web
from portico.passkeys.v1 import passkey_service_pb2 as passkeys

from edge.web.devices import device_name
from edge.web.page import Page
from edge.web.pages.account.security.listing import list_factors
from edge.web.passkeys import as_options
from edge.web.paths import ACCOUNT_SECURITY
from edge.web.remembered_devices import forget, forget_all, list_devices
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """The list, and what can be added."""
    user = await visit.load_user()
    answer = await list_factors(visit)
    providers: dict[str, str] = defaultdict(str)
    signal = ""
    # Whoever keeps the passkeys is told which ones are left, after the last one, too.
    if any(each.type == "passkey" for each in answer.factors) or visit.notice:
        found = await visit.ask_as_person(
            visit.site.core.passkeys.ListPasskeys, passkeys.ListPasskeysRequest()
        )
        providers.update({each.factor_id: each.provider for each in found.passkeys})
        signal = as_options(found.signal, with_empty=True)
    return visit.render_with_script(
        "account/security/factors.html",
        user=user,
        factors=answer.factors,
        codes_left=answer.recovery_codes_left,
        code_kinds=_code_kinds(visit, {each.type for each in answer.factors}),
        providers=providers,
        signal=signal,
        devices=await list_devices(visit),
        name_of=lambda device: device_name(visit, device.user_agent),
    )


async def post(visit: Visit) -> web.StreamResponse:
    """Forgets one remembered device, or all."""
    await visit.load_user()
    which = visit.form.get("forget", "")
    if which == "all":
        await forget_all(visit)
        return visit.redirect(ACCOUNT_SECURITY, notice="devices-forgotten")
    await forget(visit, which)
    return visit.redirect(ACCOUNT_SECURITY, notice="device-forgotten")


def _code_kinds(visit: Visit, present: set[str]) -> list[str]:
    """The kinds of codes that can be added: by mail once, by SMS where messages are sent."""
    kinds = [] if "email" in present else ["email"]
    return kinds if visit.site.settings.sms_provider == "none" else [*kinds, "sms"]


PAGE = Page(get, post)
