"""Twilio's REST API: https://www.twilio.com/docs/messaging/api/message-resource."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp

from server.features.sms.transport import Sms, SmsError, SmsProviderError, SmsRefusedError

TIMEOUT = 10.0  # seconds, for everything from the look-up to the last byte
READ_BYTES = 16_384  # of an answer
VERSION = "2010-04-01"
ACCEPTED = range(200, 300)
# The credential or the account is to blame, not the message.
ACCOUNT_STATUSES = frozenset({401, 403, 404})
# Worth another attempt: there was no time, or there were too many at once.
PASSING_STATUSES = frozenset({408, 409, 425, 429})
LONGEST_RETRY_AFTER = 600  # seconds


class TwilioTransport:
    """Posts messages to one account."""

    def __init__(
        self,
        *,
        base_url: str,
        account_sid: str,
        auth_token: str,
        sender: str,
        api_key: str = "",
        status_callback: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        """Opens the client; needs a running event loop.

        Args:
            api_key: signs in with its secret as `auth_token`; else the account does.
            sender: a number, a name, or the SID of a messaging service.
            status_callback: where Twilio reports what became of a message, if anywhere.
            timeout: seconds that an attempt may take.
        """
        self._url = f"{base_url}/{VERSION}/Accounts/{account_sid}/Messages.json"
        key = "MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From"
        self._form = {key: sender}
        if status_callback:
            self._form["StatusCallback"] = status_callback
        self._session = aiohttp.ClientSession(
            # One that is reused may have been closed on the other side, and whether a message
            # that was posted there has arrived nobody can say.
            connector=aiohttp.TCPConnector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers={
                "authorization": aiohttp.encode_basic_auth(api_key or account_sid, auth_token),
                "accept": "application/json",
                "accept-encoding": "identity",
            },
        )

    async def send(self, message: Sms) -> str:
        """See `SmsTransport.send`.

        A redirect is not followed: it would take the credential elsewhere.
        """
        form = {**self._form, "To": message.number, "Body": message.body}
        try:
            async with self._session.post(self._url, data=form, allow_redirects=False) as response:
                status, wait = response.status, response.headers.get("retry-after", "")
                answer = _parsed(await _beginning(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Its text may repeat what was sent.
            raise SmsProviderError(type(error).__name__) from None
        if status in ACCEPTED:
            return str(answer.get("sid", ""))
        raise _error(status, answer, wait)

    async def close(self) -> None:
        """See `SmsTransport.close`."""
        await self._session.close()


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer.

    Whether the message was taken is in the status: an answer that breaks off takes nothing
    from that, and sends nothing twice.
    """
    kept = bytearray()
    try:
        while len(kept) < READ_BYTES and (piece := await response.content.readany()):
            kept += piece
    except (aiohttp.ClientError, TimeoutError):
        pass
    return bytes(kept[:READ_BYTES])


def _parsed(content: bytes) -> Mapping[str, Any]:
    """What a proxy in between answers may be anything."""
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _error(status: int, answer: Mapping[str, Any], wait: str) -> SmsError:
    """What an answer means. Twilio's message repeats the number; its code says enough."""
    code = answer.get("code")
    description = f"status {status}" + (f", code {code}" if isinstance(code, int) else "")
    if status in PASSING_STATUSES or status >= 500:
        return SmsProviderError(description, _retry_after(wait))
    if status in ACCOUNT_STATUSES or status < 400:
        return SmsProviderError(description)
    return SmsRefusedError(description)


def _retry_after(value: str) -> timedelta | None:
    if not (value.isascii() and value.isdigit()):
        return None
    return timedelta(seconds=min(int(value[:6]), LONGEST_RETRY_AFTER))
