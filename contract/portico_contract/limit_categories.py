"""The budgets that the limiter knows, as descriptors name them: the contract's LimitCategory.

The core, the gateway and the limiter use this one list. A category that the contract has
and this module does not place stops the process when it is imported.
"""

from __future__ import annotations

from enum import StrEnum

from portico.type.v1 import options_pb2

_PREFIX = "LIMIT_CATEGORY_"


def _name(category: options_pb2.LimitCategory.ValueType) -> str:
    """LIMIT_CATEGORY_PASSWORD_RESET is "password_reset" in a descriptor."""
    return options_pb2.LimitCategory.Name(category).removeprefix(_PREFIX).lower()


class LimitCategory(StrEnum):
    """Groups calls that share a budget; described in portico/type/v1/options.proto."""

    READ = _name(options_pb2.LIMIT_CATEGORY_READ)
    WRITE = _name(options_pb2.LIMIT_CATEGORY_WRITE)
    DELETE = _name(options_pb2.LIMIT_CATEGORY_DELETE)
    LOGIN = _name(options_pb2.LIMIT_CATEGORY_LOGIN)
    REGISTER = _name(options_pb2.LIMIT_CATEGORY_REGISTER)
    PASSWORD_RESET = _name(options_pb2.LIMIT_CATEGORY_PASSWORD_RESET)
    UNLIMITED = _name(options_pb2.LIMIT_CATEGORY_UNLIMITED)
    CREDENTIAL = _name(options_pb2.LIMIT_CATEGORY_CREDENTIAL)
    MAIL_RECIPIENT = _name(options_pb2.LIMIT_CATEGORY_MAIL_RECIPIENT)
    MAIL_ORGANIZATION = _name(options_pb2.LIMIT_CATEGORY_MAIL_ORGANIZATION)
    MAIL_SENDER = _name(options_pb2.LIMIT_CATEGORY_MAIL_SENDER)
    MAIL_CODE = _name(options_pb2.LIMIT_CATEGORY_MAIL_CODE)
    TOKEN = _name(options_pb2.LIMIT_CATEGORY_TOKEN)

    @classmethod
    def of(cls, category: options_pb2.LimitCategory.ValueType) -> LimitCategory:
        """The category that a method of the contract names.

        Raises:
            ValueError: for LIMIT_CATEGORY_UNSPECIFIED.
        """
        return cls(_name(category))


# Charged to a caller, by the tier of its organization.
BY_TIER = (LimitCategory.READ, LimitCategory.WRITE, LimitCategory.DELETE)
# Charged to the client address, whoever is signed in there.
BY_ADDRESS = (LimitCategory.LOGIN, LimitCategory.REGISTER, LimitCategory.PASSWORD_RESET)
# Charged to the client address, too. Nobody can guess there without the core, which counts
# wrong credentials itself, so nothing is refused because nothing can be counted.
BY_ADDRESS_IF_COUNTED = (LimitCategory.TOKEN,)
# Charged for mails, to whoever causes or gets them. No method has such a category.
BY_MAIL = (
    LimitCategory.MAIL_RECIPIENT,
    LimitCategory.MAIL_ORGANIZATION,
    LimitCategory.MAIL_SENDER,
    LimitCategory.MAIL_CODE,
)
# Charged by the core, which alone can tell whose a credential or a mail is.
BY_CORE = (LimitCategory.CREDENTIAL, *BY_MAIL)
# The limiter has a rule for each of these, and for no other.
LIMITED = (*BY_TIER, *BY_ADDRESS, *BY_ADDRESS_IF_COUNTED, *BY_CORE)


def _check_placed() -> None:
    """Compares the contract with the lists above.

    Raises:
        RuntimeError: if a category is missing here, or is no longer in the contract.
    """
    contract = {_name(value) for value in options_pb2.LimitCategory.values() if value}
    placed = {*LIMITED, LimitCategory.UNLIMITED}
    if contract != placed:
        raise RuntimeError(f"limit categories differ: {sorted(contract ^ placed)}")


_check_placed()
