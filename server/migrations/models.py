"""Every table of the core, for migrations and the test that holds them against the models."""

from __future__ import annotations

from importlib import import_module

from portico_kit.storage.base import Base

# Importing a module is what makes its tables known.
for module in (
    "server.features.auth.models",
    "server.features.keys.models",
    "portico_kit.storage.audit",
    "portico_kit.storage.idempotency",
    "portico_kit.storage.outbox",
    "server.features.organizations.models",
    "server.features.users.models",
    "server.features.webhooks.models",
):
    import_module(module)

metadata = Base.metadata
