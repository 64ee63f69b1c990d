"""The rows that the code decides on, and `migrate` therefore keeps up to date."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from server.app import ROLES
from server.features.organizations.seed import sync_roles
from server.migrations import SyncStep

# In this order, after the newest revision and in the transaction of the revisions.
SYNC_STEPS: Sequence[SyncStep] = (partial(sync_roles, roles=ROLES.keys()),)
