"""The kinds of applications, and what each may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant type
CLIENT_CREDENTIALS = "client_credentials"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - as above

CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - the name of a method
CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - as above
PRIVATE_KEY_JWT = "private_key_jwt"
SELF_SIGNED_TLS = "self_signed_tls_client_auth"
NO_AUTHENTICATION = "none"
SECRET_METHODS = frozenset({CLIENT_SECRET_BASIC, CLIENT_SECRET_POST})
# What a client has keys for, in a set that it registers or publishes.
KEY_METHODS = frozenset({PRIVATE_KEY_JWT, SELF_SIGNED_TLS})
ALL_METHODS = SECRET_METHODS | KEY_METHODS | {NO_AUTHENTICATION}

# What an application learns of people, beside the permissions of the contract.
PERSONAL_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True, slots=True)
class Kind:
    """What applications of a kind may use.

    Attributes:
        grant_types: the ones that it may have.
        default_grant_types: those that it has unless others are named.
        methods: how it may authenticate.
        default_method: how it does unless another way is named.
    """

    grant_types: frozenset[str]
    default_grant_types: tuple[str, ...]
    methods: frozenset[str]
    default_method: str


# Whatever is installed or runs in a browser can keep no secret (RFC 8252, section 8.4).
_PUBLIC = frozenset({NO_AUTHENTICATION})

KINDS: Mapping[str, Kind] = {
    "web": Kind(
        frozenset(
            {
                AUTHORIZATION_CODE,
                REFRESH_TOKEN,
                CLIENT_CREDENTIALS,
                DEVICE_CODE,
                TOKEN_EXCHANGE,
            }
        ),
        (AUTHORIZATION_CODE, REFRESH_TOKEN),
        ALL_METHODS,
        CLIENT_SECRET_BASIC,
    ),
    "single_page": Kind(
        frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN}),
        (AUTHORIZATION_CODE, REFRESH_TOKEN),
        _PUBLIC,
        NO_AUTHENTICATION,
    ),
    "native": Kind(
        frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE}),
        (AUTHORIZATION_CODE, REFRESH_TOKEN),
        _PUBLIC,
        NO_AUTHENTICATION,
    ),
    "machine": Kind(
        frozenset({CLIENT_CREDENTIALS, TOKEN_EXCHANGE}),
        (CLIENT_CREDENTIALS,),
        ALL_METHODS - _PUBLIC,
        CLIENT_SECRET_BASIC,
    ),
    "device": Kind(
        frozenset({DEVICE_CODE, REFRESH_TOKEN}),
        (DEVICE_CODE, REFRESH_TOKEN),
        ALL_METHODS,
        NO_AUTHENTICATION,
    ),
}
# Only a client that proves who it is may act for itself or pass tokens on.
CONFIDENTIAL_GRANT_TYPES = frozenset({CLIENT_CREDENTIALS, TOKEN_EXCHANGE})

# How an application came to be.
CREATED, REGISTERED, DOCUMENT = "created", "registered", "document"
# What a registration policy says.
OFF, WITH_TOKEN, LISTED, OPEN = "off", "token", "listed", "open"
REGISTRABLE_KINDS = ("native", "single_page", "web")
REGISTRABLE_SCOPES = ("email", "openid", "profile")
MAX_REGISTERED = 100  # applications of an organization
UNUSED_DAYS = 7
# What registers itself acts for people who agree, never for the organization that took it.
REGISTRABLE_GRANT_TYPES = frozenset({AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE})
