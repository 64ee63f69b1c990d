"""Where a client is, as coarse as a question needs it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# A network is what a provider has: within it a home or a telephone gets other addresses from
# day to day, and a stranger is rarely in the same one. Registries assign IPv6 by /32, and
# providers have IPv4 in blocks of about a /16.
IPV4_PREFIX = 16
IPV6_PREFIX = 32
# What one subscriber gets of IPv6.
SUBSCRIBER_PREFIX = 64
# Stands for all that is no address.
UNKNOWN = "unknown"


def network(address: str) -> str:
    """The network of a provider that an address belongs to."""
    return _within(address, IPV4_PREFIX, IPV6_PREFIX)


def subscriber(address: str) -> str:
    """Whose an address is: whoever has one of IPv6 has the whole /64."""
    return _within(address, IPv4Address(0).max_prefixlen, SUBSCRIBER_PREFIX)


def _within(address: str, ipv4_prefix: int, ipv6_prefix: int) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(IPv6Network((int(parsed), ipv6_prefix), strict=False))
        parsed = parsed.ipv4_mapped
    return str(IPv4Network((int(parsed), ipv4_prefix), strict=False))
