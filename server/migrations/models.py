"""Every table of the core, for migrations and the test that holds them against the models."""

from __future__ import annotations

from portico_kit.storage.base import Base
from server.app import FEATURES

# Importing a model is what makes its table known.
TABLES = [feature.tables() for feature in FEATURES]

metadata = Base.metadata
