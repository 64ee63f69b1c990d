"""Logout tokens (OpenID Connect Back-Channel Logout 1.0, section 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import jwt

from server.features.applications.facade import Client
from server.features.auth.signing_keys import SigningKeys
from server.features.oauth.subjects import Subjects

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MEDIA_TYPE = "logout+jwt"
# As short as the standard advises: a stolen one signs somebody out for no longer.
LIFETIME = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class LogoutTokens:
    """Signs them.

    Attributes:
        issuer: that of the ID tokens.
    """

    issuer: str
    signing_keys: SigningKeys
    subjects: Subjects

    def issue(
        self, client: Client, session_id: UUID, user_id: UUID, attempt: str, now: datetime
    ) -> str:
        """A token that tells an application of a session that has ended.

        It names the session and the person as the application's ID tokens did, and is signed
        as they are; it has no nonce, so that none of them passes for the other.

        Args:
            attempt: names the attempt. One that is made once more after a crash has the same
                `jti`, a retry another one: an application may refuse what it has seen.
        """
        claims = {
            "iss": self.issuer,
            "aud": client.client_id,
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "jti": str(uuid5(session_id, attempt)),
            "events": {EVENT: {}},
            "sid": str(self.subjects.session(client, session_id)),
            "sub": str(self.subjects.of(client, user_id)),
        }
        key = self.signing_keys.id_token_key(client.id_token_signed_response_alg)
        headers = {"kid": key.kid, "typ": MEDIA_TYPE}
        return jwt.encode(claims, key.private_key, key.algorithm, headers=headers)
