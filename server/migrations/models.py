"""Every table of the core, for migrations and the test that holds them against the models."""

from __future__ import annotations

from server.kit.db import Base

metadata = Base.metadata
