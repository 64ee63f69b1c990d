"""Every table of the core, for migrations and the test that holds them against the models."""

from __future__ import annotations

from importlib import import_module

from server.kit.db import Base

# Importing a module is what makes its tables known.
for module in (
    "server.auth.models",
    "server.keys.models",
    "server.kit.audit",
    "server.kit.idempotency",
    "server.kit.outbox",
    "server.organizations.models",
    "server.users.models",
    "server.webhooks.models",
):
    import_module(module)

metadata = Base.metadata
