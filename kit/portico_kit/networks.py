"""Address allow-lists: networks in CIDR form, IPv4 (RFC 4632) and IPv6 (RFC 4291)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The IPv6 addresses that stand for IPv4 ones (RFC 4291, section 2.5.5.2).
_MAPPED = IPv6Network("::ffff:0:0/96")
_LISTS_KEPT = 4096


def normal_cidrs(cidrs: Iterable[str]) -> list[str]:
    """The same networks, each once and in its one spelling, sorted.

    Raises:
        ValueError: if one is no network.
    """
    return sorted({str(_network(cidr)) for cidr in cidrs})


def allows(cidrs: tuple[str, ...], address: str) -> bool:
    """Whether an allow-list lets an address in.

    An empty list lets everyone in; any other refuses what is no address.
    """
    if not cidrs:
        return True
    client = _address(address)
    return client is not None and any(client in network for network in _networks(cidrs))


@lru_cache(_LISTS_KEPT)
def _networks(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    """The parsed list; the same few lists are asked about again and again."""
    return tuple(_network(cidr) for cidr in cidrs)


def _network(cidr: str) -> Network:
    network = ip_network(cidr)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        # Clients show up with the IPv4 address, so the list must hold it, too.
        first = IPv4Address(int(network.network_address) & 0xFFFFFFFF)
        return IPv4Network((first, network.prefixlen - _MAPPED.prefixlen))
    return network


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
