"""The core, as a parts list: its features, and the interceptors around every call.

Adding a feature is a folder in server/features and a line here. The order is the
one in which features stand on each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from server.common.mail import Mail
from server.common.roles import Roles, roles
from server.feature import Feature, unique
from server.features.applications.feature import FEATURE as APPLICATIONS
from server.features.auth.feature import FEATURE as AUTH
from server.features.connections.feature import FEATURE as CONNECTIONS
from server.features.domains.feature import FEATURE as DOMAINS
from server.features.email_changes.feature import FEATURE as EMAIL_CHANGES
from server.features.emails.feature import FEATURE as EMAILS
from server.features.events.feature import FEATURE as EVENT_FEED
from server.features.factor_codes.feature import FEATURE as FACTOR_CODES
from server.features.factor_resets.feature import FEATURE as FACTOR_RESETS
from server.features.factors.feature import FEATURE as FACTORS
from server.features.health.feature import FEATURE as HEALTH
from server.features.keys.feature import FEATURE as KEYS
from server.features.oauth.feature import FEATURE as OAUTH
from server.features.organizations.feature import FEATURE as ORGANIZATIONS
from server.features.passkeys.feature import FEATURE as PASSKEYS
from server.features.projects.feature import FEATURE as PROJECTS
from server.features.records.feature import FEATURE as RECORDS
from server.features.relay.feature import FEATURE as RELAY
from server.features.sms.feature import FEATURE as SMS
from server.features.users.feature import FEATURE as USERS
from server.features.webhooks.feature import FEATURE as WEBHOOKS

if TYPE_CHECKING:
    from portico_kit.rpc.pipeline import Interceptor
    from server.interceptors import InterceptorParts

FEATURES: tuple[Feature, ...] = (
    RECORDS,
    EMAILS,
    USERS,
    ORGANIZATIONS,
    FACTORS,
    PASSKEYS,
    SMS,
    FACTOR_CODES,
    AUTH,
    EMAIL_CHANGES,
    FACTOR_RESETS,
    DOMAINS,
    CONNECTIONS,
    KEYS,
    APPLICATIONS,
    OAUTH,
    PROJECTS,
    WEBHOOKS,
    RELAY,
    EVENT_FEED,
    HEALTH,
)

ROLES: Roles = roles(
    unique("permission", (item for one in FEATURES for item in one.permissions.items()))
)
PROJECT_PERMISSIONS = frozenset(name for one in FEATURES for name in one.project_permissions)
EVENTS: Mapping[str, str] = unique(
    "event", (item for one in FEATURES for item in one.events.items())
)
MAILS: Mapping[str, Mail] = unique(
    "mail", ((mail.name, mail) for one in FEATURES for mail in one.mails)
)


def interceptors(uses: InterceptorParts) -> list[Interceptor]:
    """What stands around every call, outermost first; imported here, for only the core needs it.

    Who calls is settled before anything else is looked at; a request is valid before a
    transaction begins; an answer is replayed in the transaction that the first one would
    have used. Inside of all, the pipeline refuses a service that forgot the caller's rights.
    """
    from portico_kit.rpc.access import Access
    from portico_kit.rpc.database_errors import DatabaseErrors
    from portico_kit.rpc.idempotency import Idempotency
    from portico_kit.rpc.step_up import StepUps
    from portico_kit.rpc.telemetry import Telemetry
    from portico_kit.rpc.transaction import Transaction
    from portico_kit.rpc.validation import Validation

    return [
        Telemetry(),
        DatabaseErrors(uses.constraint_errors),
        Access(
            uses.verifier,
            uses.authenticators,
            uses.service,
            uses.former_callers,
            uses.access_changes,
        ),
        StepUps(uses.standings),
        Validation(),
        Transaction(uses.engine, uses.notifier),
        Idempotency(uses.answers, uses.memberships, uses.consents),
    ]
