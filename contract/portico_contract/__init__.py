"""The contract, read once: what its methods, fields and services say of themselves.

The one reader of descriptor sets, for whoever serves the contract, stands in front
of it or describes it.
"""

from portico_contract.installed import (
    CONTRACT_FILE,
    EventDocument,
    event_data,
    event_document,
    event_permissions,
    event_types,
    installed,
    methods,
    organization_permissions,
    platform_event_permissions,
    services,
)
from portico_contract.model import (
    AccessRule,
    AssuranceLevel,
    Binding,
    Contract,
    ContractError,
    Idempotency,
    Method,
    StepUp,
)
from portico_contract.reading import load, read
from portico_contract.shown import REDACTED, as_json, redacted

__all__ = [
    "CONTRACT_FILE",
    "REDACTED",
    "AccessRule",
    "AssuranceLevel",
    "Binding",
    "Contract",
    "ContractError",
    "Idempotency",
    "Method",
    "StepUp",
    "as_json",
    "EventDocument",
    "event_data",
    "event_document",
    "event_permissions",
    "event_types",
    "installed",
    "load",
    "methods",
    "organization_permissions",
    "platform_event_permissions",
    "read",
    "redacted",
    "services",
]
