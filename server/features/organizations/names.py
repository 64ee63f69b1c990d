"""The task of the feature, by the name that Celery knows."""

from __future__ import annotations

# Mails members what their organization is about to require of them.
POLICY_NOTICES_TASK = "portico.organizations.send_policy_notices"
