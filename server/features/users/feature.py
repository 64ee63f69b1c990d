"""Accounts: who somebody is, and what they may do on the whole platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.users.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "user.created": "An administrator created an account.",
    "user.deleted": "An account was deleted.",
    "user.email_changed": "The address of an account was changed, or its owner took it back.",
    "user.email_verified": "A person showed that the email address is theirs.",
    "user.password_changed": "A password was changed by its owner, or reset by mail.",
    "user.registered": "A person registered an account.",
    "user.updated": "An account was changed: its profile, status or role.",
}


def _tables() -> Tables:
    from server.features.users.models import CONSTRAINT_ERRORS, User, UserProfile

    return Tables(models=(User, UserProfile), constraint_errors=CONSTRAINT_ERRORS)


def _provide(parts: CoreParts) -> None:
    from server.common.guesses import GuessBudget
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts
    from server.features.users.guessing import Guessing
    from server.features.users.password_hashes import Algorithm, Argon2id, Bcrypt
    from server.features.users.passwords import Passwords
    from server.features.users.ports import ReservedAddresses, SessionDevices

    parts.provide(Accounts, lambda: Accounts(parts.reads, parts.get(ReservedAddresses)))
    settings = parts.settings
    algorithm: Algorithm = Bcrypt(settings.bcrypt_rounds)
    if settings.password_hash == "argon2id":  # noqa: S105
        algorithm = Argon2id()
    parts.provide(Passwords, lambda: Passwords(parts.secrets, algorithm))
    parts.provide(
        Guessing,
        lambda: Guessing(
            GuessBudget(parts.redis, parts.secrets, parts.clock),
            parts.get(Mailer),
            parts.get(MailBudgets),
        ),
    )
    parts.provide(
        CurrentPassword,
        lambda: CurrentPassword(
            parts.get(Accounts),
            parts.get(Passwords),
            parts.get(Guessing),
            parts.get(SessionDevices),
        ),
    )


def _serve(parts: CoreParts) -> Served:
    from portico.users.v1.user_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts
    from server.features.users.passwords import Passwords
    from server.features.users.ports import (
        Memberships,
        Ownerships,
        PasswordTokens,
        SecondFactors,
        SessionDevices,
        SessionEnder,
    )
    from server.features.users.service import UserService

    service = UserService(
        accounts=parts.get(Accounts),
        passwords=parts.get(Passwords),
        current_password=parts.get(CurrentPassword),
        sessions=parts.get(SessionEnder),
        devices=parts.get(SessionDevices),
        ownerships=parts.get(Ownerships),
        memberships=parts.get(Memberships),
        tokens=parts.get(PasswordTokens),
        second_factors=parts.get(SecondFactors),
        mailer=parts.get(Mailer),
        budgets=parts.get(MailBudgets),
        cursors=parts.cursors,
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["UserService"], service),))


FEATURE = Feature(
    name="users", events=EVENTS, mails=MAILS, tables=_tables, provide=_provide, serve=_serve
)
