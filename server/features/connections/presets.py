"""What is known of providers in advance: data, so that a new one is a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider that many use.

    Attributes:
        issuer: where no other is given; "" if each customer has one of their own.
        own_domains: those of which it gives out the addresses itself.
        confirms_hosted_domain: whether its claim `hd` names the domain that it manages.
        never_trusted: whether what it says of an address means nothing, as anybody may have
            entered it.
        asks_again: whether it asks a person again who is signed in there, and says when it
            did (OpenID Connect Core, section 3.1.2.1: prompt, max_age).
    """

    issuer: str = ""
    own_domains: frozenset[str] = frozenset()
    confirms_hosted_domain: bool = False
    never_trusted: bool = False
    asks_again: bool = True


PRESETS: Mapping[str, Preset] = {
    "google": Preset(
        "https://accounts.google.com",
        own_domains=frozenset({"gmail.com", "googlemail.com"}),
        confirms_hosted_domain=True,
        asks_again=False,
    ),
    "github": Preset("https://github.com", asks_again=False),
    "microsoft": Preset("https://login.microsoftonline.com/common/v2.0", never_trusted=True),
    "okta": Preset(),
    "oidc": Preset(),
}
