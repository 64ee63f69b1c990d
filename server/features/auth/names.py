"""The tasks of the feature, by the names that Celery knows."""

from __future__ import annotations

# Makes the next signing key if it is time.
SIGNING_KEYS_TASK = "portico.auth.rotate_signing_keys"
# Asked for when sessions have ended; a feature above does the work, see `take_session_ends`.
SESSION_ENDS_TASK = "portico.auth.session_ends"
