"""How an access token is presented (RFC 6750, section 2; RFC 9449, section 7), and refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from edge.web.oauth.errors import REALM, OAuthError, invalid_request, plain
from edge.web.oauth.parameters import Parameters
from portico_kit import dpop

# RFC 6750, section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z")


BEARER, DPOP = "Bearer", dpop.AUTHENTICATION_SCHEME
_SCHEMES = {scheme.lower(): scheme for scheme in (BEARER, DPOP)}
_ALGORITHMS = " ".join(dpop.ALGORITHMS)


class Presented(NamedTuple):
    """A token, and the scheme that it comes with."""

    token: str
    scheme: str


def read_token(headers: Mapping[str, str], form: Parameters | None) -> Presented:
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
        return Presented(in_form, BEARER)
    if in_form:
        raise refused(invalid_request("The access token is presented in more than one way."))
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    known = _SCHEMES.get(scheme.lower())
    if known is None or not _TOKEN.match(token):
        raise refused(OAuthError("invalid_token", "No access token was presented."), known)
    return Presented(token, known)


def refused(error: OAuthError, scheme: str | None = None) -> OAuthError:
    """The refusal with the challenge that says why.

    Args:
        scheme: the one that the token came with.
    """
    status = error.status
    if error.error in (dpop.DpopError.error, dpop.DpopNonceError.error):
        # At an endpoint that takes tokens a proof belongs to the credential.
        status = int(HTTPStatus.UNAUTHORIZED)
    return OAuthError(error.error, error.description, status, challenge(error, scheme))


def challenge(error: OAuthError | None = None, scheme: str | None = None) -> dict[str, str]:
    """The WWW-Authenticate header. Whoever presents nothing is given no reason."""
    parts = [f'{scheme or BEARER} realm="{REALM}"']
    if error is not None:
        parts.append(f'error="{error.error}"')
        if error.description:
            parts.append(f'error_description="{plain(error.description)}"')
        if error.error == "insufficient_scope":
            parts.append('scope="openid"')
    if scheme == DPOP:
        parts.append(f'algs="{_ALGORITHMS}"')
    return {"WWW-Authenticate": ", ".join(parts)}
