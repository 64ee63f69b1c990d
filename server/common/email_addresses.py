"""Mail addresses: the one form in which an address is stored, compared and written to.

The contract's rule `portico.type.v1.email_address` says what an address looks
like; here is what no pattern can say, the grammar of international domains.
"""

from __future__ import annotations

import re

import idna

from portico_kit.errors import FieldViolation, InvalidRequestError

LONGEST = 254  # octets (RFC 5321, 4.5.3.1.3, without the angle brackets)
LONGEST_DOMAIN = 253  # octets

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_WRITABLE = re.compile(
    rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*",
    # Without the second, the sign of Kelvin and the dotless i are letters of ASCII.
    re.IGNORECASE | re.ASCII,
)
# No top-level domain is a number (RFC 3696, section 2): what ends in one is no domain name.
_NUMBER_AT_THE_END = re.compile(r"(^|\.)[0-9]+$")
# Begins an encoded word (RFC 2047), which some mail clients decode even in an address.
_ENCODED_WORD = "=?"


def normal_email(address: str) -> str:
    """An address in its normal form: no space around it, lower case, an ASCII domain.

    An address that nobody could register today stays recognizable: its account
    is found by it all the same.
    """
    local, at, domain = address.strip().rpartition("@")
    # Lower case makes an ASCII letter of some that are none, as of the sign of Kelvin.
    local = local.lower() if local.isascii() else local
    domain = domain.lower()
    return f"{local}{at}{_ascii_domain(domain) or domain}"


def new_email(address: str, field: str = "email") -> str:
    """The normal form of an address that a mail shall be sent to.

    Args:
        field: the request's field that the address came in.

    Raises:
        InvalidRequestError: if no mail can be.
    """
    normal = normal_email(address)
    if not is_writable(normal):
        violation = FieldViolation(field, "STRING_EMAIL_ADDRESS", "must be an email address")
        raise InvalidRequestError(violations=(violation,))
    return normal


def is_writable(address: str) -> bool:
    """Whether a mail can be sent to an address in its normal form (RFC 5321)."""
    domain = address.rpartition("@")[2]
    return (
        len(address) <= LONGEST
        and len(domain) <= LONGEST_DOMAIN
        and _ENCODED_WORD not in address
        and _WRITABLE.fullmatch(address) is not None
        and not _NUMBER_AT_THE_END.search(domain)
        and _ascii_domain(domain) == domain.lower()
    )


def _ascii_domain(domain: str) -> str | None:
    """The domain in its ASCII form (RFC 5891 after UTS 46); None if it has none."""
    if domain.isascii() and "xn--" not in domain:
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        return None


def masked(email: str) -> str:
    """Enough of an address for its owner to recognize it: "a***@example.com"."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}***@{domain}"
