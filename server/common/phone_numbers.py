"""Phone numbers: the one form in which a number is kept and compared (E.164), and what it is.

What can be read as a number is narrow on purpose. `phonenumbers` would read letters, digits of
other scripts and extensions, too, and a number that can be written in many ways has as many
budgets.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberType

from portico_kit.errors import invalid

# What people and address books put between digits. Format characters (category Cf) come with
# numbers that are copied, around them and unseen.
_BETWEEN = re.compile(r"[ \u00a0\u2007\u2009\u202f\t().\u2010\u2011\u2013/-]")
_WRITTEN = re.compile(r"\+[1-9][0-9]{6,16}")
# Others are no phones, or cost whoever sends to them more than a text message.
_MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
# As `phonenumbers` names what belongs to no country, satellites for example.
NO_COUNTRY = "001"
# Digits at the end that a masked number shows.
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that exists in some country's plan.

    Attributes:
        e164: "+4915123456789".
        country: ISO 3166-1 alpha-2, "DE"; "001" if it belongs to none.
        mobile: whether it can be a mobile phone.
    """

    e164: str
    country: str
    mobile: bool

    @property
    def masked(self) -> str:
        """Enough for its owner to recognize it, "+49 *** 89"."""
        code = phonenumbers.parse(self.e164).country_code
        return f"+{code} *** {self.e164[-_SHOWN:]}"


def phone_number(text: str, field: str = "phone_number") -> PhoneNumber:
    """Reads a number in international form.

    Args:
        field: the request's field that it came in.

    Raises:
        InvalidRequestError: if it is in another form, or no country has such numbers.
    """
    written = _BETWEEN.sub("", "".join(c for c in text if unicodedata.category(c) != "Cf"))
    if _WRITTEN.fullmatch(written) is None:
        raise invalid(field, "PHONE_NUMBER_FORM", "must be in international form, +49 1512 345678")
    try:
        parsed = phonenumbers.parse(written)
    except phonenumbers.NumberParseException as error:
        raise invalid(field, "PHONE_NUMBER_UNKNOWN", "must be a phone number") from error
    if not phonenumbers.is_valid_number(parsed):
        raise invalid(field, "PHONE_NUMBER_UNKNOWN", "must be a phone number")
    return _number(parsed)


def stored_phone_number(e164: str) -> PhoneNumber:
    """A number as it was read once, though its country may have changed its plan since."""
    return _number(phonenumbers.parse(e164))


def is_country(code: str) -> bool:
    """Whether it is a country with phone numbers, "DE"."""
    return code in phonenumbers.SUPPORTED_REGIONS


def _number(parsed: phonenumbers.PhoneNumber) -> PhoneNumber:
    return PhoneNumber(
        e164=phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164),
        country=phonenumbers.region_code_for_number(parsed) or NO_COUNTRY,
        mobile=phonenumbers.number_type(parsed) in _MOBILE,
    )
