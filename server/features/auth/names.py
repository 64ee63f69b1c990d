"""The task of the feature, by the name that Celery knows."""

from __future__ import annotations

# Makes the next signing key if it is time.
SIGNING_KEYS_TASK = "portico.auth.rotate_signing_keys"
