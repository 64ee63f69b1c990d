"""The checks of a provider's answer, by name, so that a test can show what came of each."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one check.

    Attributes:
        detail: what was found, in a sentence; no secret is in it.
    """

    name: str
    passed: bool
    detail: str = ""


class CheckFailedError(Exception):
    """A provider's answer is not what it must be."""

    def __init__(self, check: Check) -> None:
        super().__init__(f"{check.name}: {check.detail}")
        self.check = check


class ProviderFailedError(Exception):
    """A provider does not answer, or answers something else than is agreed on."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(slots=True)
class Checks:
    """The checks of one sign-in, in their order."""

    done: list[Check] = field(default_factory=list)

    def require(self, name: str, passed: bool, detail: str = "") -> None:
        """Notes a check on which all that follows depends.

        Raises:
            CheckFailedError: if it failed.
        """
        self.note(name, passed, detail)
        if not passed:
            raise CheckFailedError(self.done[-1])

    def note(self, name: str, passed: bool, detail: str = "") -> None:
        """Notes a check beside which others can still be made; see `settle`."""
        self.done.append(Check(name, passed, detail))

    def settle(self) -> None:
        """Ends the sign-in if one of the checks failed.

        Raises:
            CheckFailedError: naming the first one.
        """
        for check in self.done:
            if not check.passed:
                raise CheckFailedError(check)
