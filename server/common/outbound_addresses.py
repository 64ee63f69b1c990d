"""Where we may be sent: public addresses, so that nobody uses us to reach our own network.

Asked when somebody names an address, of a webhook or of a sign-in provider, and again for the
address that is about to be connected to: a name can resolve to something else by then.
"""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

import idna
from yarl import URL

from portico_kit.errors import InvalidRequestError, invalid

if TYPE_CHECKING:
    # A worker that delivers nothing yet does not load it.
    import aiohttp

Address = IPv4Address | IPv6Address

# Where IPv6 addresses of the public network are (RFC 4291, section 2.4, as assigned by IANA).
GLOBAL_UNICAST = IPv6Network("2000::/3")
# IPv4 addresses as IPv6-only networks write them (RFC 6052).
NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefusedError(OSError):
    """The address is private or reserved; only public addresses are reached."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Says which addresses strangers may have us connect to.

    Attributes:
        allow_loopback: for development: this machine too, and http without TLS.
    """

    allow_loopback: bool

    def allows(self, address: str) -> bool:
        """Whether a connection to this IP address may be made."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return is_public(ip) or (self.allow_loopback and _without_wrapping(ip).is_loopback)

    def open_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Opens a socket for a connection of aiohttp: the one place that each of them passes.

        Checked here, with the address that is connected to, a name that resolves to something
        else a moment later, or an address written in the URL, is no way around the policy.

        Raises:
            AddressRefusedError: if the connection may not be made.
        """
        family, kind, protocol, _, target = address
        if not self.allows(str(target[0])):
            raise AddressRefusedError(AddressRefusedError.__doc__)
        return socket.socket(family, kind, protocol)

    def check_url(self, url: str, field: str = "url") -> str:
        """Holds a URL against the policy, without any look-up.

        Args:
            field: the field of the request that it came in.

        Returns:
            The URL as it is stored: scheme and host in lower case, a host name of
            Unicode as IDNA 2008 writes it, no fragment. The rest is as it was.

        Raises:
            InvalidRequestError: naming the field and what is wrong with it.
        """
        parsed, host = _parse(url, field)
        if parsed.scheme not in self._schemes:
            allowed = " or ".join(self._schemes)
            raise _wrong(field, "URL_SCHEME_NOT_ALLOWED", f"must begin with {allowed}://")
        if parsed.user is not None or parsed.password is not None:
            raise _wrong(field, "URL_HAS_CREDENTIALS", "must not contain a user name or password")
        if not self._host_may_be_public(host):
            raise _wrong(field, "URL_NOT_PUBLIC", "must be a public address")
        return _normal(url, parsed, host)

    @property
    def _schemes(self) -> tuple[str, ...]:
        return ("https", "http") if self.allow_loopback else ("https",)

    def _host_may_be_public(self, host: str) -> bool:
        name = host.rstrip(".").lower()
        address = _literal(name)
        if address is not None:
            return self.allows(address)
        return self.allow_loopback or not f".{name}".endswith(".localhost")


def is_public(ip: Address) -> bool:
    """Whether an address belongs to the public network, however it is written.

    Not public are private, link-local (also a cloud's metadata service),
    loopback, shared (RFC 6598), multicast, reserved and unspecified addresses.
    """
    ip = _without_wrapping(ip)
    if isinstance(ip, IPv6Address) and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _without_wrapping(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


# A label of a host name (RFC 1123, section 2.1), with the underscore that names in use have.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME = 253
# What no URL holds (RFC 3986, section 2), and parsers disagree about.
_FORBIDDEN = re.compile(r"[\s\\\x00-\x1f\x7f<>\"{}|^`]")


def _parse(url: str, field: str) -> tuple[URL, str]:
    """The URL as the sender's own client will read it, so that both see the same host.

    Returns:
        The URL, and its host in the form in which it is looked up.
    """
    try:
        if _FORBIDDEN.search(url):
            raise ValueError("a character that no URL holds")
        parsed = URL(url)
        host = _normal_host(parsed.host or "")
        if ("[" in _authority(url)) != (":" in host):
            raise ValueError("brackets around what is no IPv6 address")
        port = parsed.port
    except ValueError:
        raise _wrong(field, "URL_INVALID", "is not a valid URL") from None
    if not host or port == 0:
        raise _wrong(field, "URL_INVALID", "is not a valid URL")
    return parsed, host


def _normal_host(host: str) -> str:
    """A host as it is looked up: an IP address, or a name in ASCII and lower case.

    Raises:
        ValueError: if no name server could know it.
    """
    if ":" in host:
        # A zone ("%eth0") means something on one machine only.
        return str(IPv6Address(host))
    dot = "." if host.endswith(".") else ""
    name = host[: len(host) - len(dot)]
    # Digits of other scripts, too, become those that they stand for.
    ascii_name = idna.encode(name, uts46=True).decode() if not name.isascii() else name.lower()
    labels = ascii_name.split(".")
    if len(ascii_name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("not a host name")
    for label in labels:
        if label.startswith("xn--"):
            idna.ulabel(label)
    return ascii_name + dot


def _authority(url: str) -> str:
    """User, host and port, as they are written."""
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]


def _normal(url: str, parsed: URL, host: str) -> str:
    """The URL with its scheme, host and port in their normal form, and without a fragment."""
    shown = f"[{host}]" if ":" in host else host
    port = "" if parsed.is_default_port() else f":{parsed.port}"
    rest = url[len(parsed.scheme) + len("://") + len(_authority(url)) :].partition("#")[0]
    return f"{parsed.scheme}://{shown}{port}{rest}"


def _literal(host: str) -> str | None:
    """The IP address that a host is, if it is no name.

    Also in the old forms that look-ups still take: 2130706433 and 0177.1 are 127.0.0.1.
    """
    with contextlib.suppress(ValueError):
        return str(ip_address(host))
    with contextlib.suppress(OSError, ValueError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


def _wrong(field: str, reason: str, description: str) -> InvalidRequestError:
    return invalid(field, reason, description)
