"""Other names of event types, as some systems call them: a webhook may subscribe to either.

What happens is recorded once, under its own name. It is sent under the other name to a
webhook that asks for that one alone.
"""

from __future__ import annotations

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "user.login": "session.created",
    "user.logout": "session.ended",
    "mfa.enabled": "factor.added",
}
OTHER_NAMES: Mapping[str, str] = {name: alias for alias, name in ALIASES.items()}
