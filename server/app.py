"""The core, as a parts list: its features, and the interceptors around every call.

Adding a feature is a folder in server/features and a line here. The order is the
one in which features stand on each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from server.common.mail import Mail
from server.common.roles import Roles, roles
from server.feature import Feature
from server.features.auth.feature import FEATURE as AUTH
from server.features.emails.feature import FEATURE as EMAILS
from server.features.health.feature import FEATURE as HEALTH
from server.features.keys.feature import FEATURE as KEYS
from server.features.organizations.feature import FEATURE as ORGANIZATIONS
from server.features.records.feature import FEATURE as RECORDS
from server.features.users.feature import FEATURE as USERS
from server.features.webhooks.feature import FEATURE as WEBHOOKS

if TYPE_CHECKING:
    from portico_kit.rpc.pipeline import Interceptor
    from portico_kit.tasks.notifier import TaskNotifier
    from server.feature import Served
    from server.parts import CoreParts

FEATURES: tuple[Feature, ...] = (
    RECORDS,
    EMAILS,
    USERS,
    ORGANIZATIONS,
    AUTH,
    KEYS,
    WEBHOOKS,
    HEALTH,
)

ROLES: Roles = roles({name: role for one in FEATURES for name, role in one.permissions.items()})
EVENTS: Mapping[str, str] = {name: text for one in FEATURES for name, text in one.events.items()}
MAILS: Mapping[str, Mail] = {mail.name: mail for one in FEATURES for mail in one.mails}


def interceptors(
    parts: CoreParts, served: Sequence[Served], notifier: TaskNotifier
) -> list[Interceptor]:
    """What stands around every call, outermost first; imported here, for only the core needs it.

    Who calls is settled before anything else is looked at; a request is valid before a
    transaction begins; an answer is replayed in the transaction that the first one would
    have used.
    """
    from portico_kit.credentials import ServiceAuthenticator
    from portico_kit.jwt import TokenVerifier
    from portico_kit.rpc.access import Access
    from portico_kit.rpc.database_errors import DatabaseErrors
    from portico_kit.rpc.idempotency import FormerCallers, Idempotency
    from portico_kit.rpc.kept_answers import KeptAnswers
    from portico_kit.rpc.telemetry import Telemetry
    from portico_kit.rpc.transaction import Transaction
    from portico_kit.rpc.validation import Validation
    from server.common.records import IdempotentAnswer
    from server.features.auth.signing_keys import SigningKeys
    from server.features.organizations.facade import Tenants

    authenticators = [kind for one in served for kind in one.authenticators]
    verifier = TokenVerifier(
        parts.get(SigningKeys),
        parts.settings.issuer,
        parts.clock,
        [authenticator.kind for authenticator in authenticators],
    )
    constraint_errors = {
        name: error for one in FEATURES for name, error in one.tables().constraint_errors.items()
    }
    consents = {name: consent for one in served for name, consent in one.consents.items()}
    internal_token = parts.settings.internal_token.get_secret_value()
    answers = KeptAnswers(parts.secrets, IdempotentAnswer)
    return [
        Telemetry(),
        DatabaseErrors(constraint_errors),
        Access(
            verifier,
            authenticators,
            ServiceAuthenticator(internal_token),
            FormerCallers(parts.engine, answers),
        ),
        Validation(),
        Transaction(parts.engine, notifier),
        Idempotency(answers, parts.get(Tenants).memberships, consents),
    ]
