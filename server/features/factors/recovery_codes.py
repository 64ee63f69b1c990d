"""Recovery codes: ten on a sheet of paper, each good once."""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from uuid import UUID

from portico_kit.secrets import Secrets

PURPOSE = "recovery-code"
COUNT = 10
# 32 letters that nobody takes for others: 50 bits in ten of them.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LETTERS = 10
GROUP = 5
# At so many the person is reminded to make new ones.
FEW = 3


def new_codes() -> Sequence[str]:
    """Ten codes, "XXXXX-XXXXX"."""
    return [_new_code() for _ in range(COUNT)]


def _new_code() -> str:
    code = "".join(random.choice(ALPHABET) for _ in range(LETTERS))
    return f"{code[:GROUP]}-{code[GROUP:]}"


def code_hash(secrets: Secrets, user_id: UUID, code: str) -> bytes:
    """What is kept of a code. It has 50 bits of its own, so a fast keyed hash is enough."""
    return secrets.mac(PURPOSE, f"{user_id} {_typed(code)}")


def _typed(code: str) -> str:
    """A code however it was typed."""
    return "".join(letter for letter in code.upper() if letter.isalnum())
