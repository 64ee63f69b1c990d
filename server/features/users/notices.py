"""The mail that the owner of an account gets when somebody changes what they sign in with."""

from __future__ import annotations

from datetime import datetime

from portico_kit.call import Call
from server.features.emails.facade import Mailer
from server.features.users.facade import Account
from server.features.users.mails import PASSWORD_CHANGED

UNKNOWN_ADDRESS = "an unknown address"


def notify_password_changed(mailer: Mailer, account: Account, call: Call) -> None:
    """Tells the owner that the password is another one, when, and from where it was changed."""
    mailer.send(
        call,
        account.email,
        PASSWORD_CHANGED,
        display_name=account.display_name,
        changed_at=readable(call.now),
        client_address=call.client.address or UNKNOWN_ADDRESS,
    )


def readable(moment: datetime) -> str:
    """A moment as people read it, "25 November 2026, 21:36 UTC"."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
