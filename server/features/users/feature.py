"""Accounts: who somebody is, and what they may do on the whole platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.users.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts


def _tables() -> Tables:
    from server.features.users.models import CONSTRAINT_ERRORS, User, UserProfile

    return Tables(models=(User, UserProfile), constraint_errors=CONSTRAINT_ERRORS)


def _provide(parts: CoreParts) -> None:
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts
    from server.features.users.password_hashes import Algorithm, Argon2id, Bcrypt
    from server.features.users.passwords import Passwords

    settings = parts.settings
    algorithm: Algorithm = Bcrypt(settings.bcrypt_rounds)
    if settings.password_hash == "argon2id":  # noqa: S105
        algorithm = Argon2id()
    parts.provide(Accounts, lambda: Accounts(parts.reads))
    parts.provide(Passwords, lambda: Passwords(parts.secrets, algorithm))
    parts.provide(
        CurrentPassword, lambda: CurrentPassword(parts.get(Accounts), parts.get(Passwords))
    )


def _serve(parts: CoreParts) -> Served:
    from portico.users.v1.user_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.emails.budgets import MailBudgets
    from server.features.emails.facade import Mailer
    from server.features.users.current_password import CurrentPassword
    from server.features.users.facade import Accounts
    from server.features.users.passwords import Passwords
    from server.features.users.ports import Memberships, Ownerships, PasswordTokens, SessionEnder
    from server.features.users.service import UserService

    service = UserService(
        accounts=parts.get(Accounts),
        passwords=parts.get(Passwords),
        current_password=parts.get(CurrentPassword),
        sessions=parts.get(SessionEnder),
        ownerships=parts.get(Ownerships),
        memberships=parts.get(Memberships),
        tokens=parts.get(PasswordTokens),
        mailer=parts.get(Mailer),
        budgets=parts.get(MailBudgets),
        cursors=parts.cursors,
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["UserService"], service),))


FEATURE = Feature(name="users", mails=MAILS, tables=_tables, provide=_provide, serve=_serve)
