"""Where an application may have people sent to (RFC 6749, section 3.1.2; RFC 8252).

What is registered is compared with what a request names character by character. So it must
be one that every browser reads in the same way, and that leads to the application alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portico_kit.errors import FieldViolation, InvalidRequestError

LOOPBACK_HOSTS = ("127.0.0.1", "[::1]", "localhost")
LONGEST = 2000  # characters

# What a URI holds (RFC 3986, section 2), without the wildcard that some would read into it.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.+)")
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}|\[[0-9a-f:.]+\]")
_AUTHORITY = re.compile(r"//([^/?]*)(/[^?]*)?(\?.*)?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(?::([1-9][0-9]{0,4}))?([/?].*)?")
_HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class RedirectRules:
    """What the addresses of an application may be.

    Attributes:
        native: whether it is installed: it may listen on its machine, and have a scheme.
        allow_loopback: for development: any kind of application may be on this machine.
    """

    native: bool
    allow_loopback: bool

    def check(self, uris: Sequence[str], field: str) -> None:
        """Holds addresses against the rules.

        Args:
            field: the field of the request that they came in.

        Raises:
            InvalidRequestError: naming each that breaks one by its place in the list.
        """
        violations = tuple(self._violations(uris, field))
        if violations:
            raise InvalidRequestError(violations=violations)

    def check_one(self, uri: str, field: str) -> None:
        """Holds one address, or "" for none, against the rules.

        Raises:
            InvalidRequestError: naming the field.
        """
        problem = self._problem(uri) if uri else None
        if problem is not None:
            raise InvalidRequestError(violations=(FieldViolation(field, *problem),))

    def _violations(self, uris: Sequence[str], field: str) -> Iterable[FieldViolation]:
        for place, uri in enumerate(uris):
            problem = self._problem(uri)
            if problem is not None:
                yield FieldViolation(f"{field}[{place}]", *problem)

    def _problem(self, uri: str) -> tuple[str, str] | None:
        """What is wrong with an address: a reason and a sentence."""
        if len(uri) > LONGEST:
            return "URI_TOO_LONG", f"must have at most {LONGEST} characters"
        if "#" in uri:
            return "URI_HAS_FRAGMENT", "must have no fragment"
        if "*" in uri:
            return "URI_HAS_WILDCARD", "must have no wildcard"
        if not _CHARACTERS.fullmatch(uri):
            return "URI_INVALID", "must have only characters that a URI may have"
        found = _SCHEME.fullmatch(uri)
        if found is None:
            return "URI_INVALID", "must be absolute, with its scheme in lower case"
        scheme, rest = found.groups()
        if _has_dot_segment(rest):
            return "URI_INVALID", 'must have no path segment "." or ".."'
        if scheme in ("https", "http"):
            return self._web_problem(scheme, rest)
        return self._private_use_problem(scheme, rest)

    def _web_problem(self, scheme: str, rest: str) -> tuple[str, str] | None:
        found = _AUTHORITY.fullmatch(rest)
        authority = found.group(1) if found else ""
        if "@" in authority:
            return "URI_HAS_CREDENTIALS", "must contain no user name or password"
        host, port = _host_and_port(authority)
        if not _HOST.fullmatch(host) or not _is_port(port):
            return "URI_INVALID", "must have a host, in lower case"
        if scheme == "http" and not self._may_be_http(host):
            return "URI_SCHEME_NOT_ALLOWED", f"must begin with https://{self._besides}"
        return None

    def _may_be_http(self, host: str) -> bool:
        return host in LOOPBACK_HOSTS and (self.native or self.allow_loopback)

    @property
    def _besides(self) -> str:
        """What a native application may have beside https."""
        if self.native:
            return (
                ', or be http with the host 127.0.0.1, [::1] or "localhost", or have a scheme'
                " with a dot"
            )
        return ""

    def _private_use_problem(self, scheme: str, rest: str) -> tuple[str, str] | None:
        """A scheme is a domain name in reverse, so that it is not another's (RFC 8252, 7.1)."""
        labels = scheme.split(".")
        if not self.native or len(labels) < 2 or not all(labels):
            return "URI_SCHEME_NOT_ALLOWED", f"must begin with https://{self._besides}"
        if "@" in rest.partition("?")[0]:
            return "URI_HAS_CREDENTIALS", "must contain no user name or password"
        return None


def origin(uri: str) -> str:
    """The scheme, host and port of a web address that keeps the rules; "" of another one."""
    scheme, _, rest = uri.partition(":")
    found = _AUTHORITY.fullmatch(rest)
    if scheme not in ("https", "http") or found is None:
        return ""
    host, port = _host_and_port(found.group(1))
    return f"{scheme}://{host}:{port or {'https': '443', 'http': '80'}[scheme]}"


def loopback_without_port(uri: str) -> str | None:
    """A loopback address but for its port, or None if it is another one."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None or not _is_port(found.group(2)):
        return None
    return f"http://{found.group(1)}{found.group(3) or ''}"


def _host_and_port(authority: str) -> tuple[str, str | None]:
    if authority.endswith("]"):
        return authority, None
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon else (authority, None)


def _is_port(port: str | None) -> bool:
    return port is None or (bool(_PORT.fullmatch(port)) and int(port) <= _HIGHEST_PORT)


def _has_dot_segment(rest: str) -> bool:
    """Whether a browser would change the path before it sends it."""
    segments = rest.partition("?")[0].lower().replace("%2e", ".").split("/")
    return "." in segments or ".." in segments
