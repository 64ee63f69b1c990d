"""The secrets of webhooks that are sent to now, unsealed once and not for each delivery."""

from __future__ import annotations

import time
from collections import OrderedDict

from portico_kit.secrets import Secrets
from server.features.webhooks.secret import unseal

KEPT_SECONDS = 60.0
MOST = 10_000


class UnsealedSecrets:
    """Keeps secrets in memory for a minute, by what is sealed: a rotation is another one."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        # In the order in which they were unsealed.
        self._kept: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def get(self, sealed: bytes) -> str:
        """The secret.

        Raises:
            Exception: what `unseal` raises.
        """
        now = time.monotonic()
        self._drop_old(now)
        kept = self._kept.get(sealed)
        if kept is None:
            kept = self._kept[sealed] = (now, unseal(self._secrets, sealed))
        return kept[1]

    def _drop_old(self, now: float) -> None:
        while self._kept:
            unsealed_at, _ = next(iter(self._kept.values()))
            if now - unsealed_at < KEPT_SECONDS and len(self._kept) < MOST:
                return
            self._kept.popitem(last=False)
