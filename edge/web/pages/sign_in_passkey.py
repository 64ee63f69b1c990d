"""/sign-in/passkey: signs in with a passkey alone, which the script of /sign-in has asked for."""

from __future__ import annotations

import json

from aiohttp import web
from google.protobuf.struct_pb2 import Struct
from portico.passkeys.v1 import passkey_sign_in_service_pb2 as pb

from edge.web import cookies, signing_in
from edge.web.core_client import CoreError
from edge.web.page import Page
from edge.web.pages import sign_in, sign_in_verify
from edge.web.passkeys import credential_id, read_credential
from edge.web.paths import SIGN_IN
from edge.web.visit import Visit


async def get(visit: Visit) -> web.StreamResponse:
    """There is nothing to be seen here."""
    if visit.alert:
        return await sign_in.show(visit)
    return visit.redirect(visit.link(SIGN_IN))


async def post(visit: Visit) -> web.StreamResponse:
    """Signs in. The answer is to the challenge that this form has, and forms are this browser's."""
    credential = read_credential(visit.form.get("credential", ""))
    request = pb.SignInWithPasskeyRequest(
        challenge=visit.form.get("challenge", ""),
        credential=credential,
        device_token=cookies.get(visit.request, cookies.DEVICE),
    )
    try:
        answer = await visit.ask(visit.site.core.passkey_sign_in.SignInWithPasskey, request)
        visit.put_cookie(cookies.DEVICE, answer.device_token, cookies.DEVICE_SECONDS)
        if answer.mfa_required:
            return sign_in_verify.begin(visit, answer.challenge, answer.methods)
        return await signing_in.finish(visit, answer.refresh_token)
    except CoreError as error:
        visit.refuse(error)
        visit.errors = {}
        is_unknown = error.reason == "PASSKEY_UNKNOWN"
        return await sign_in.show(visit, await _unknown(visit, credential) if is_unknown else "")


async def _unknown(visit: Visit, credential: Struct) -> str:
    """What the browser tells whoever keeps the passkey: that it is good for nothing here."""
    found = credential_id(credential)
    if not found:
        return ""
    begun = await visit.ask(
        visit.site.core.passkey_sign_in.BeginPasskeySignIn, pb.BeginPasskeySignInRequest()
    )
    return json.dumps({"rpId": begun.options.rp_id, "credentialId": found})


PAGE = Page(get, post)
