"""The mails that the owner of an account gets about what was done with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from portico_kit.call import Call
from server.features.emails.facade import Mailer
from server.features.users.facade import Account
from server.features.users.mails import ACCOUNT_DELETED, PASSWORD_CHANGED

UNKNOWN_ADDRESS = "an unknown address"


def notify_password_changed(mailer: Mailer, account: Account, call: Call) -> None:
    """Tells the owner that the password is another one, when, and from where it was changed."""
    mailer.send(
        call,
        account.email,
        PASSWORD_CHANGED,
        display_name=account.display_name,
        **when_and_where(call),
    )


def notify_account_deleted(mailer: Mailer, account: Account, call: Call) -> None:
    """Tells the owner that the account is deleted, when, and from where that was asked for."""
    mailer.send(
        call,
        account.email,
        ACCOUNT_DELETED,
        display_name=account.display_name,
        **when_and_where(call),
    )


def when_and_where(call: Call) -> Mapping[str, str]:
    """What a notice says of a change: the moment, and the address of the client."""
    return {
        "changed_at": _readable(call.now),
        "client_address": call.client.address or UNKNOWN_ADDRESS,
    }


def _readable(moment: datetime) -> str:
    """A moment as people read it, "25 November 2026, 21:36 UTC"."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
