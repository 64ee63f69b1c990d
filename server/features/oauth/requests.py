"""Authorization requests: what they may say, and how they travel.

The rules are those of RFC 6749 (section 4.1.1) as OAuth 2.1 has them, of OpenID Connect Core
(section 3.1.2.1) and of RFC 8707. Nothing here asks a database.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag

from portico_kit.assurance import Assurance
from portico_kit.oauth_metadata import PROMPTS, RESPONSE_MODES, same_resource
from portico_kit.oauth_scopes import EMAIL, OPENID, PROFILE
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.applications.facade import CREATED, Client
from server.features.oauth.models import NONCE_LENGTH

PURPOSE = "oauth-authorization-request"
REQUEST_LIFETIME = timedelta(hours=1)
STATE_LENGTH = 4096
HINT_LENGTH = 254
CLAIMS_LENGTH = 8192
# Ten years; more is a mistake, and says no more.
LONGEST_MAX_AGE = 315_360_000  # seconds

# A code challenge of S256, or the thumbprint of a key: base64url of 32 bytes.
_SHA_256 = re.compile(r"[A-Za-z0-9_-]{43}")
_NUMBER = re.compile(r"[0-9]{1,10}")
# The scope with which each claim is given.
CLAIM_SCOPES: Mapping[str, str] = {
    "name": PROFILE,
    "updated_at": PROFILE,
    "email": EMAIL,
    "email_verified": EMAIL,
}
# Those that are read.
PARAMETERS = frozenset(
    {
        "acr_values",
        "claims",
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "id_token_hint",
        "login_hint",
        "max_age",
        "nonce",
        "prompt",
        "redirect_uri",
        "registration",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
        "ui_locales",
    }
)
# Those that a request object may have as claims.
SIGNED_PARAMETERS = PARAMETERS | {"resource", "dpop_jkt"}
_LEVELS = {level.acr: level for level in Assurance if level > Assurance.NONE}


class RefusedRequestError(Exception):
    """The request is refused, by a name of the standards. Caught where the answer is made."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that a person can be asked about.

    Attributes:
        jti: names it. No two have the same, but for a signed one that comes once more.
        requested_at: when it came, in seconds since 1970.
        acr_values: the levels that are asked for, preferred first.
        acr_essential: whether one of them must be reached.
        claims: those that the ID token shall have.
        subject: who is expected, as the application knows them; "" for anybody.
        dpop_jkt: the thumbprint of the key that the code is for (RFC 9449, section 10).
        pushed: whether the application has sent it itself; then one person decides it, once.
    """

    jti: str
    requested_at: float
    client_id: str
    redirect_uri: str
    response_mode: str
    scopes: tuple[str, ...]
    code_challenge: str
    state: str = ""
    nonce: str = ""
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    claims: tuple[str, ...] = ()
    subject: str = ""
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    dpop_jkt: str = ""
    pushed: bool = False

    @property
    def levels(self) -> tuple[Assurance, ...]:
        """The levels of `acr_values` that are known here."""
        return tuple(_LEVELS[value] for value in self.acr_values if value in _LEVELS)


@dataclass(frozen=True, slots=True)
class SealedRequests:
    """Requests as they travel through the browser: encrypted, and valid for an hour."""

    secrets: Secrets

    def seal(self, request: AuthorizationRequest) -> str:
        """The text that carries a request."""
        plain = json.dumps(asdict(request), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self.secrets.seal(PURPOSE, plain)).decode().rstrip("=")

    def open(self, text: str, now: datetime) -> AuthorizationRequest | None:
        """The request; None if the text is none of ours, or its time is over."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            values = json.loads(self.secrets.unseal(PURPOSE, sealed))
        except (ValueError, InvalidTag):
            return None
        known = {each.name for each in fields(AuthorizationRequest)}
        given: dict[str, Any] = {
            str(name): tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if name in known
        }
        request = AuthorizationRequest(**given)
        age = now.timestamp() - request.requested_at
        return request if age < REQUEST_LIFETIME.total_seconds() else None


class Parameters:
    """The parameters of a request, as they came."""

    def __init__(self, given: Iterable[tuple[str, str]], jti: str = "") -> None:
        """Takes names and values. One without a value counts as absent (RFC 6749, 3.1).

        Args:
            jti: names the request if it may come more than once; "" for a new name.
        """
        self.jti = jti or new_token()
        self._given = [(name, value) for name, value in given if value]
        self._counts = Counter(name for name, _ in self._given)

    def one(self, name: str) -> str:
        """The value of a parameter; "" if it is absent.

        Raises:
            RefusedRequestError: if it is there twice.
        """
        if self._counts[name] > 1:
            raise RefusedRequestError("invalid_request", f"{name} is there more than once")
        return next((value for given, value in self._given if given == name), "")

    def first(self, name: str) -> str:
        """The value of a parameter if it is there once, else ""."""
        return self.one(name) if self._counts[name] == 1 else ""

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a parameter that may be there more than once."""
        return tuple(value for given, value in self._given if given == name)

    def require_single(self, but: str) -> None:
        """Refuses a request with a parameter that is there twice.

        Args:
            but: the one that may be.
        """
        for name, count in self._counts.items():
            if count > 1 and name != but:
                # The application may show this: it repeats nothing that somebody made up.
                known = name if name in PARAMETERS else "a parameter"
                raise RefusedRequestError("invalid_request", f"{known} is there twice")


INVALID_REQUEST_OBJECT = "invalid_request_object"


def signed_parameters(claims: Mapping[str, Any], text: str) -> Parameters:
    """The parameters that a request object has as claims. Other claims count for nothing.

    Args:
        text: the object.

    Raises:
        RefusedRequestError: if one has a form that no parameter has, or leads to another request.
    """
    if not claims.keys().isdisjoint({"request", "request_uri"}):
        raise RefusedRequestError(INVALID_REQUEST_OBJECT, "a request is in the request")
    given = [
        (name, _as_text(name, value))
        for name, claim in claims.items()
        if name in SIGNED_PARAMETERS
        for value in (claim if name == "resource" and isinstance(claim, list) else [claim])
        if value is not None
    ]
    # Approved once more it gives another code in the place of the first.
    return Parameters(given, jti=hashlib.sha256(text.encode()).hexdigest())


def _as_text(name: str, value: Any) -> str:
    """A claim as the parameter that it stands for: text, a number, or a JSON object."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and name == "claims":
        return json.dumps(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RefusedRequestError(INVALID_REQUEST_OBJECT, f"{name} has not the form of a parameter")


def parse(
    parameters: Parameters,
    client: Client,
    *,
    issuer: str,
    hinted: str | None,
    now: datetime,
) -> AuthorizationRequest:
    """The request of a client, whose redirect URI has been looked at.

    Args:
        hinted: whom the ID token names that is given as a hint, "" if none is given; None if
            it is none of ours.

    Raises:
        RefusedRequestError: with what the client is to be answered.
    """
    parameters.require_single(but="resource")
    _require_supported(parameters)
    claims = _claims(parameters.one("claims"))
    prompt = _prompt(parameters.one("prompt"))
    if hinted is None:
        raise RefusedRequestError("invalid_request", "id_token_hint is no ID token of this client")
    acr_values, essential = _acr_values(parameters, claims)
    return AuthorizationRequest(
        jti=parameters.jti,
        requested_at=now.timestamp(),
        client_id=client.client_id,
        redirect_uri=parameters.one("redirect_uri"),
        response_mode=response_mode(parameters),
        scopes=_scopes(parameters.one("scope"), client, claims),
        code_challenge=_code_challenge(parameters),
        state=_limited(parameters, "state", STATE_LENGTH),
        nonce=_limited(parameters, "nonce", NONCE_LENGTH),
        prompt=prompt,
        max_age=_max_age(parameters.one("max_age")),
        acr_values=acr_values,
        acr_essential=essential,
        claims=tuple(name for name in claims.get("id_token", {}) if name in CLAIM_SCOPES),
        subject=_subject(claims, hinted),
        login_hint=_limited(parameters, "login_hint", HINT_LENGTH),
        ui_locales=tuple(parameters.one("ui_locales").split()[:10]),
        resources=resources(parameters.all("resource"), issuer),
        dpop_jkt=_dpop_jkt(parameters.one("dpop_jkt")),
    )


def response_mode(parameters: Parameters) -> str:
    """How the response is given to the client.

    Raises:
        RefusedRequestError: if it is asked for in a way that there is not.
    """
    asked = parameters.one("response_mode") or "query"
    if asked not in RESPONSE_MODES:
        raise RefusedRequestError("invalid_request", "response_mode is not supported")
    return asked


def resources(asked: Sequence[str], issuer: str) -> tuple[str, ...]:
    """The resources that tokens are for (RFC 8707).

    Raises:
        RefusedRequestError: "invalid_target" if one is not known here.
    """
    if not all(same_resource(each, issuer) for each in asked):
        raise RefusedRequestError("invalid_target", "the resource is not known here")
    return (issuer,) if asked else ()


def scopes(asked: str, client: Client) -> tuple[str, ...]:
    """What is asked for; all that the application may be given if nothing is named.

    Raises:
        RefusedRequestError: "invalid_scope" if it may not be given all of it.
    """
    return _scopes(asked, client, {})


def _require_supported(parameters: Parameters) -> None:
    for name, error in (
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ):
        if parameters.all(name):
            raise RefusedRequestError(error, f"{name} is not supported")
    response_type = parameters.one("response_type")
    if not response_type:
        raise RefusedRequestError("invalid_request", "response_type is missing")
    if response_type != "code":
        raise RefusedRequestError("unsupported_response_type", 'response_type must be "code"')


def _code_challenge(parameters: Parameters) -> str:
    """The challenge (RFC 7636). Every client sends one (RFC 9700, section 2.1.1)."""
    challenge = parameters.one("code_challenge")
    if not challenge:
        raise RefusedRequestError("invalid_request", "code_challenge is missing")
    # Absent, it would mean "plain".
    if parameters.one("code_challenge_method") != "S256":
        raise RefusedRequestError("invalid_request", 'code_challenge_method must be "S256"')
    if not _SHA_256.fullmatch(challenge):
        raise RefusedRequestError("invalid_request", "code_challenge is no SHA-256 in base64url")
    return challenge


def _dpop_jkt(asked: str) -> str:
    if asked and not _SHA_256.fullmatch(asked):
        raise RefusedRequestError("invalid_request", "dpop_jkt is no SHA-256 in base64url")
    return asked


def _scopes(asked: str, client: Client, claims: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What is asked for; all that the application may be given if nothing is named."""
    if not asked and not client.scopes:
        raise RefusedRequestError("invalid_scope", "the application can be given nothing")
    if not asked:
        return tuple(sorted(client.scopes))
    names = list(dict.fromkeys(asked.split()))
    unknown = [name for name in names if name not in client.scopes]
    if unknown and client.origin != CREATED and len(unknown) < len(names):
        # It asks for all that there is, as the documents list it (RFC 6749, section 3.3).
        names = [name for name in names if name in client.scopes]
    elif unknown:
        raise RefusedRequestError(
            "invalid_scope", "the application cannot be given all of the scopes"
        )
    # A claim that is asked for by its name is given as its scope is: the person agrees to it.
    wanted = {name for part in claims.values() for name in part}
    implied = {CLAIM_SCOPES[name] for name in wanted if name in CLAIM_SCOPES}
    if OPENID in names:
        names += sorted((implied & client.scopes) - set(names))
    return tuple(names)


def _prompt(asked: str) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(asked.split()))
    if "none" in values and len(values) > 1:
        raise RefusedRequestError("invalid_request", 'prompt "none" stands alone')
    if not set(values) <= set(PROMPTS):
        raise RefusedRequestError("invalid_request", "prompt is not supported")
    return values


def _max_age(asked: str) -> int | None:
    if not asked:
        return None
    if not _NUMBER.fullmatch(asked):
        raise RefusedRequestError("invalid_request", "max_age is no number of seconds")
    return min(int(asked), LONGEST_MAX_AGE)


def _limited(parameters: Parameters, name: str, length: int) -> str:
    value = parameters.one(name)
    if len(value) > length:
        raise RefusedRequestError("invalid_request", f"{name} is longer than {length} characters")
    return value


def _claims(asked: str) -> Mapping[str, Mapping[str, Any]]:
    """The parameter `claims` (OpenID Connect Core, section 5.5): what is asked of each place."""
    if not asked:
        return {}
    try:
        found = json.loads(asked) if len(asked) <= CLAIMS_LENGTH else None
        # JSON can spell what is no text: half of a character.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RefusedRequestError("invalid_request", "claims is no JSON object")
    places = {name: found.get(name) or {} for name in ("userinfo", "id_token")}
    if not all(isinstance(place, dict) for place in places.values()):
        raise RefusedRequestError("invalid_request", "claims has a member that is no object")
    return places


def _acr_values(
    parameters: Parameters, claims: Mapping[str, Mapping[str, Any]]
) -> tuple[tuple[str, ...], bool]:
    """The levels that are asked for, and whether one of them must be reached."""
    asked = tuple(parameters.one("acr_values").split()[:10])
    claim = claims.get("id_token", {}).get("acr")
    if not isinstance(claim, dict):
        return asked, False
    values = claim.get("values", [claim["value"]] if "value" in claim else [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise RefusedRequestError("invalid_request", "claims asks for an acr that is no text")
    # Essential without a value, it only has to be in the ID token, where it always is.
    return (tuple(values[:10]) or asked), bool(values) and claim.get("essential") is True


def _subject(claims: Mapping[str, Mapping[str, Any]], hinted: str) -> str:
    """Who is expected: by the hint, or by a value of the claim `sub`."""
    for place in claims.values():
        claim = place.get("sub")
        wanted = claim.get("value") if isinstance(claim, dict) else None
        if wanted is None:
            continue
        if not isinstance(wanted, str) or (hinted and hinted != wanted):
            raise RefusedRequestError("invalid_request", "claims asks for another person")
        hinted = wanted
    return hinted


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back to the client.

    Attributes:
        parameters: names and values, in their order.
    """

    redirect_uri: str
    response_mode: str
    parameters: tuple[tuple[str, str], ...] = field(repr=False)


def success(request: AuthorizationRequest, code: str, issuer: str) -> Response:
    """The response with a code; `iss` says whose it is (RFC 9207)."""
    return _response(request.redirect_uri, request.response_mode, request.state, issuer, code=code)


def failure(request: AuthorizationRequest, error: str, description: str, issuer: str) -> Response:
    """The response with an error."""
    return refusal(
        request.redirect_uri,
        request.response_mode,
        request.state,
        RefusedRequestError(error, description),
        issuer,
    )


def refusal(
    redirect_uri: str, mode: str, state: str, refused: RefusedRequestError, issuer: str
) -> Response:
    """The response to a request that is refused before there is one."""
    return _response(
        redirect_uri,
        mode,
        state,
        issuer,
        error=refused.error,
        error_description=refused.description,
    )


def _response(redirect_uri: str, mode: str, state: str, issuer: str, **said: str) -> Response:
    parameters = [*said.items(), *([("state", state)] if state else []), ("iss", issuer)]
    return Response(redirect_uri, mode, tuple(parameters))
