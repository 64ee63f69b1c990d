"""What can be refused about API keys."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class ApiKeyNotFoundError(DomainError):
    """There is no such API key."""

    code = StatusCode.NOT_FOUND
    reason = "API_KEY_NOT_FOUND"


class ApiKeyRevokedError(DomainError):
    """The API key is revoked, which is permanent."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "API_KEY_REVOKED"


class ApiKeyInvalidError(DomainError):
    """The API key is not valid."""

    code = StatusCode.UNAUTHENTICATED
    reason = "API_KEY_INVALID"


class ScopeNotGrantableError(DomainError):
    """The caller lacks a scope that the key would have."""

    code = StatusCode.PERMISSION_DENIED
    reason = "SCOPE_NOT_GRANTABLE"


class ScopeUnknownError(DomainError):
    """There is no such scope."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "SCOPE_UNKNOWN"


class ScopeNotBindableError(DomainError):
    """A key that is bound to projects can have only scopes that concern projects."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "SCOPE_NOT_BINDABLE"


class KeyImportNotAllowedError(DomainError):
    """No owner of the organization has allowed the import of keys."""

    code = StatusCode.PERMISSION_DENIED
    reason = "KEY_IMPORT_NOT_ALLOWED"


class PrefixTakenError(DomainError):
    """The prefix overlaps with the prefix of an imported key."""

    code = StatusCode.ALREADY_EXISTS
    reason = "PREFIX_TAKEN"
