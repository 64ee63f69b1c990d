"""How an access token is presented (RFC 6750, section 2), and refused (section 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.web.oauth.errors import REALM, OAuthError, invalid_request, plain
from edge.web.oauth.parameters import Parameters

# RFC 6750, section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")


def read_token(headers: Mapping[str, str], form: Parameters | None) -> str:
    """The token of a request.

    Args:
        form: of a POST with one; a token in the address is never looked at.

    Raises:
        OAuthError: if there is none, or it is presented twice or in a way that is none.
    """
    in_form = form.get("access_token") if form is not None else ""
    authorization = headers.get("Authorization")
    if authorization is None:
        if not in_form:
            raise OAuthError("invalid_token", "No access token was presented.", headers=challenge())
        return in_form
    if in_form:
        raise refused(invalid_request("The access token is presented in more than one way."))
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not _TOKEN.match(token):
        raise refused(OAuthError("invalid_token", "No access token was presented."))
    return token


def refused(error: OAuthError) -> OAuthError:
    """The refusal with the challenge that says why."""
    return OAuthError(error.error, error.description, error.status, challenge(error))


def challenge(error: OAuthError | None = None) -> dict[str, str]:
    """The WWW-Authenticate header. Whoever presents nothing is given no reason."""
    parts = [f'Bearer realm="{REALM}"']
    if error is not None:
        parts.append(f'error="{error.error}"')
        if error.description:
            parts.append(f'error_description="{plain(error.description)}"')
        if error.error == "insufficient_scope":
            parts.append('scope="openid"')
    return {"WWW-Authenticate": ", ".join(parts)}
