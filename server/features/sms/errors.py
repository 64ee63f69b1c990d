"""What can be refused about text messages."""

from __future__ import annotations

from portico_kit.errors import DomainError
from portico_kit.status import StatusCode


class SmsNotAvailableError(DomainError):
    """Text messages are not sent here; use another factor."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "SMS_NOT_AVAILABLE"


class SmsCountryNotAllowedError(DomainError):
    """Text messages are not sent to phone numbers of this country."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "SMS_COUNTRY_NOT_ALLOWED"


class NotMobileError(DomainError):
    """The phone number is not of a mobile phone; premium and service numbers get no codes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PHONE_NUMBER_NOT_MOBILE"


class SmsStoppedError(DomainError):
    """Text messages to this country are stopped for now; use another factor."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "SMS_STOPPED"
    # That they were stopped is in the audit log.
    keeps_changes = True
