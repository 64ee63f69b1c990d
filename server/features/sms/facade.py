"""Text messages for other features: to whom one may go, and one to send."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from portico_kit.call import Call
from portico_kit.secrets import Secrets
from server.common.phone_numbers import PhoneNumber
from server.features.emails.quoting import quote_text
from server.features.sms.errors import (
    NotMobileError,
    SmsCountryNotAllowedError,
    SmsNotAvailableError,
)
from server.features.sms.models import PURPOSE, TextMessage
from server.features.sms.names import SMS_TASK


class TextMessages:
    """Puts text messages into the outbox: a row in the caller's transaction, sealed."""

    def __init__(
        self,
        secrets: Secrets,
        *,
        provider: str,
        countries: Collection[str],
        product_name: str,
        public_url: str,
    ) -> None:
        """Takes what the operator has set.

        Args:
            provider: "none" if there is none.
            countries: where text messages may go to.
            product_name: how the text names the product.
            public_url: where codes are typed in.
        """
        self._secrets = secrets
        self._countries = frozenset(countries) if provider != "none" else frozenset()
        self._product = quote_text(product_name)
        self._host = urlsplit(public_url).hostname or ""

    def require_allowed(self, number: PhoneNumber) -> None:
        """Lets through the numbers that a text message may go to.

        Raises:
            SmsNotAvailableError: if there is no provider, or no country is allowed.
            SmsCountryNotAllowedError: if the number's country is not.
            NotMobileError: if it is not a mobile phone's.
        """
        if not self._countries:
            raise SmsNotAvailableError
        if number.country not in self._countries:
            raise SmsCountryNotAllowedError(country=number.country)
        if not number.mobile:
            raise NotMobileError

    def send_code(
        self, call: Call, number: PhoneNumber, code: str, expires_at: datetime, valid_for: str
    ) -> None:
        """Queues a code; it goes out after the commit, or not at all once it has expired.

        The last line binds it to our address, so that browsers fill it in nowhere else
        (https://wicg.github.io/sms-one-time-codes/).

        Args:
            valid_for: how long it is good, "10 minutes".
        """
        body = (
            f"{code} is your code for {self._product}. It is good for {valid_for}."
            f"\n\n@{self._host} #{code}"
        )
        content = json.dumps({"number": number.e164, "body": body}).encode()
        sealed = self._secrets.seal(PURPOSE, content)
        row = TextMessage(sealed_content=sealed, expires_at=expires_at, next_attempt_at=call.now)
        call.db.add(row)
        call.tasks.add(SMS_TASK)
