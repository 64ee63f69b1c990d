"""What Schemathesis is told of the platform; loaded by its own process.

Gives its requests credentials, addresses and the ids of things that exist, and
says which refusals of a valid request no schema can foretell.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData

WORLD = json.loads(Path(os.environ["SCHEMATHESIS_WORLD"]).read_text())
CALLERS: list[dict[str, Any]] = WORLD["callers"]
ADMINISTRATORS = [each for each in CALLERS if each["administrator"]]
ANSWERS = Path(os.environ["SCHEMATHESIS_ANSWERS"]).open("a", buffering=1)  # noqa: SIM115

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# One request in so many keeps the ids that were made up: 404 has to be seen, too.
_MADE_UP = 6

# Reasons that lie in the state of the platform, in time or in a secret. Everything
# else that refuses a valid request is a finding.
EXCUSED = {
    "INVALID_CURSOR",  # signed, and bound to its list
    "TOKEN_INVALID",  # came by mail, or did not
    "CODE_INVALID",  # was sent, or is shown by an app
    "METHOD_NOT_AVAILABLE",  # depends on whose challenge it is
    "CURRENT_PASSWORD_WRONG",
    "TOO_MANY_ATTEMPTS",  # at the current password
    "PASSWORD_TOO_COMMON",  # lists of thousands, and an estimate
    "PASSWORD_CONTAINS_EMAIL",
    "TIMESTAMP_GT_NOW",
    "ETAG_MISMATCH",
    "IDEMPOTENCY_KEY_REUSED",
    "BOOL_CONST",  # terms that must be accepted; no generator takes a boolean of one value
    "URL_INVALID",  # more grammar than a pattern holds
    "URL_NOT_PUBLIC",
    "URL_HAS_CREDENTIALS",
    "UNKNOWN_TIME_ZONE",  # the IANA's list grows
    "HMAC_KEY_REQUIRED",  # only with certain hashes
    "PREFIX_RESERVED",
    "PREFIX_REPEATED",
    "HASH_REPEATED",
    "FILTER_INVALID",  # a language of its own
    "INVALID_POSITION",  # of an event that there has been
    "EVENT_CURSOR_LIMIT_REACHED",
    "ALL_ORGANIZATIONS_OF_OPERATOR",
    "ORDERING_BY_ORGANIZATION",
    "EVENT_TYPE_OF_OPERATOR",  # a setting says which organization that is
    "HEADER_NOT_ALLOWED",  # a list of names, and two beginnings
    "HEADER_REPEATED",
    "HEADERS_TOO_LONG",  # all of them together
    "HEADERS_REQUIRED",  # depends on whether the URL is another
    "SCHEDULE_NOT_CUSTOM",  # two fields that have to fit
    "SCHEDULE_TOO_LONG",  # the sum
    "EVENT_TYPE_NOT_SUBSCRIBED",  # depends on the webhook
    "SINCE_REQUIRED",  # depends on what the webhook missed
    "INTERVAL_EMPTY",
    "TOO_OLD",
    "SLUG_RESERVED",  # a list of words
    "PROJECT_UNKNOWN",
    "STRING_EMAIL_ADDRESS",  # more grammar than a format holds
    "PHONE_NUMBER_FORM",  # any punctuation between the digits
    "PHONE_NUMBER_UNKNOWN",  # the plans of 245 countries
    "PHONE_NUMBER_NOT_MOBILE",
    "SMS_COUNTRY_NOT_ALLOWED",  # a setting says which are
    "FEDERATED_STATE_INVALID",  # sealed, and bound to a browser
    "LOGOUT_TOKEN_INVALID",  # signed by a provider
    "PASSKEY_REGISTRATION_INVALID",  # made by an authenticator
    "INVALID_VALUE",  # of a credential, whose members the contract leaves open
    "INVALID_TYPE",
    "INVALID_DOMAIN",  # more grammar than a pattern holds
    "INVALID_ISSUER",
    "PROVIDER_UNREACHABLE",
    "ISSUER_MISMATCH",
    "REQUIRED",  # depends on the provider: its issuer, its tenants, the client's secret
    "NO_ISSUER",
    "NO_PRIVATE_KEY",
    "NOT_ALLOWED",
    "NOT_SUPPORTED",
    "REGISTRATION_FAILED",
    "FACTOR_REQUIRED",
    "SCOPE_UNKNOWN",  # permissions, and the four of OpenID Connect
    "SCOPE_NOT_ALLOWED",  # depends on the kind of the application
    "GRANT_TYPE_NOT_ALLOWED",
    "METHOD_NOT_ALLOWED",
    "AUTHENTICATION_REQUIRED",
    "NOT_USED",
    "TWO_KEY_SETS",
    "LIFETIME_TOO_LONG",  # of the refresh token: two fields that have to fit
    "NOT_ORDERED_BY_FIELD",  # two fields that have to fit
    "INVALID_KEY_SET",  # RFC 7517 leaves their members open
    "INVALID_KEY",
    "PRIVATE_KEY",
    "URI_INVALID",
    "URI_SCHEME_NOT_ALLOWED",
    "URI_HAS_CREDENTIALS",
    "URI_HAS_WILDCARD",
    "URI_HAS_FRAGMENT",
    "URI_TOO_LONG",
}
_KEY = re.compile("[!-~]{1,255}")
_NOBODYS = "01890a5d-ac96-774b-bcce-b302099a8057"
# Stands where a credential belongs, until it is known who sends the request.
_SOMEBODY = "Bearer somebody"

# The network of one address: always one whose host bits are zero.
schemathesis.openapi.format(
    "ip-prefix", st.ip_addresses().map(lambda address: f"{address}/{address.max_prefixlen}")
)
# What people are called: anything that is seen, with space only inside.
_WORDS = (
    st.text(
        st.characters(
            categories=["L", "N", "P", "S", "Zs"],
            exclude_characters="\u2800\u115f\u1160\u3164\uffa0",
        )
    )
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
# Names are as long as they may be, one less or one more far too seldom by chance: looking for
# one takes longest of all that the walk does, and ends without.
_LIMITS = [length + beside for length in (50, 100) for beside in (-1, 0, 1)]
_LONGEST = st.builds(
    lambda words, length: words.ljust(length, "x")[: length - 1] + "x",
    _WORDS,
    st.sampled_from(_LIMITS),
)
schemathesis.openapi.format("name", _WORDS | _LONGEST)

# What a token does not outlive, and which ones are there for it.
_ENDING = {"logout": "spare_tokens", "deleteMe": "leaving_tokens"}

_turn = itertools.count()
_owners: dict[str, dict[str, Any]] = {
    value: each for each in CALLERS for value in (*each["kept"], *each["ids"].values())
}
_KEPT = {value for each in CALLERS for value in each["kept"]}
_STAYING = set(_owners)


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Says that every request has a credential; `before_call` decides on whose."""

    def get(self, case: Any, context: Any) -> str:
        """A mark; what Schemathesis makes up itself has to stay as it is."""
        return _SOMEBODY

    def set(self, case: Any, data: str, context: Any) -> None:
        """Presents the mark."""
        case.headers["Authorization"] = data


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Makes somebody send the request, about things that exist."""
    turn = next(_turn)
    caller = _sender(case, turn)
    case.headers["X-Forwarded-For"] = f"10.77.{turn // 250 % 250}.{turn % 250}"
    if case.headers.get("Authorization") == _SOMEBODY:
        _present(case, caller, turn)
    if case.method == "QUERY":
        # Without one it is malformed, whatever the path; with one it is a verb like others.
        case.headers["Content-Type"] = "application/json"
    if turn % _MADE_UP:
        _agree_with_the_state(case, turn)
        _name_what_exists(case, caller)
        _fill_in(case, caller)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Notes who has seen which ids, and what was answered."""
    sender = next((i for i in CALLERS if i["token"] in str(case.headers)), None)
    if sender is not None and response.status_code < 300:
        for found in _UUID.findall(response.content.decode(errors="replace")):
            _owners.setdefault(found, sender)
    if case.method.upper() == case.operation.method.upper():
        # OPTIONS of its path would be a success of somebody else's.
        ANSWERS.write(f"{_operation_id(case)} {response.status_code}\n")


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keeps every finding but a refusal for a reason that no schema can say."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if any("_" in name for name in case.headers):
        return False  # refused by choice; no schema can name the headers that must not be there
    error = response.json()["error"]
    reasons = {detail["code"] for detail in error["details"]}
    excused = error["code"] in EXCUSED or (reasons and reasons <= EXCUSED)
    return not excused


def _operation_id(case: Any) -> str:
    return str(case.operation.definition.raw["operationId"])


def _sender(case: Any, turn: int) -> dict[str, Any]:
    """The next in turn who may send it; in a story, whoever owns what it is about."""
    if _operation_id(case) in WORLD["administrative"]:
        return ADMINISTRATORS[turn % len(ADMINISTRATORS)]
    if _is_told(case):
        for value in (case.path_parameters or {}).values():
            if str(value) in _owners:
                return _owners[str(value)]
    return CALLERS[turn % len(CALLERS)]


def _is_told(case: Any) -> bool:
    """Whether the case follows from others, so that its ids come from their answers."""
    return str(case.meta.phase.name) == "stateful"


def _present(case: Any, caller: dict[str, Any], turn: int) -> None:
    """The caller's token; now and then its key, where one is accepted."""
    security = case.operation.definition.raw["security"]
    if _operation_id(case) in _ENDING:
        tokens = caller[_ENDING[_operation_id(case)]]
        token = tokens.pop() if tokens else "ended"
        case.headers["Authorization"] = f"Bearer {token}"
    elif {"apiKey": []} in security and turn % 3 == 0:
        del case.headers["Authorization"]
        case.headers["X-API-Key"] = caller["api_key"]
    else:
        case.headers["Authorization"] = f"Bearer {caller['token']}"


def _agree_with_the_state(case: Any, turn: int) -> None:
    """Keys, tags and cursors that get the request to its method; others are refused early."""
    if _KEY.fullmatch(str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = f"turn-{turn}"
    if "If-Match" in case.headers and not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers["If-Match"] = "*"
    if not case.meta.is_negative_at(ParameterLocation.QUERY):
        case.query.pop("cursor", None)


def _name_what_exists(case: Any, caller: dict[str, Any]) -> None:
    """Replaces made-up ids in the path; ids that came from an answer stay."""
    if not case.path_parameters or case.meta.is_negative_at(ParameterLocation.PATH):
        return
    names = list(case.path_parameters)
    given = caller["given"].get(_operation_id(case), {})
    for name in names:
        if given.get(name):
            case.path_parameters[name] = _take(given[name])
            continue
        value = str(case.path_parameters[name])
        uses_up = name == names[-1] and _uses_up(case)
        if _is_told(case) and value in _owners and not _is_needed(case, value, uses_up=uses_up):
            continue
        spares = caller["spares"].get(name, [])
        if not uses_up:
            case.path_parameters[name] = caller["ids"].get(name, value)
        elif _tightens(case) and spares:
            case.path_parameters[name] = spares[0]
        else:
            case.path_parameters[name] = spares.pop() if spares else _NOBODYS


def _uses_up(case: Any) -> bool:
    """Whether what the request is about cannot be worked with afterwards."""
    ends = case.operation.method == "delete" or case.operation.path.endswith(("/revoke", "/leave"))
    return bool(ends or _tightens(case))


def _tightens(case: Any) -> bool:
    """Whether it sets limits: of an organization in which nobody works."""
    return _operation_id(case) == "updateOrganizationLimits"


def _is_needed(case: Any, value: str, *, uses_up: bool) -> bool:
    """Whether the request would take from somebody what they need to go on."""
    if case.operation.method == "get":
        return False
    return value in (_STAYING if uses_up else _KEPT)


def _fill_in(case: Any, caller: dict[str, Any]) -> None:
    """Puts values into the body that are good only because the platform knows them."""
    given = caller["given"].get(_operation_id(case), {})
    if not isinstance(case.body, dict) or case.meta.is_negative_at(ParameterLocation.BODY):
        return
    for name in given.keys() & case.body.keys():
        case.body[name] = _take(given[name])


def _take(values: list[Any]) -> Any:
    """The next of the values; the last one again and again."""
    return values.pop() if len(values) > 1 else values[0]
